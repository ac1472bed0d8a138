#include <pomona/base/hex.hpp>

#include <gtest/gtest.h>

namespace pomona::base {
namespace {

TEST(Hex, FillsUpWithZeros) {
    EXPECT_EQ(hex(0x1f, 4), "001f");
    EXPECT_EQ(hex(0, 2), "00");
    EXPECT_EQ(hex(0x0123456789abcdef, 16), "0123456789abcdef");
}

TEST(Hex, LeavesOutWhatIsHigher) {
    EXPECT_EQ(hex(0x12345, 2), "45");
    EXPECT_EQ(hex(0x12345, 0), "");
}

}  // namespace
}  // namespace pomona::base
