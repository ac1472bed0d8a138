#include <pomona/base/utf8.hpp>

#include <gtest/gtest.h>

namespace pomona::base {
namespace {

TEST(Utf8, KnowsWhatIsValid) {
    for (const char* text :
         {"", "abc", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"}) {
        EXPECT_TRUE(is_utf8(text)) << text;
    }
}

TEST(Utf8, RefusesWhatIsNot) {
    for (const char* text : {"\x80", "\xc3", "\xc3(", "\xc0\xaf", "\xe0\x80\xaf", "\xe2\x82", "\xed\xa0\x80",
                             "\xf0\x80\x80\xaf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"}) {
        EXPECT_FALSE(is_utf8(text)) << text;
    }
    EXPECT_EQ(valid_utf8_prefix("ab\xc3\xa9\xff"
                                "cd"),
              4U);
}

TEST(Utf8, CutsBetweenCharacters) {
    EXPECT_EQ(cut_utf8("abc", 3), "abc");
    EXPECT_EQ(cut_utf8("abc", 2), "ab");
    EXPECT_EQ(cut_utf8("a\xe2\x82\xac", 4), "a\xe2\x82\xac");
    EXPECT_EQ(cut_utf8("a\xe2\x82\xac", 3), "a");
    EXPECT_EQ(cut_utf8("a\xe2\x82\xac", 1), "a");
    EXPECT_EQ(cut_utf8("\xe2\x82\xac", 2), "");
    EXPECT_EQ(cut_utf8("abc", 0), "");
}

TEST(Utf8, HasNoFirstCharacterWhereNoneIs) {
    for (const char* text : {"", "\x80", "\xc3", "\xed\xa0\x80", "\xff"}) {
        EXPECT_EQ(first_utf8_character(text).length, 0U) << text;
    }
}

TEST(Utf8, WritesAndReadsEachLength) {
    std::string text;
    for (const char32_t character : {U'a', U'\u00e9', U'\u20ac', U'\U0001f600'}) append_utf8(text, character);
    EXPECT_EQ(text, "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");

    std::string_view rest = text;
    for (const char32_t character : {U'a', U'\u00e9', U'\u20ac', U'\U0001f600'}) {
        const Utf8Character first = first_utf8_character(rest);
        EXPECT_EQ(first.value, character);
        rest.remove_prefix(first.length);
    }
    EXPECT_TRUE(rest.empty());
    EXPECT_FALSE(is_unicode_scalar(0xd800));
    EXPECT_FALSE(is_unicode_scalar(0x110000));
    EXPECT_TRUE(is_unicode_scalar(0x10ffff));
}

}  // namespace
}  // namespace pomona::base
