#include <pomona/model/bootp_pool.hpp>

#include <gtest/gtest.h>

namespace pomona::model {
namespace {

using base::Ipv4Address;
using base::MacAddress;
using std::chrono::hours;
using std::chrono::seconds;

const TimePoint noon(seconds(1'700'000'000));

MacAddress machine(std::uint8_t n) {
    return MacAddress({2, 0, 0, 0, 0, n});
}

Ipv4Address address(std::uint8_t n) {
    return {10, 0, 1, n};
}

class Pool : public testing::Test {
  protected:
    std::optional<Ipv4Address> ask(std::uint8_t n, TimePoint now = noon) {
        const auto found = pool_.address_for(machine(n), link_, now, [this](Ipv4Address each) {
            ++looked_at_;
            return each != unusable_;
        });
        if (found) pool_.give(machine(n), *found, now);
        return found;
    }
    BootpPool pool_{{{.low = address(1), .high = address(2)}, {.low = address(9), .high = address(9)}}};
    base::Ipv4Network link_{address(77), 24};
    Ipv4Address unusable_;
    int looked_at_ = 0;
};

TEST_F(Pool, EveryMachineHasItsOwn) {
    EXPECT_EQ(ask(1), address(1));
    EXPECT_EQ(ask(2), address(2));
    EXPECT_EQ(ask(3), address(9));
    EXPECT_EQ(ask(4), std::nullopt);
    EXPECT_EQ(ask(2), address(2));
    EXPECT_EQ(pool_.size(), 3U);
}

TEST_F(Pool, AfterItsTimeTheOneAskedForLongestAgoPassesOn) {
    ask(1, noon);
    ask(2, noon + seconds(1));
    ask(3, noon + seconds(2));
    ask(1, noon + seconds(3));
    EXPECT_EQ(ask(4, noon + hours(24)), std::nullopt);
    EXPECT_EQ(ask(4, noon + hours(24) + seconds(2)), address(2));
    EXPECT_EQ(ask(1, noon + hours(24) + seconds(2)), address(1));
    EXPECT_EQ(pool_.size(), 3U);
}

TEST_F(Pool, WhatAnotherHostUsesIsLeftAloneForAWhile) {
    ask(1);
    EXPECT_TRUE(pool_.avoid(address(1), noon));
    EXPECT_FALSE(pool_.avoid(address(77), noon));
    EXPECT_EQ(ask(1), address(2)) << "the next one";
    EXPECT_EQ(ask(2), address(9));
    EXPECT_EQ(ask(3, noon + BootpPool::taboo), address(1));
}

TEST_F(Pool, WhatIsNotUsableIsNotGiven) {
    unusable_ = address(1);
    EXPECT_EQ(ask(1), address(2));
}

TEST_F(Pool, OnlyOfTheLink) {
    link_ = base::Ipv4Network(address(8), 29);
    EXPECT_EQ(ask(1), address(9));
    EXPECT_EQ(ask(2), std::nullopt);
    link_ = base::Ipv4Network(address(1), 30);
    EXPECT_EQ(ask(2), address(1));
    EXPECT_EQ(ask(1), address(2)) << "its own is of no use here";
}

TEST_F(Pool, NeitherTheNetworkNorItsBroadcastAddress) {
    pool_ = BootpPool({{.low = address(0), .high = address(255)}});
    link_ = base::Ipv4Network(address(4), 30);
    EXPECT_EQ(ask(1), address(5));
    EXPECT_EQ(ask(2), address(6));
    EXPECT_EQ(ask(3), std::nullopt);
    link_ = base::Ipv4Network(address(8), 31);
    EXPECT_EQ(ask(3), address(8));
    EXPECT_EQ(ask(4), address(9));
}

TEST_F(Pool, StrangersCostNothingWhenItIsFull) {
    for (std::uint8_t n = 1; n <= 3; ++n) ask(n);
    looked_at_ = 0;
    EXPECT_EQ(ask(4), std::nullopt);
    EXPECT_EQ(looked_at_, 0);
    EXPECT_EQ(ask(2), address(2));
    EXPECT_EQ(looked_at_, 1);
}

TEST_F(Pool, RemembersOverARestart) {
    pool_.load({{.mac = machine(1), .address = address(9), .given = noon},
                {.mac = machine(2), .address = address(9), .given = noon - seconds(1)},
                {.mac = machine(3), .address = address(77), .given = noon}});
    EXPECT_EQ(pool_.size(), 1U);
    EXPECT_EQ(ask(1), address(9));
    EXPECT_EQ(ask(2), address(1));
}

TEST(AddressRange, IsTwoAddressesOrOne) {
    EXPECT_EQ(parse_address_range("10.0.1.1-10.0.1.9"),
              (AddressRange{.low = address(1), .high = address(9)}));
    EXPECT_EQ(parse_address_range("10.0.1.1"), (AddressRange{.low = address(1), .high = address(1)}));
    EXPECT_TRUE(parse_address_range("10.0.0.0-10.0.15.255"));
    for (const char* const wrong : {"", "10.0.1.9-10.0.1.1", "10.0.1.1-", "-", "a-b", "10.0.0.0-10.0.16.0",
                                    "224.0.0.1", "127.0.0.1-127.0.0.9", "255.255.255.255"}) {
        EXPECT_FALSE(parse_address_range(wrong)) << wrong;
    }
}

}  // namespace
}  // namespace pomona::model
