#include <pomona/codec/arp.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace pomona::codec {
namespace {

const base::MacAddress owner({0x02, 0, 0, 0, 0, 7});

std::vector<std::uint8_t> reply() {
    return {0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0,  0, 7, 0x08, 0x06,  // to, from, ARP
            0,    1, 8, 0, 6, 4, 0,    2,                           // Ethernet, IPv4, reply
            0x02, 0, 0, 0, 0, 7, 10,   0, 1, 32,                    // sender
            0x02, 0, 0, 0, 0, 1, 0,    0, 0, 0};                    // target
}

TEST(Arp, AReplyIsAClaim) {
    EXPECT_EQ(parse_arp(reply()), (ArpClaim{.address = base::Ipv4Address(10, 0, 1, 32), .owner = owner}));
    auto padded = reply();
    padded.resize(60);
    EXPECT_TRUE(parse_arp(padded));
}

TEST(Arp, ARequestFromAnAddressIsAClaimAndAProbeIsNone) {
    auto request = reply();
    request[21] = 1;
    EXPECT_TRUE(parse_arp(request));
    const auto probe = write_arp_probe(owner, base::Ipv4Address(10, 0, 1, 32));
    EXPECT_FALSE(parse_arp(probe));
}

TEST(Arp, EverythingElseIsNothing) {
    for (const std::size_t at : {12U, 14U, 16U, 18U, 19U, 21U}) {
        auto changed = reply();
        changed[at] ^= 0x70;
        EXPECT_FALSE(parse_arp(changed)) << at;
    }
    auto from_group = reply();
    from_group[22] |= 1;
    EXPECT_FALSE(parse_arp(from_group));
    for (std::size_t size = 0; size < arp_frame_size; ++size) {
        auto cut = reply();
        cut.resize(size);
        EXPECT_FALSE(parse_arp(cut)) << size;
    }
}

TEST(Arp, AProbeAsksEverybodyAndClaimsNothing) {
    const auto probe = write_arp_probe(owner, base::Ipv4Address(10, 0, 1, 32));
    const std::vector<std::uint8_t> expected{
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0, 0, 0, 7, 0x08, 0x06, 0, 1, 8, 0,  6, 4, 0,
        1,    0x02, 0,    0,    0,    0,    7,    0, 0, 0, 0, 0, 0,    0,    0, 0, 0, 10, 0, 1, 32};
    EXPECT_EQ(std::vector<std::uint8_t>(probe.begin(), probe.end()), expected);
}

}  // namespace
}  // namespace pomona::codec
