#include "app/dhcp_client.hpp"

#include "support/hex_fixture.hpp"
#include "support/wire.hpp"

#include <gtest/gtest.h>

namespace pomona::app {
namespace {

using base::Ipv4Address;
using codec::DhcpType;
using codec::Option;
using tests::bsdp_example;
using tests::join;
using tests::octets;
using tests::Payload;
using tests::tlv;

const Ipv4Address server{10, 0, 1, 1};
constexpr std::uint32_t xid = 0x1a2b3c02;

PlayedMac example_mac() {
    PlayedMac mac;
    mac.mac = *base::MacAddress::parse("40:6c:8f:37:95:27");
    return mac;
}

Payload answer(std::uint8_t type, const Payload& options, Ipv4Address yiaddr = Ipv4Address(10, 0, 1, 77)) {
    Payload payload =
        tests::dhcp_message(join({Payload{53, 1, type}, tlv(54, {10, 0, 1, 1}), options, Payload{255}}));
    payload[0] = 2;
    const Payload address = tests::be32(yiaddr.value());
    std::copy(address.begin(), address.end(), payload.begin() + 16);
    return payload;
}

std::optional<DhcpAnswer> read(const Payload& payload, std::uint16_t port = 68) {
    codec::Datagram datagram;
    datagram.source = {server, 67};
    datagram.destination = {Ipv4Address::broadcast(), port};
    datagram.payload = payload;
    return read_dhcp_answer(datagram, example_mac(), xid);
}

TEST(DhcpClient, DiscoverIsThatOfTheFirmware) {
    EXPECT_EQ(dhcp_discover(example_mac(), 0x1a2b3c01), bsdp_example("E1"));
}

TEST(DhcpClient, RequestNamesAddressAndServer) {
    DhcpAnswer offer;
    offer.server = server;
    offer.address = base::Ipv4Network(Ipv4Address(10, 0, 1, 77), 24);
    const Message request = dhcp_request(example_mac(), 5, offer);
    const auto view = codec::DhcpView::parse(request);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->type(), DhcpType::request);
    EXPECT_EQ(view->header().xid, 5U);
    EXPECT_TRUE(view->header().ciaddr.is_zero());
    EXPECT_EQ(view->option_address(Option::requested_address), Ipv4Address(10, 0, 1, 77));
    EXPECT_EQ(view->option_address(Option::server_identifier), server);
    EXPECT_EQ(base::as_text(view->option(Option::vendor_class).value()), "AAPLBSDPC/i386/iMac12,1");
}

TEST(DhcpClient, ReleaseGivesTheAddressBack) {
    PlayedMac mac = example_mac();
    mac.address = Ipv4Address(10, 0, 1, 77);
    const Message release = dhcp_release(mac, 6, server);
    const auto view = codec::DhcpView::parse(release);
    EXPECT_EQ(view->type(), DhcpType::release);
    EXPECT_EQ(view->header().ciaddr, mac.address);
    EXPECT_EQ(view->option_address(Option::server_identifier), server);
    EXPECT_FALSE(view->option(Option::vendor_class)) << "no boot server need look at it";
}

TEST(DhcpClient, ReadsAnOffer) {
    const auto offer = read(answer(
        2,
        join({tlv(1, {255, 255, 252, 0}), tlv(3, {10, 0, 1, 254, 10, 0, 1, 253}), tlv(51, {0, 0, 14, 16})})));
    ASSERT_TRUE(offer);
    EXPECT_EQ(offer->type, DhcpType::offer);
    EXPECT_EQ(offer->server, server);
    EXPECT_EQ(offer->address.text(), "10.0.1.77/22");
    EXPECT_EQ(offer->router, Ipv4Address(10, 0, 1, 254));
    EXPECT_EQ(offer->lease_seconds, 3600U);
    EXPECT_FALSE(offer->boot_offer);
    EXPECT_FALSE(offer->poses_as_bsdp);
}

TEST(DhcpClient, ReadsAckAndNak) {
    EXPECT_EQ(read(answer(5, {}))->type, DhcpType::ack);
    EXPECT_EQ(read(answer(5, {}))->address.prefix_length(), 32);
    EXPECT_EQ(read(answer(6, {}, {}))->type, DhcpType::nak);
}

TEST(DhcpClient, TellsBootOffersFromAddressOffers) {
    const Payload mac_class = tlv(60, octets("AAPLBSDPC"));
    EXPECT_TRUE(read(answer(2, mac_class, {}))->boot_offer);
    EXPECT_FALSE(read(answer(2, mac_class, {}))->poses_as_bsdp);
    EXPECT_TRUE(read(answer(2, mac_class))->poses_as_bsdp);
    EXPECT_FALSE(read(answer(2, mac_class))->boot_offer);
}

TEST(DhcpClient, PassesOverWhatIsNoAnswerToIt) {
    EXPECT_TRUE(read(answer(2, {})));
    EXPECT_FALSE(read(answer(2, {}), 67)) << "another port";
    EXPECT_FALSE(read(answer(8, {}))) << "INFORM";
    EXPECT_FALSE(read(answer(2, {}, {}))) << "no address";
    EXPECT_FALSE(read({1, 2, 3})) << "noise";
    Payload other = answer(2, {});
    other[7] ^= 1;
    EXPECT_FALSE(read(other)) << "another xid";
    other = answer(2, {});
    other[33] ^= 1;
    EXPECT_FALSE(read(other)) << "another MAC";
    other = answer(2, {});
    other[0] = 1;
    EXPECT_FALSE(read(other)) << "a request";
}

}  // namespace
}  // namespace pomona::app
