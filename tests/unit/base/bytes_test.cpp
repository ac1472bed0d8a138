#include <pomona/base/bytes.hpp>

#include <gtest/gtest.h>

#include <array>

namespace pomona::base {
namespace {

TEST(ByteReader, ReadsBigEndian) {
    const std::array<std::uint8_t, 9> octets{1, 2, 3, 4, 5, 6, 7, 8, 9};
    ByteReader reader(octets);
    EXPECT_EQ(reader.u8(), 1);
    EXPECT_EQ(reader.u16(), 0x0203);
    EXPECT_EQ(reader.u32(), 0x04050607U);
    EXPECT_EQ(reader.remaining(), 2U);
    EXPECT_EQ(reader.rest().size(), 2U);
    EXPECT_TRUE(reader.ok());
}

TEST(ByteReader, StaysFailedOnceItRanShort) {
    const std::array<std::uint8_t, 3> octets{1, 2, 3};
    ByteReader reader(octets);
    EXPECT_EQ(reader.u32(), 0U);
    EXPECT_FALSE(reader.ok());
    EXPECT_EQ(reader.u8(), 0) << "a failed cursor reads nothing, even where octets are left";
    EXPECT_TRUE(reader.rest().empty());
    EXPECT_EQ(reader.array<2>(), (std::array<std::uint8_t, 2>{}));
}

TEST(ByteReader, HasNothingLeftOnceItFailed) {
    const std::array<std::uint8_t, 5> octets{1, 2, 3, 4, 5};
    ByteReader reader(octets);
    int rounds = 0;
    while (reader.remaining() > 0 && rounds < 10) {
        reader.u16();
        ++rounds;
    }
    EXPECT_EQ(rounds, 3) << "the third number is cut off, and the loop ends there";
    EXPECT_EQ(reader.remaining(), 0U);
    EXPECT_FALSE(reader.ok());
}

TEST(ByteReader, HugeCountsDoNotWrap) {
    const std::array<std::uint8_t, 3> octets{1, 2, 3};
    ByteReader reader(octets);
    reader.u8();
    EXPECT_TRUE(reader.bytes(SIZE_MAX).empty());
    EXPECT_FALSE(reader.ok());
}

TEST(ByteWriter, WritesBigEndianAndPatches) {
    std::array<std::uint8_t, 10> room{};
    ByteWriter writer(room);
    writer.u8(1);
    writer.u16(0x0203);
    writer.u32(0x04050607);
    writer.text("ab");
    writer.set_u8(0, 9);
    writer.set_u16(1, 0xaabb);
    EXPECT_TRUE(writer.ok());
    EXPECT_EQ(writer.room(), 1U);
    EXPECT_EQ(room, (std::array<std::uint8_t, 10>{9, 0xaa, 0xbb, 4, 5, 6, 7, 'a', 'b', 0}));
}

TEST(ByteWriter, WritesWholeThingsOrNothing) {
    std::array<std::uint8_t, 4> room{};
    ByteWriter writer(room);
    writer.u8(1);
    writer.u32(0xffffffff);
    EXPECT_FALSE(writer.ok());
    writer.u8(2);
    EXPECT_EQ(writer.size(), 1U) << "nothing is written after the failure";
    EXPECT_EQ(room, (std::array<std::uint8_t, 4>{1, 0, 0, 0}));
    writer.set_u8(3, 7);
    EXPECT_EQ(room[3], 0) << "only octets that were written can be patched";
}

}  // namespace
}  // namespace pomona::base
