#include <pomona/codec/placeholder.hpp>

#include <gtest/gtest.h>

#include <string>

namespace pomona::codec {
namespace {

std::string path_text() {
    std::string text(path_blank);
    text.resize(path_blank_size, '.');
    return text;
}

std::vector<std::uint8_t> octets(const std::string& text) {
    return {text.begin(), text.end()};
}

std::string filled(const std::string& text, const BlankValues& values) {
    auto program = octets(text);
    fill_blanks(program, find_blanks(program), values);
    return {program.begin(), program.end()};
}

TEST(Placeholder, EachBlankTakesItsValueAndKeepsItsLength) {
    const std::string before = "MZ set a='@@POMONA-SERVER@@' b='@@POMONA-HTTP@@'\nc='" + path_text() + "'\n";
    const std::string after = filled(before, {.server = {10, 0, 1, 11}, .http_port = 80, .path = "nbi/x/y"});
    EXPECT_EQ(after, "MZ set a='10.0.1.11        ' b='80             '\nc='nbi/x/y" +
                         std::string(path_blank_size - 7, ' ') + "'\n");
}

TEST(Placeholder, TheLongestValuesFit) {
    EXPECT_EQ(filled("@@POMONA-SERVER@@", {.server = {255, 255, 255, 255}, .http_port = {}, .path = {}}),
              "255.255.255.255  ");
    EXPECT_EQ(filled("@@POMONA-HTTP@@", {.server = {}, .http_port = 65'535, .path = {}}), "65535          ");
    EXPECT_EQ(filled("@@POMONA-HTTP@@", {.server = {}, .http_port = {}, .path = {}}), "0              ");
    const std::string path(path_blank_size, 'p');
    EXPECT_EQ(filled(path_text(), {.server = {}, .http_port = {}, .path = path}), path);
}

TEST(Placeholder, APathThatWouldEndItsQuotesIsLeftOut) {
    for (const std::string& path : {std::string("a'; halt; '"), std::string("a\nb"), std::string(128, 'p')}) {
        EXPECT_EQ(filled(path_text(), {.server = {}, .http_port = {}, .path = path}),
                  std::string(path_blank_size, ' '));
    }
}

TEST(Placeholder, WhatIsNoBlankStays) {
    for (const std::string text :
         {"@@POMONA-SERVER", "@@POMONA-OTHER@@", "@@POMONA-PATH@@...", "POMONA-SERVER@@", "@@POMONA-"}) {
        EXPECT_TRUE(find_blanks(octets(text)).empty()) << text;
    }
    std::string almost = path_text();
    almost[100] = 'x';
    EXPECT_TRUE(find_blanks(octets(almost)).empty());
}

TEST(Placeholder, AreFoundWhereverTheyStand) {
    const std::string text = "@@POMONA-@@POMONA-SERVER@@@@POMONA-SERVER@@";
    EXPECT_EQ(find_blanks(octets(text)), (std::vector<PlacedBlank>{{.blank = Blank::server, .offset = 9},
                                                                   {.blank = Blank::server, .offset = 26}}));
    std::string many;
    for (int i = 0; i < 100; ++i) many += "@@POMONA-SERVER@@";
    EXPECT_EQ(find_blanks(octets(many)).size(), most_blanks);
}

TEST(Placeholder, OnlyEfiProgramsAreLookedInto) {
    EXPECT_TRUE(may_hold_blanks(octets("MZ..")));
    EXPECT_TRUE(may_hold_blanks(std::vector<std::uint8_t>{0xb9, 0xfa, 0xf1, 0x0e}));
    EXPECT_FALSE(may_hold_blanks(octets("#!ip")));
    EXPECT_FALSE(may_hold_blanks(octets("M")));
}

TEST(Placeholder, ABlankBeyondTheEndIsNotWritten) {
    auto program = octets("MZ");
    fill_blanks(program, {{.blank = Blank::server, .offset = 1}, {.blank = Blank::path, .offset = 1'000}},
                {});
    EXPECT_EQ(program, octets("MZ"));
}

}  // namespace
}  // namespace pomona::codec
