#include "servers/content.hpp"
#include "support/temporary_folder.hpp"

#include <pomona/codec/placeholder.hpp>

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace pomona::servers {
namespace {

using base::Ipv4Address;

class FilledProgramsTest : public testing::Test {
  protected:
    void write(const std::string& name, const std::string& text) {
        std::filesystem::create_directories(std::filesystem::path(folder_ / name).parent_path());
        std::ofstream(folder_ / name, std::ios::binary) << text;
    }
    std::string read(std::string_view name, Ipv4Address asked = {10, 0, 1, 11}) {
        const auto content = content_.open_for(asked, name);
        if (!content) return "problem: " + content.error().what;
        std::string text(static_cast<std::size_t>(content->file.size()), '\0');
        const iovec part{text.data(), text.size()};
        EXPECT_EQ(content->file.read({&part, 1}, 0), static_cast<std::ptrdiff_t>(text.size()));
        return text;
    }

    tests::TemporaryFolder folder_;
    Content content_{{{"NetBootSP0", folder_ / "images"}}, folder_ / "plain", 8080};
};

TEST_F(FilledProgramsTest, AProgramKnowsTheServerThatItWasAskedOf) {
    write("plain/g.efi", "MZ '@@POMONA-SERVER@@' '@@POMONA-HTTP@@'");
    EXPECT_EQ(read("g.efi"), "MZ '10.0.1.11        ' '8080           '");
    EXPECT_EQ(read("/g.efi", {192, 168, 0, 1}), "MZ '192.168.0.1      ' '8080           '");
    EXPECT_EQ(read("g.efi"), "MZ '10.0.1.11        ' '8080           '") << "and again";
}

TEST_F(FilledProgramsTest, ThePathIsTheShortOneWhateverWasAsked) {
    std::string blank(codec::path_blank);
    blank.resize(codec::path_blank_size, '.');
    write("images/grub.nbi/i386/booter", "MZ" + blank);
    std::string expected = "nbi/NetBootSP0/grub.nbi/i386/booter";
    expected.resize(codec::path_blank_size, ' ');
    for (const char* asked :
         {"nbi/NetBootSP0/grub.nbi/i386/booter", "/NetBoot/NetBootSP0//grub.nbi/i386/booter",
          "/private/tftpboot/NetBoot/NetBootSP0/grub.nbi/i386/booter"}) {
        EXPECT_EQ(read(asked), "MZ" + expected) << asked;
    }
}

TEST_F(FilledProgramsTest, OtherFilesAreSentAsTheyAre) {
    write("plain/text", "echo @@POMONA-SERVER@@");
    write("plain/none.efi", "MZ and nothing else");
    write("plain/M", "M");
    EXPECT_EQ(read("text"), "echo @@POMONA-SERVER@@");
    EXPECT_EQ(read("none.efi"), "MZ and nothing else");
    EXPECT_EQ(read("none.efi"), "MZ and nothing else");
    EXPECT_EQ(read("M"), "M");
}

TEST_F(FilledProgramsTest, AChangedProgramIsReadAgain) {
    write("plain/g.efi", "MZ old @@POMONA-SERVER@@");
    EXPECT_EQ(read("g.efi"), "MZ old 10.0.1.11        ");
    write("plain/g.efi", "MZ newer @@POMONA-SERVER@@");
    EXPECT_EQ(read("g.efi"), "MZ newer 10.0.1.11        ");
    // The same length and name; only the time tells.
    const auto before = std::filesystem::last_write_time(folder_ / "plain/g.efi");
    write("plain/g.efi", "MZ newst @@POMONA-SERVER@@");
    std::filesystem::last_write_time(folder_ / "plain/g.efi", before + std::chrono::seconds(2));
    EXPECT_EQ(read("g.efi"), "MZ newst 10.0.1.11        ");
}

TEST_F(FilledProgramsTest, ManyAddressesDoNotFillTheMemory) {
    write("plain/g.efi", "MZ @@POMONA-SERVER@@" + std::string(std::size_t{4} << 20U, '.'));
    for (std::uint8_t n = 1; n <= 40; ++n) EXPECT_EQ(read("g.efi", {10, 0, 1, n}).substr(0, 9), "MZ 10.0.1");
    EXPECT_EQ(read("g.efi", {10, 0, 1, 1}).substr(3, 8), "10.0.1.1");
}

TEST_F(FilledProgramsTest, OpenGivesTheFileAsItLies) {
    write("plain/g.efi", "MZ @@POMONA-SERVER@@");
    const auto content = content_.open("g.efi");
    ASSERT_TRUE(content);
    std::string text(20, '\0');
    const iovec part{text.data(), text.size()};
    (void)content->file.read({&part, 1}, 0);
    EXPECT_EQ(text, "MZ @@POMONA-SERVER@@");
}

}  // namespace
}  // namespace pomona::servers
