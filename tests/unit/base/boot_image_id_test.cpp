#include <pomona/base/boot_image_id.hpp>

#include <gtest/gtest.h>

namespace pomona::base {
namespace {

TEST(BootImageId, HoldsInstallKindAndIndex) {
    const BootImageId id(true, 1, 4097);
    EXPECT_EQ(id.value(), 0x81001001U);
    EXPECT_TRUE(id.is_install());
    EXPECT_EQ(id.kind(), 1);
    EXPECT_EQ(id.index(), 4097);
    EXPECT_EQ(id.attributes(), 0x8100);
    EXPECT_TRUE(id.is_global());
    EXPECT_EQ(BootImageId(false, 3, 1).value(), 0x03000001U);
    EXPECT_FALSE(BootImageId(false, 1, 4095).is_global());
}

TEST(BootImageId, ReadsAndWritesHex) {
    EXPECT_EQ(BootImageId(0x81001001U).text(), "0x81001001");
    EXPECT_EQ(BootImageId::parse("0x81001001"), BootImageId(0x81001001U));
    EXPECT_EQ(BootImageId::parse("8100A410"), BootImageId(0x8100a410U));
    for (const char* text : {"", "0x", "0x8100100", "0x810010011", "0x8100100g", "4097", "-8100100"}) {
        EXPECT_EQ(BootImageId::parse(text), std::nullopt) << text;
    }
}

}  // namespace
}  // namespace pomona::base
