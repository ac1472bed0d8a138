#include "support/binary_plist.hpp"

#include <pomona/codec/plist.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace pomona::codec {
namespace {

using testing::HasSubstr;
using tests::BinaryPlist;
using Octets = BinaryPlist::Octets;

/// The value of one object standing alone.
base::Result<PlistValue> single(const Octets& object) {
    BinaryPlist plist;
    const auto top = plist.add(object);
    return parse_plist(plist.file(top));
}

TEST(PlistBinary, ReadsEveryType) {
    EXPECT_EQ(single({0x08}), PlistValue(false));
    EXPECT_EQ(single({0x09}), PlistValue(true));
    EXPECT_EQ(single({0x10, 0xff}), PlistValue(std::int64_t{255}));
    EXPECT_EQ(single({0x11, 0x10, 0x01}), PlistValue(std::int64_t{4097}));
    EXPECT_EQ(single({0x12, 0xff, 0xff, 0xff, 0xff}), PlistValue(std::int64_t{0xffffffff}));
    EXPECT_EQ(single({0x13, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe}), PlistValue(std::int64_t{-2}));
    EXPECT_EQ(single({0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}), PlistValue(std::int64_t{7}));
    EXPECT_EQ(single({0x22, 0x3f, 0xc0, 0, 0}), PlistValue(1.5));
    EXPECT_EQ(single({0x23, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0}), PlistValue(1.5));
    using namespace std::chrono_literals;
    EXPECT_EQ(single({0x33, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0}),
              PlistValue(PlistDate(std::chrono::sys_days(2001y / 1 / 1) + 1s)));
    EXPECT_EQ(single({0x43, 1, 2, 3}), PlistValue(PlistData{1, 2, 3}));
    EXPECT_EQ(single({0x52, 'h', 'i'}), PlistValue(std::string("hi")));
    EXPECT_EQ(single({0x63, 0x00, 0xe9, 0xd8, 0x3d, 0xde, 0x00}),
              PlistValue(std::string("\xc3\xa9\xf0\x9f\x98\x80")));
    EXPECT_EQ(single({0x72, 0xc3, 0xa9}), PlistValue(std::string("\xc3\xa9")));
    EXPECT_EQ(single({0xa0}), PlistValue(PlistArray{}));
    EXPECT_EQ(single({0xd0}), PlistValue(PlistDict{}));
}

TEST(PlistBinary, ReadsLongCounts) {
    Octets object = {0x5f, 0x11, 0x01, 0x00};
    object.insert(object.end(), 256, 'x');
    EXPECT_EQ(single(object), PlistValue(std::string(256, 'x')));
}

TEST(PlistBinary, ReadsDictionariesInOrderAndSharesObjects) {
    BinaryPlist plist;
    const auto b = plist.text("b");
    const auto a = plist.text("a");
    const auto list = plist.add({0xa2, b, b});
    const auto top = plist.add({0xd2, b, a, a, list});
    const auto value = parse_plist(plist.file(top));
    ASSERT_TRUE(value) << value.error().text();
    const PlistDict& dict = *value->get<PlistDict>();
    ASSERT_EQ(dict.entries.size(), 2U);
    EXPECT_EQ(dict.entries[0].key, "b");
    EXPECT_EQ(*dict.entries[0].value.get<std::string>(), "a");
    EXPECT_EQ(dict.find("a")->get<PlistArray>()->size(), 2U);
}

struct RefusedCase {
    const char* name;
    Octets file;
    const char* what;
    const char* where = "offset ";
};

Octets alone(const Octets& object) {
    BinaryPlist plist;
    const auto top = plist.add(object);
    return plist.file(top);
}

Octets with_trailer(std::size_t at, std::uint8_t value) {
    Octets file = alone({0x09});
    file[file.size() - 32 + at] = value;
    return file;
}

Octets cut(const Octets& file, std::size_t size) {
    return {file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size)};
}

/// Arrays that each refer to the one before ten times: 10^levels values from a handful of octets.
Octets exploding(int levels) {
    BinaryPlist plist;
    std::uint8_t below = plist.add({0x09});
    for (int i = 0; i < levels; ++i)
        below = plist.add({0xaa, below, below, below, below, below, below, below, below, below, below});
    return plist.file(below);
}

/// One long text, referred to by 200 places in each of 100 places.
Octets exploding_texts() {
    BinaryPlist plist;
    Octets text = {0x5f, 0x11, 0x20, 0x00};
    text.insert(text.end(), 0x2000, 'x');
    const auto long_text = plist.add(text);
    Octets list = {0xaf, 0x10, 200};
    list.insert(list.end(), 200, long_text);
    const auto texts = plist.add(list);
    Octets lists = {0xaf, 0x10, 100};
    lists.insert(lists.end(), 100, texts);
    return plist.file(plist.add(lists));
}

Octets deep(int levels) {
    BinaryPlist plist;
    std::uint8_t below = plist.add({0xa0});
    for (int i = 1; i < levels; ++i) below = plist.add({0xa1, below});
    return plist.file(below);
}

Octets cycle() {
    BinaryPlist plist;
    const auto key = plist.text("Loop");
    plist.add({0xd1, key, 2});
    plist.add({0xa1, 1});
    return plist.file(1);
}

Octets key_twice() {
    BinaryPlist plist;
    const auto key = plist.text("Name");
    return plist.file(plist.add({0xd2, key, key, key, key}));
}

Octets number_as_key() {
    BinaryPlist plist;
    const auto number = plist.add({0x10, 1});
    return plist.file(plist.add({0xd1, number, number}));
}

