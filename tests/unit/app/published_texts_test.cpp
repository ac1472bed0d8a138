// Help, manual, sample settings and shell completion: complete, and the files in the tree up to date.
#include "app/bash_completion.hpp"
#include "app/help.hpp"
#include "app/manual_page.hpp"
#include "app/sample_settings.hpp"
#include "app/setting_file.hpp"
#include "app/setting_table.hpp"
#include "app/subcommands.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace pomona::app {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::UnorderedElementsAre;

std::string in_tree(const std::string& name) {
    std::ifstream file(std::string(POMONA_SOURCE_DIR) + "/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// What a command prints, and its exit code.
std::pair<std::string, int> output_of(const std::string& command) {
    std::FILE* pipe = ::popen(command.c_str(), "r");
    std::string output;
    std::array<char, 4096> part{};
    while (std::fgets(part.data(), static_cast<int>(part.size()), pipe) != nullptr) output += part.data();
    return {output, ::pclose(pipe)};
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

constexpr const char* how =
    "write it anew: ninja -C build/dev update_docs && build/dev/src/app/update_docs .";

TEST(PublishedTexts, ManualPageInTheTreeIsUpToDate) {
    EXPECT_TRUE(in_tree("docs/pomona.8") == manual_page()) << how;
}

TEST(PublishedTexts, SampleSettingsInTheTreeAreUpToDate) {
    EXPECT_TRUE(in_tree("packaging/pomona.conf") == sample_settings()) << how;
}

TEST(PublishedTexts, CompletionInTheTreeIsUpToDate) {
    EXPECT_TRUE(in_tree("packaging/pomona.bash-completion") == bash_completion()) << how;
}

TEST(ManualPage, NamesEverySettingAndSubcommand) {
    std::string page = manual_page();
    std::erase(page, '\\');
    for (const Setting& setting : setting_table()) {
        EXPECT_THAT(page, HasSubstr(".It Cm " + std::string(setting.name()) + " No = ")) << setting.name();
    }
    for (const Subcommand& subcommand : subcommand_table()) {
        EXPECT_THAT(page, HasSubstr(".Ss pomona " + std::string(subcommand.name) + "\n"));
        for (const Flag& flag : subcommand.flags)
            EXPECT_THAT(page, HasSubstr(".It Fl -" + std::string(flag.name)));
        for (const Action& action : subcommand.actions) {
            EXPECT_THAT(page, HasSubstr(".It Cm " + std::string(action.name)));
        }
    }
}

TEST(ManualPage, IsCleanMdoc) {
    const auto [output, code] =
        output_of("mandoc -T lint '" + std::string(POMONA_SOURCE_DIR) + "/docs/pomona.8' 2>&1");
    for (const std::string& line : lines_of(output)) {
        // Whether pages it refers to are installed depends on the host.
        const bool about_others = line.find("mandoc.db") != std::string::npos ||
                                  line.find("referenced manual not found") != std::string::npos;
        EXPECT_TRUE(about_others) << line;
    }
    EXPECT_NE(code >> 8, 127) << "mandoc is missing";
}

TEST(Help, NamesEverySubcommandAndFlag) {
    for (const Subcommand& subcommand : subcommand_table()) {
        EXPECT_THAT(help_text(), HasSubstr("\n  " + std::string(subcommand.name) + " "));
        const std::string help = help_text(subcommand);
        for (const Flag& flag : flags_of(subcommand)) {
            EXPECT_THAT(help, HasSubstr("\n  --" + std::string(flag.name))) << subcommand.name;
        }
        for (const Example& example : subcommand.examples) EXPECT_THAT(help, HasSubstr(example.command));
        for (const std::string& line : lines_of(help)) EXPECT_LE(line.size(), 80U) << line;
    }
    for (const std::string& line : lines_of(help_text())) EXPECT_LE(line.size(), 80U) << line;
}

TEST(SampleSettings, AreReadableOnceUncommented) {
    std::string text;
    std::vector<std::string> names;
    for (const std::string& line : lines_of(sample_settings())) {
        if (line.starts_with("#") && line.size() > 1 && line[1] != ' ') text += line.substr(1) + "\n";
    }
    const auto given = parse_settings_text(text, "sample");
    ASSERT_TRUE(given) << given.error().text();
    for (const GivenSetting& one : *given) {
        const Setting* setting = find_setting(one.name);
        ASSERT_NE(setting, nullptr) << one.name;
        Settings settings;
        EXPECT_TRUE(setting->assign(settings, one.value)) << one.name;
        names.push_back(one.name);
    }
    const auto all = setting_names();
    EXPECT_EQ(names, std::vector<std::string>(all.begin(), all.end()));
}

TEST(SampleSettings, ChangeNothingAsTheyAre) {
    EXPECT_THAT(*parse_settings_text(sample_settings(), "sample"), IsEmpty());
}

/// What bash offers for the last of these words.
std::vector<std::string> completions(const std::vector<std::string>& words) {
    const tests::TemporaryFolder folder;
    std::string array;
    for (const std::string& word : words) array += " '" + word + "'";
    const std::string script =
        folder.write("script", bash_completion() + "\nCOMP_WORDS=(" + array +
                                   ")\nCOMP_CWORD=" + std::to_string(words.size() - 1) +
                                   "\n_pomona\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n");
    return lines_of(output_of("bash '" + script + "' 2>&1").first);
}

TEST(Completion, OffersSubcommandsFlagsActionsAndValues) {
    EXPECT_THAT(completions({"pomona", "se"}), UnorderedElementsAre("serve"));
    EXPECT_THAT(completions({"pomona", ""}), IsSupersetOf({"serve", "check", "probe", "image", "machine"}));
    EXPECT_THAT(completions({"pomona", "machine", ""}),
                UnorderedElementsAre("list", "show", "select", "forget"));
    EXPECT_THAT(completions({"pomona", "help", "ma"}), UnorderedElementsAre("machine"));
    EXPECT_THAT(completions({"pomona", "serve", "--tftp-max-b"}), UnorderedElementsAre("--tftp-max-blksize"));
    EXPECT_THAT(completions({"pomona", "serve", "--tftp", ""}),
                UnorderedElementsAre("on", "off", "external"));
    EXPECT_THAT(completions({"pomona", "serve", "--tftp", "=", "e"}), UnorderedElementsAre("external"));
    EXPECT_THAT(completions({"pomona", "serve", "--tftp", "="}),
                UnorderedElementsAre("on", "off", "external"));
    EXPECT_THAT(completions({"pomona", "serve", "--interface", "l"}), testing::Contains("lo"));
    EXPECT_THAT(completions({"pomona", "probe", "--arch", "p"}), UnorderedElementsAre("ppc"));
    EXPECT_THAT(completions({"pomona", "image", "check", "/us"}), UnorderedElementsAre("/usr"));
}

TEST(Completion, OneFlagTakesTheSameValuesEverywhere) {
    std::map<std::string_view, std::pair<Completes, std::string_view>> kinds;
    for (const Subcommand& subcommand : subcommand_table()) {
        for (const Flag& flag : flags_of(subcommand)) {
            const std::pair kind{flag.completes, flag.choices};
            EXPECT_EQ(kinds.emplace(flag.name, kind).first->second, kind) << flag.name;
        }
    }
}

}  // namespace
}  // namespace pomona::app
