#include <pomona/policy/silence.hpp>

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <string_view>

namespace pomona::policy {
namespace {

TEST(Silence, EveryReasonHasANameOfItsOwnAndASentence) {
    std::set<std::string_view> names;
    for (const SilenceText& text : silence_texts()) {
        EXPECT_TRUE(names.insert(text.name).second) << text.name << " stands twice";
        EXPECT_TRUE(text.sentence.ends_with('.')) << text.name;
        EXPECT_EQ(text.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-."),
                  std::string_view::npos)
            << text.name;
        EXPECT_EQ(text_of(text.reason).name, text.name);
    }
}

TEST(Silence, TheManualExplainsEveryReasonInTheSameWords) {
    std::ifstream file(POMONA_DOCS "/bsdp.md");
    const std::string manual((std::istreambuf_iterator<char>(file)), {});
    ASSERT_FALSE(manual.empty());
    for (const SilenceText& text : silence_texts()) {
        const std::string row = "| `" + std::string(text.name) + "`" + (text.everyday ? " *" : "") + " | " +
                                std::string(text.sentence) + " |";
        EXPECT_NE(manual.find(row), std::string::npos) << row;
    }
}

}  // namespace
}  // namespace pomona::policy
