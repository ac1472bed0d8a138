#include "app/setting_file.hpp"

#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

namespace pomona::app {
namespace {

using testing::HasSubstr;

std::string shown(const base::Result<std::vector<GivenSetting>>& result) {
    if (!result) return "error: " + result.error().text();
    std::string text;
    for (const GivenSetting& given : *result) {
        text +=
            given.name + "=[" + given.value + "]@" + given.source.substr(given.source.rfind(' ') + 1) + " ";
    }
    if (!text.empty()) text.pop_back();
    return text;
}

struct Case {
    const char* name;
    const char* text;
    const char* expected;
};

class SettingsText : public testing::TestWithParam<Case> {};

TEST_P(SettingsText, IsRead) {
    EXPECT_EQ(shown(parse_settings_text(GetParam().text, "FILE")), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, SettingsText,
    testing::ValuesIn(std::vector<Case>{
        Case{"Empty", "", ""}, Case{"Simple", "tftp-port = 69\n", "tftp-port=[69]@1"},
        Case{"NoNewlineAtTheEnd", "tftp-port=69", "tftp-port=[69]@1"},
        Case{"BlanksAndTabs", "\t tftp-port\t=  69 \t\n", "tftp-port=[69]@1"},
        Case{"WindowsLines", "a = 1\r\nb = 2\r\n", "a=[1]@1 b=[2]@2"},
        Case{"CommentLines", "# one\n; two\n\n  # three\na=1", "a=[1]@5"},
        Case{"CommentBehindAValue", "a = 1 # one\nb = 2\t# two", "a=[1]@1 b=[2]@2"},
        Case{"HashWithoutBlankIsValue", "a = x#y", "a=[x#y]@1"},
        Case{"EqualsSignInValue", "image-root = More=/srv/more", "image-root=[More=/srv/more]@1"},
        Case{"EmptyValue", "user =\na = # nothing", "user=[]@1 a=[]@2"},
        Case{"Quotes", "a = \" x # y \"  # comment", "a=[ x # y ]@1"},
        Case{"Section", "[tftp]\n",
             "error: FILE line 1: sections like '[tftp]' are not used here; remove the line"},
        Case{"NoEqualsSign", "a=1\nhello there\n",
             "error: FILE line 2: 'hello there' is no setting; write: name = value"},
        Case{"NoName", "= 5", "error: FILE line 1: '= 5' is no setting; write: name = value"},
        Case{"OpenQuote", "a = \"x",
             "error: FILE line 1: the closing quote is missing; end the value with \""},
        Case{"TextBehindQuote", "a = \"x\" y",
             "error: FILE line 1: there is text after the closing quote; put the whole value in quotes"}}),
    [](const auto& tested) { return tested.param.name; });

TEST(SettingFiles, DropInsFollowInTheOrderOfTheirNames) {
    const tests::TemporaryFolder folder;
    const std::string file = folder.write("pomona.conf", "a = 1");
    (void)folder.write("pomona.conf.d/20-two.conf", "a = 3");
    (void)folder.write("pomona.conf.d/10-one.conf", "a = 2");
    (void)folder.write("pomona.conf.d/30-other.conf.bak", "a = 4");
    const auto read = read_settings_files(file, true);
    EXPECT_EQ(shown(read), "a=[1]@1 a=[2]@1 a=[3]@1");
    EXPECT_EQ(read->back().source, folder / "pomona.conf.d/20-two.conf" + " line 1");
}

TEST(SettingFiles, DropInsCountWithoutTheFile) {
    const tests::TemporaryFolder folder;
    (void)folder.write("pomona.conf.d/10-one.conf", "a = 2");
    EXPECT_EQ(shown(read_settings_files(folder / "pomona.conf", false)), "a=[2]@1");
}

TEST(SettingFiles, MissingOnesMatterOnlyWhenNamed) {
    const tests::TemporaryFolder folder;
    EXPECT_EQ(shown(read_settings_files(folder / "none", false)), "");
    EXPECT_THAT(shown(read_settings_files(folder / "none", true)),
                HasSubstr("it cannot be read (No such file or directory)"));
}

TEST(SettingFiles, RefusesWhatIsNoSettingsFile) {
    const tests::TemporaryFolder folder;
    EXPECT_THAT(shown(read_settings_files(folder.path(), true)), HasSubstr("it is a folder"));
    EXPECT_THAT(shown(read_settings_files("/dev/zero", true)), HasSubstr("it is larger than 1 MiB"));
    std::filesystem::create_symlink("/nowhere/at/all", folder / "broken.conf");
    EXPECT_THAT(shown(read_settings_files(folder / "broken.conf", false)), HasSubstr("it cannot be read"));
}

}  // namespace
}  // namespace pomona::app
