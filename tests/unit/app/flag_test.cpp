#include "app/flag.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace pomona::app {
namespace {

using testing::ElementsAre;

constexpr std::array flags{
    Flag{.name = "interface", .value_name = "NAME", .help = "", .repeatable = true},
    Flag{.name = "select", .value_name = "ID", .help = ""},
    Flag{.name = "answer-discover", .value_name = "on|off", .help = "", .on_or_off = true},
    Flag{.name = "json", .value_name = "", .help = ""},
};

std::string shown(const base::Result<GivenArguments>& result) {
    if (!result) return "error: " + result.error().text();
    std::string text;
    for (const GivenFlag& flag : result->flags) text += flag.name + "=[" + flag.value + "] ";
    for (const std::string& word : result->words) text += "(" + word + ") ";
    if (!text.empty()) text.pop_back();
    return text;
}

struct Case {
    const char* name;
    std::vector<std::string> arguments;
    const char* expected;
};

class Arguments : public testing::TestWithParam<Case> {};

TEST_P(Arguments, AreRead) {
    EXPECT_EQ(shown(read_arguments(GetParam().arguments, flags)), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, Arguments,
    testing::ValuesIn(std::vector<Case>{
        Case{"None", {}, ""},
        Case{"NextWord", {"--select", "default"}, "select=[default]"},
        Case{"EqualsSign", {"--select=default"}, "select=[default]"},
        Case{"EqualsSignInValue", {"--select=a=b"}, "select=[a=b]"},
        Case{"EmptyAfterEqualsSign", {"--select="}, "select=[]"},
        Case{"EqualsSignAtTheEnd", {"--select=a="}, "select=[a=]"},
        Case{"EmptyNextWord", {"--select", "", "word"}, "select=[] (word)"},
        Case{"Repeated", {"--interface", "a", "--interface=b"}, "interface=[a] interface=[b]"},
        Case{"Switch", {"--json", "word"}, "json=[on] (word)"},
        Case{"OnOrOffAlone", {"--answer-discover"}, "answer-discover=[on]"},
        Case{"OnOrOffBeforeAFlag", {"--answer-discover", "--json"}, "answer-discover=[on] json=[on]"},
        Case{"OnOrOffWithValue", {"--answer-discover", "off"}, "answer-discover=[off]"},
        Case{"WordsAnywhere", {"list", "--json", "more"}, "json=[on] (list) (more)"},
        Case{"OnlyWordsAfterDashes", {"--json", "--", "--select"}, "json=[on] (--select)"},
        Case{"GivenTwice",
             {"--select", "a", "--select", "b"},
             "error: flag --select: it is given twice; give it once"},
        Case{"Unknown",
             {"--slect", "a"},
             "error: flag --slect: there is no such flag; did you mean --select?"},
        Case{"UnknownWithValue",
             {"--qqqqqq=1"},
             "error: flag --qqqqqq: there is no such flag; --help lists all flags"},
        Case{
            "NotGuessed", {"--sel", "a"}, "error: flag --sel: there is no such flag; did you mean --select?"},
        Case{"ValueMissing", {"--select"}, "error: flag --select: its value is missing; write --select ID"},
        Case{"ValueMissingBeforeAFlag",
             {"--select", "--json"},
             "error: flag --select: its value is missing; write --select ID"},
        Case{"SwitchWithValue", {"--json=yes"}, "error: flag --json: it takes no value; leave the value out"},
        Case{"ShortFlag",
             {"-j"},
             "error: '-j': there is no such flag; flags begin with two dashes; see --help"},
        Case{"SingleDash", {"-"}, "(-)"}}),
    [](const auto& tested) { return tested.param.name; });

TEST(DidYouMean, OffersTheClosestName) {
    constexpr std::array<std::string_view, 3> names{"tftp-root", "tftp-port", "user"};
    EXPECT_EQ(did_you_mean("tftp-rot", names), "did you mean tftp-root?");
    EXPECT_EQ(did_you_mean("tftp-prot", names, "--"), "did you mean --tftp-port?");
    EXPECT_EQ(did_you_mean("usre", names), "did you mean user?");
    EXPECT_EQ(did_you_mean("use", names), "did you mean user?");
    EXPECT_EQ(did_you_mean("colour", names), "");
    EXPECT_EQ(did_you_mean("", names), "");
    EXPECT_EQ(did_you_mean(std::string(100'000, 'x'), names), "");
}

TEST(InQuotes, KeepsOneShortLine) {
    EXPECT_EQ(in_quotes("a b"), "'a b'");
    EXPECT_EQ(in_quotes("a\nb\x1b"), "'a\\x0ab\\x1b'");
    EXPECT_EQ(in_quotes(std::string(300, 'x')).size(), 205U);
}

TEST(Choices, AreSplit) {
    EXPECT_THAT(choices_of("on|off|external"), ElementsAre("on", "off", "external"));
    EXPECT_THAT(choices_of(""), ElementsAre());
}

}  // namespace
}  // namespace pomona::app
