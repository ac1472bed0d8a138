#include <pomona/base/addresses.hpp>

#include <gtest/gtest.h>

namespace pomona::base {
namespace {

TEST(MacAddress, AcceptsEverySpelling) {
    const MacAddress expected({0x40, 0x6c, 0x8f, 0x37, 0x95, 0x07});
    for (const char* text : {"40:6c:8f:37:95:07", "40:6C:8F:37:95:07", "40-6c-8f-37-95-07",
                             "40:6c:8f:37:95:7", "406c8f379507", "406C8F379507", "406c.8f37.9507"}) {
        EXPECT_EQ(MacAddress::parse(text), expected) << text;
    }
}

TEST(MacAddress, RefusesEverythingElse) {
    for (const char* text : {"", "40", "40:6c:8f:37:95", "40:6c:8f:37:95:07:01", "40:6c:8f:37:95:0g",
                             "40:6c-8f:37:95:07", "40:6c:8f:37:95:07 ", " 40:6c:8f:37:95:07", "406c8f37950",
                             "406c8f3795070", "406:c8:f3:79:50:7", "40::8f:37:95:07", "406c.8f37.950",
                             "406c.8f37-9507", "+1:2:3:4:5:6", ":40:6c:8f:37:95:07", "40:6c:8f:37:95:"}) {
        EXPECT_EQ(MacAddress::parse(text), std::nullopt) << text;
    }
}

TEST(MacAddress, WritesItself) {
    const MacAddress mac({0x40, 0x6c, 0x8f, 0x37, 0x95, 0x07});
    EXPECT_EQ(mac.text(), "40:6c:8f:37:95:07");
    EXPECT_EQ(mac.text('-'), "40-6c-8f-37-95-07");
    EXPECT_EQ(mac.text('\0'), "406c8f379507");
    EXPECT_EQ(mac.value(), 0x406c8f379507U);
    EXPECT_FALSE(mac.is_multicast());
    EXPECT_TRUE(MacAddress::broadcast().is_multicast());
    EXPECT_TRUE(MacAddress().is_zero());
}

TEST(Ipv4Address, ReadsAndWritesDottedNumbers) {
    EXPECT_EQ(Ipv4Address::parse("10.0.1.32"), Ipv4Address(10, 0, 1, 32));
    EXPECT_EQ(Ipv4Address::parse("255.255.255.255"), Ipv4Address::broadcast());
    EXPECT_EQ(Ipv4Address(10, 0, 1, 32).text(), "10.0.1.32");
    EXPECT_EQ(Ipv4Address(10, 0, 1, 32).value(), 0x0a000120U);
    for (const char* text : {"", "10", "10.0.1", "10.0.1.256", "10.0.1.32.", "10.0.1.032", "10.0.1.-1",
                             "10.0.1.+1", " 10.0.1.1", "10.0.1.1 ", "10..1.1", "0x0a.0.0.1", "10.0.1.1.1"}) {
        EXPECT_EQ(Ipv4Address::parse(text), std::nullopt) << text;
    }
}

TEST(Ipv4Network, KeepsHostAndNetwork) {
    const auto network = Ipv4Network::parse("10.0.1.11/24");
    ASSERT_TRUE(network);
    EXPECT_EQ(network->address(), Ipv4Address(10, 0, 1, 11));
    EXPECT_EQ(network->mask(), Ipv4Address(255, 255, 255, 0));
    EXPECT_TRUE(network->contains(Ipv4Address(10, 0, 1, 255)));
    EXPECT_FALSE(network->contains(Ipv4Address(10, 0, 2, 1)));
    EXPECT_EQ(network->text(), "10.0.1.11/24");
    EXPECT_TRUE(Ipv4Network::parse("0.0.0.0/0")->contains(Ipv4Address(1, 2, 3, 4)));
    EXPECT_EQ(Ipv4Network::parse("10.0.0.1")->prefix_length(), 32);
    for (const char* text : {"10.0.0.0/33", "10.0.0.0/", "10.0.0.0/a", "10.0.0/8", "/8", "10.0.0.0/-1"}) {
        EXPECT_EQ(Ipv4Network::parse(text), std::nullopt) << text;
    }
}

}  // namespace
}  // namespace pomona::base
