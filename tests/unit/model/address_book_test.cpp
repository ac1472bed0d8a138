#include <pomona/model/address_book.hpp>

#include <gtest/gtest.h>

namespace pomona::model {
namespace {

using base::Ipv4Address;
using base::MacAddress;
using std::chrono::seconds;

const MacAddress mac({0x40, 0x6c, 0x8f, 0x37, 0x95, 0x27});
const MacAddress other({0x40, 0x6c, 0x8f, 0x37, 0x95, 0x28});
const Ipv4Address address(10, 0, 1, 32);
const TimePoint noon(seconds(1'700'000'000));

Sighting sighting(Sighting::Kind kind, MacAddress who, Ipv4Address where, bool apple = true) {
    Sighting made;
    made.kind = kind;
    made.mac = who;
    made.address = where;
    made.apple = apple;
    return made;
}

class Book : public testing::Test {
  protected:
    void note(const Sighting& seen, TimePoint when = noon, const std::string& interface = "eth0") {
        book_.note(seen, interface, when);
    }
    AddressBook book_{3};
};

TEST_F(Book, LearnsWhatAMacHolds) {
    note(sighting(Sighting::Kind::holds, mac, address));
    const HeldAddress* held = book_.find(mac);
    ASSERT_NE(held, nullptr);
    EXPECT_EQ(held->address, address);
    EXPECT_EQ(held->place, (Place{.interface = "eth0", .relay = {}}));
    EXPECT_EQ(held->last_seen, noon);
    EXPECT_FALSE(held->lease_end);
}

TEST_F(Book, MakesNoEntryForOthers) {
    note(sighting(Sighting::Kind::holds, mac, address, false));
    note(sighting(Sighting::Kind::granted, other, address, false));
    EXPECT_EQ(book_.size(), 0U);
}

TEST_F(Book, FollowsAMacThatChangedItsClass) {
    note(sighting(Sighting::Kind::holds, mac, address));
    // macOS renews without the class of its firmware.
    note(sighting(Sighting::Kind::holds, mac, address, false), noon + seconds(100));
    EXPECT_EQ(book_.find(mac)->last_seen, noon + seconds(100));
}

TEST_F(Book, AnAckTellsLeaseAndNetwork) {
    note(sighting(Sighting::Kind::asks, mac, address));
    Sighting ack = sighting(Sighting::Kind::granted, mac, address, false);
    ack.lease = seconds(600);
    ack.facts = NetworkFacts{};
    ack.facts->domain_name = "lab";
    note(ack, noon + seconds(1));
    const HeldAddress* held = book_.find(mac);
    EXPECT_EQ(held->lease_end, noon + seconds(601));
    EXPECT_EQ(held->facts->domain_name, "lab");
    EXPECT_TRUE(held->is_fresh(noon + seconds(600), seconds(1'800)));
    EXPECT_FALSE(held->is_fresh(noon + seconds(601), seconds(1'800)));
    // What a later INFORM says leaves both alone, another address does not.
    note(sighting(Sighting::Kind::holds, mac, address), noon + seconds(2));
    EXPECT_EQ(book_.find(mac)->lease_end, noon + seconds(601));
    note(sighting(Sighting::Kind::holds, mac, Ipv4Address(10, 0, 1, 33)), noon + seconds(3));
    EXPECT_FALSE(book_.find(mac)->lease_end);
    EXPECT_FALSE(book_.find(mac)->facts);
}

TEST_F(Book, IsFreshForTheLifetimeOnly) {
    note(sighting(Sighting::Kind::holds, mac, address));
    EXPECT_TRUE(book_.find(mac)->is_fresh(noon + seconds(60), seconds(60)));
    EXPECT_FALSE(book_.find(mac)->is_fresh(noon + seconds(61), seconds(60)));
}

TEST_F(Book, AnAddressThatPassesToAnotherHostIsDropped) {
    for (const auto kind : {Sighting::Kind::asks, Sighting::Kind::granted, Sighting::Kind::holds}) {
        note(sighting(Sighting::Kind::holds, mac, address));
        ASSERT_NE(book_.find(mac), nullptr);
        note(sighting(kind, other, address, false));
        EXPECT_EQ(book_.find(mac), nullptr);
    }
}

TEST_F(Book, TheSameAddressOnAnotherNetworkIsAnother) {
    note(sighting(Sighting::Kind::holds, mac, address));
    note(sighting(Sighting::Kind::asks, other, address, false), noon, "eth1");
    EXPECT_NE(book_.find(mac), nullptr);
}

TEST_F(Book, ReleaseDeclineAndNakEndIt) {
    note(sighting(Sighting::Kind::holds, mac, address));
    note(sighting(Sighting::Kind::gives_up, mac, Ipv4Address(10, 0, 1, 99)));
    EXPECT_NE(book_.find(mac), nullptr);
    note(sighting(Sighting::Kind::gives_up, mac, address));
    EXPECT_EQ(book_.find(mac), nullptr);
    note(sighting(Sighting::Kind::holds, mac, address));
    note(sighting(Sighting::Kind::denied, mac, {}, false));
    EXPECT_EQ(book_.find(mac), nullptr);
}

TEST_F(Book, AContestLastsUntilTheMacShowsItsAddressAgain) {
    note(sighting(Sighting::Kind::holds, mac, address));
    book_.contest(mac, Ipv4Address(10, 0, 1, 99), other);
    EXPECT_FALSE(book_.find(mac)->contested_by);
    book_.contest(mac, address, other);
    EXPECT_EQ(book_.find(mac)->contested_by, other);
    note(sighting(Sighting::Kind::holds, mac, address), noon + seconds(1));
    EXPECT_FALSE(book_.find(mac)->contested_by);
}

TEST_F(Book, TheOneSeenLongestAgoMakesRoom) {
    const auto numbered = [](std::uint8_t n) { return MacAddress({2, 0, 0, 0, 0, n}); };
    for (std::uint8_t n = 1; n <= 3; ++n) {
        note(sighting(Sighting::Kind::holds, numbered(n), Ipv4Address(10, 0, 1, n)), noon + seconds(n));
    }
    note(sighting(Sighting::Kind::holds, numbered(1), Ipv4Address(10, 0, 1, 1)), noon + seconds(10));
    note(sighting(Sighting::Kind::holds, numbered(4), Ipv4Address(10, 0, 1, 4)), noon + seconds(11));
    EXPECT_EQ(book_.size(), 3U);
    EXPECT_EQ(book_.find(numbered(2)), nullptr);
    EXPECT_NE(book_.find(numbered(1)), nullptr);
}

TEST_F(Book, WhatWasRememberedOverARestartHasNoPlaceAndGoesInDoubt) {
    book_.remember(mac, address, noon);
    EXPECT_EQ(book_.find(mac)->place.interface, "");
    book_.remember(mac, Ipv4Address(10, 0, 1, 40), noon - seconds(1));
    EXPECT_EQ(book_.find(mac)->address, address);
    note(sighting(Sighting::Kind::asks, other, address, false));
    EXPECT_EQ(book_.find(mac), nullptr);
}

}  // namespace
}  // namespace pomona::model