class PlistBinaryRefuses : public testing::TestWithParam<RefusedCase> {};

TEST_P(PlistBinaryRefuses, WithPlaceAndRemedy) {
    const auto start = std::chrono::steady_clock::now();
    const auto value = parse_plist(GetParam().file);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
    ASSERT_FALSE(value);
    EXPECT_THAT(value.error().what, HasSubstr(GetParam().what));
    EXPECT_THAT(value.error().where, HasSubstr(GetParam().where));
    EXPECT_NE(value.error().remedy, "");
}

INSTANTIATE_TEST_SUITE_P(
    Table, PlistBinaryRefuses,
    testing::ValuesIn(std::vector<RefusedCase>{
        RefusedCase{"header_alone", cut(alone({0x09}), 8), "too short"},
        RefusedCase{"cut_off", cut(alone({0x09}), 30), "too short"},
        RefusedCase{"other_version",
                    Octets{'b', 'p', 'l', 'i', 's', 't', '1', '5', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                           0,   0,   0,   0,   0,   0,   0,   0,   0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
                    "version"},
        RefusedCase{"offsets_of_no_octets", with_trailer(6, 0), "impossible"},
        RefusedCase{"offsets_of_nine_octets", with_trailer(6, 9), "impossible"},
        RefusedCase{"references_of_no_octets", with_trailer(7, 0), "impossible"},
        RefusedCase{"no_objects", with_trailer(15, 0), "does not fit"},
        RefusedCase{"too_many_objects", with_trailer(8, 0xff), "does not fit"},
        RefusedCase{"top_out_of_range", with_trailer(23, 9), "does not exist"},
        RefusedCase{"table_out_of_range", with_trailer(24, 0xff), "does not fit"},
        RefusedCase{"table_in_the_header", with_trailer(31, 2), "does not fit"},
        RefusedCase{"null", alone({0x00}), "unknown kind"},
        RefusedCase{"uid", alone({0x80, 1}), "unknown kind"},
        RefusedCase{"set", alone({0xc0}), "unknown kind"},
        RefusedCase{"short_integer", alone({0x13, 1, 2}), "cut off"},
        RefusedCase{"integer_of_32_octets", alone({0x15}), "cut off"},
        RefusedCase{"integer_above_64_bits", alone({0x14, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}),
                    "64 bits"},
        RefusedCase{"infinite_real", alone({0x22, 0x7f, 0x80, 0, 0}), "not finite"},
        RefusedCase{"endless_date", alone({0x33, 0x7f, 0xe0, 0, 0, 0, 0, 0, 0}), "years"},
        RefusedCase{"short_data", alone({0x45, 1}), "cut off"},
        RefusedCase{"short_text", alone({0x55, 'a'}), "cut off"},
        RefusedCase{"huge_count", alone({0x5f, 0x13, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}),
                    "cut off"},
        RefusedCase{"huge_utf_16_count", alone({0x6f, 0x13, 0x80, 0, 0, 0, 0, 0, 0, 1}), "cut off"},
        RefusedCase{"count_that_is_no_integer", alone({0x5f, 0x09}), "count"},
        RefusedCase{"count_cut_off", alone({0x5f, 0x13, 0}), "count"},
        RefusedCase{"count_missing", alone({0x5f}), "cut off"},
        RefusedCase{"text_not_ascii", alone({0x51, 0xe9}), "not ASCII"},
        RefusedCase{"text_with_nul", alone({0x51, 0}), "NUL"},
        RefusedCase{"half_a_surrogate", alone({0x61, 0xd8, 0x3d}), "not UTF-16"},
        RefusedCase{"text_not_utf_8", alone({0x71, 0xe9}), "not UTF-8"},
        RefusedCase{"short_array", alone({0xa2, 0}), "cut off"},
        RefusedCase{"huge_array", alone({0xaf, 0x13, 0x20, 0, 0, 0, 0, 0, 0, 0}), "cut off"},
        RefusedCase{"short_dictionary", alone({0xd1, 0}), "cut off"},
        RefusedCase{"array_in_itself", alone({0xa1, 0}), "contains itself"},
        RefusedCase{"cycle", cycle(), "contains itself", "Loop"},
        RefusedCase{"key_twice", key_twice(), "twice"},
        RefusedCase{"number_as_key", number_as_key(), "no text"},
        RefusedCase{"too_deep", deep(17), "nested deeper"},
        RefusedCase{"unfolds_to_many_values", exploding(15), "unfolds"},
        RefusedCase{"unfolds_to_many_octets", exploding_texts(), "unfolds"}}),
    [](const auto& test) { return test.param.name; });

TEST(PlistBinary, AcceptsTheLimits) {
    EXPECT_TRUE(parse_plist(deep(16)));
    EXPECT_TRUE(parse_plist(exploding(4)));
}

TEST(PlistBinary, EveryCutIsRefusedOrRead) {
    BinaryPlist plist;
    const auto key = plist.text("Name");
    const auto value = plist.add({0x63, 0, 0xe9, 0, 0xe9, 0, 0xe9});
    const Octets file = plist.file(plist.add({0xd1, key, value}));
    for (std::size_t size = 8; size < file.size(); ++size) EXPECT_FALSE(parse_plist(cut(file, size))) << size;
    // Any single octet may be wrong; the reader must only survive it.
    for (std::size_t at = 8; at < file.size(); ++at) {
        Octets wrong = file;
        for (const int delta : {1, 0x7f, 0x80, 0xff}) {
            wrong[at] = static_cast<std::uint8_t>(file[at] + delta);
            (void)parse_plist(wrong);
        }
    }
}

}  // namespace
}  // namespace pomona::codec
