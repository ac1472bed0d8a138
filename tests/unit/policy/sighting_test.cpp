#include "support/fake_mac.hpp"

#include <pomona/policy/sighting.hpp>

#include <gtest/gtest.h>

#include <array>
#include <functional>

namespace pomona::policy {
namespace {

using base::Ipv4Address;
using codec::DhcpType;
using codec::Option;
using model::Sighting;
using tests::BsdpMessage;
using tests::FakeMac;

std::optional<Sighting> seen(const std::vector<std::uint8_t>& payload, std::uint16_t from = 68,
                             std::uint16_t to = 67) {
    return sighting_in({.link_source = {},
                        .link_destination = {},
                        .vlan = std::nullopt,
                        .source = {Ipv4Address(10, 0, 1, 32), from},
                        .destination = {Ipv4Address(10, 0, 1, 11), to},
                        .payload = payload});
}

/// A message with these options, in the order in which they are added.
struct Message {
    codec::BootpHeader header;
    std::function<void(codec::DhcpWriter&)> options;

    explicit Message(std::function<void(codec::DhcpWriter&)> write) : options(std::move(write)) {
        header.set_mac(FakeMac().mac);
    }
    [[nodiscard]] std::vector<std::uint8_t> payload() const {
        std::array<std::uint8_t, 600> room{};
        codec::DhcpWriter writer(room, header, {}, {});
        options(writer);
        const base::Bytes written = writer.finish();
        return {written.begin(), written.end()};
    }
};

void put_type(codec::DhcpWriter& writer, DhcpType type) {
    writer.option_u8(Option::message_type, static_cast<std::uint8_t>(type));
}

void put_server(codec::DhcpWriter& writer) {
    writer.option_address(Option::server_identifier, Ipv4Address(10, 0, 1, 2));
}

TEST(Sighting, AMacsInformSaysItsAddress) {
    const auto sighting = seen(FakeMac().list().payload());
    ASSERT_TRUE(sighting);
    EXPECT_EQ(sighting->kind, Sighting::Kind::holds);
    EXPECT_EQ(sighting->mac, FakeMac().mac);
    EXPECT_EQ(sighting->address, FakeMac().address);
    EXPECT_TRUE(sighting->apple);
    BsdpMessage foreign = FakeMac().list();
    foreign.vendor_class = "MSFT 5.0";
    EXPECT_FALSE(seen(foreign.payload()));
    BsdpMessage without = FakeMac().list();
    without.header.ciaddr = {};
    EXPECT_FALSE(seen(without.payload()));
}

TEST(Sighting, ARequestTakesWhatAServerOffered) {
    Message message([](codec::DhcpWriter& writer) {
        put_type(writer, DhcpType::request);
        put_server(writer);
        writer.option_address(Option::requested_address, Ipv4Address(10, 0, 1, 50));
    });
    message.header.giaddr = Ipv4Address(10, 0, 5, 1);
    const auto sighting = seen(message.payload());
    ASSERT_TRUE(sighting);
    EXPECT_EQ(sighting->kind, Sighting::Kind::asks);
    EXPECT_EQ(sighting->address, Ipv4Address(10, 0, 1, 50));
    EXPECT_EQ(sighting->relay, Ipv4Address(10, 0, 5, 1));
    EXPECT_FALSE(sighting->apple);
}

TEST(Sighting, ARequestForAnOldAddressIsAWishOnly) {
    EXPECT_FALSE(seen(FakeMac().request(Ipv4Address(10, 0, 1, 50)).payload()));
}

TEST(Sighting, ARenewalSpeaksFromTheAddress) {
    Message message([](codec::DhcpWriter& writer) { put_type(writer, DhcpType::request); });
    message.header.ciaddr = Ipv4Address(10, 0, 1, 32);
    EXPECT_EQ(seen(message.payload())->kind, Sighting::Kind::holds);
}

TEST(Sighting, ReleaseAndDeclineGiveUp) {
    Message release([](codec::DhcpWriter& writer) { put_type(writer, DhcpType::release); });
    release.header.ciaddr = Ipv4Address(10, 0, 1, 32);
    EXPECT_EQ(seen(release.payload())->kind, Sighting::Kind::gives_up);
    const Message decline([](codec::DhcpWriter& writer) {
        put_type(writer, DhcpType::decline);
        writer.option_address(Option::requested_address, Ipv4Address(10, 0, 1, 33));
    });
    EXPECT_EQ(seen(decline.payload())->kind, Sighting::Kind::gives_up);
    EXPECT_EQ(seen(decline.payload())->address, Ipv4Address(10, 0, 1, 33));
}

Message ack() {
    Message message([](codec::DhcpWriter& writer) {
        put_type(writer, DhcpType::ack);
        put_server(writer);
        writer.option(Option::lease_time, std::array<std::uint8_t, 4>{0, 0, 2, 88});
        writer.option_address(Option::subnet_mask, Ipv4Address(255, 255, 254, 0));
        writer.option(Option::router, std::array<std::uint8_t, 8>{10, 0, 1, 1, 10, 0, 1, 2});
        writer.option(Option::domain_name_server,
                      std::array<std::uint8_t, 16>{10, 0, 1, 3, 10, 0, 1, 4, 10, 0, 1, 5, 10, 0, 1, 6});
        writer.option_text(Option::host_name, "mac-7");
        writer.option_text(Option::domain_name, std::string_view("lab.example\0", 12));
    });
    message.header.op = codec::bootreply;
    message.header.yiaddr = Ipv4Address(10, 0, 1, 32);
    return message;
}

TEST(Sighting, AnAckTellsLeaseAndNetwork) {
    const auto sighting = seen(ack().payload(), 67, 68);
    ASSERT_TRUE(sighting);
    EXPECT_EQ(sighting->kind, Sighting::Kind::granted);
    EXPECT_EQ(sighting->address, Ipv4Address(10, 0, 1, 32));
    EXPECT_EQ(sighting->lease, std::chrono::seconds(600));
    const model::NetworkFacts expected{
        .mask = Ipv4Address(255, 255, 254, 0),
        .router = Ipv4Address(10, 0, 1, 1),
        .name_servers = {Ipv4Address(10, 0, 1, 3), Ipv4Address(10, 0, 1, 4), Ipv4Address(10, 0, 1, 5)},
        .host_name = "mac-7",
        .domain_name = "lab.example"};
    EXPECT_EQ(sighting->facts, expected);
}

TEST(Sighting, ANameThatIsNoneIsLeftOut) {
    Message message = ack();
    message.options = [](codec::DhcpWriter& writer) {
        put_type(writer, DhcpType::ack);
        writer.option(Option::lease_time, std::array<std::uint8_t, 4>{0, 0, 2, 88});
        writer.option_text(Option::host_name, "a\nset root=b");
    };
    EXPECT_EQ(seen(message.payload(), 67, 68)->facts->host_name, "");
}

TEST(Sighting, AnAckWithoutLeaseOrAddressGrantsNothing) {
    Message without_address = ack();
    without_address.header.yiaddr = {};
    EXPECT_FALSE(seen(without_address.payload(), 67, 68));
    Message without_lease = ack();
    without_lease.options = [](codec::DhcpWriter& writer) { put_type(writer, DhcpType::ack); };
    EXPECT_FALSE(seen(without_lease.payload(), 67, 68));
    // A client does not grant, whatever it says.
    EXPECT_FALSE(seen(ack().payload(), 68, 67));
}

TEST(Sighting, ANakTakesTheAddressAway) {
    Message nak([](codec::DhcpWriter& writer) { put_type(writer, DhcpType::nak); });
    nak.header.op = codec::bootreply;
    EXPECT_EQ(seen(nak.payload(), 67, 68)->kind, Sighting::Kind::denied);
}

TEST(Sighting, DiscoverOfferAndOtherHardwareSayNothing) {
    EXPECT_FALSE(seen(FakeMac().discover().payload()));
    Message offer = ack();
    offer.options = [](codec::DhcpWriter& writer) { put_type(writer, DhcpType::offer); };
    EXPECT_FALSE(seen(offer.payload(), 67, 68));
    BsdpMessage infiniband = FakeMac().list();
    infiniband.header.htype = 32;
    EXPECT_FALSE(seen(infiniband.payload()));
    EXPECT_FALSE(seen({1, 2, 3}));
}

}  // namespace
}  // namespace pomona::policy
