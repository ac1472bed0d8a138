#include "support/fake_mac.hpp"

#include <pomona/policy/request.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace pomona::policy {
namespace {

using tests::ask;
using tests::BsdpMessage;
using tests::FakeMac;
using tests::FakeServer;

/// A change of an otherwise good INFORM[LIST] and the reason for which it gets no answer; nullopt: it is
/// answered.
struct GateCase {
    const char* name;
    std::function<void(BsdpMessage&, FakeServer&)> change;
    std::optional<Silence> expected;
};

void PrintTo(const GateCase& c, std::ostream* out) {
    *out << c.name;
}

class Gate : public testing::TestWithParam<GateCase> {};

TEST_P(Gate, NamesTheReason) {
    FakeServer server;
    BsdpMessage message = FakeMac().list();
    GetParam().change(message, server);
    const auto outcome = ask(server, message);
    ASSERT_EQ(outcome.silence.has_value(), GetParam().expected.has_value())
        << (outcome.silence ? text_of(*outcome.silence).name : "answered");
    if (outcome.silence) {
        EXPECT_EQ(text_of(*outcome.silence).name, text_of(*GetParam().expected).name);
    }
}

const base::MacAddress the_mac = FakeMac().mac;
const base::MacAddress other_mac({2, 2, 2, 2, 2, 2});

INSTANTIATE_TEST_SUITE_P(
    Messages, Gate,
    testing::ValuesIn(std::vector<GateCase>{
        GateCase{"Good", [](BsdpMessage&, FakeServer&) {}, std::nullopt},
        GateCase{"ReplyOnOurPort", [](BsdpMessage& m, FakeServer&) { m.header.op = 2; },
                 Silence::not_a_request},
        GateCase{"HlenAbove16", [](BsdpMessage& m, FakeServer&) { m.header.hlen = 17; },
                 Silence::short_message},
        GateCase{"DeniedMac", [](BsdpMessage&, FakeServer& s) { s.access.deny_macs = {other_mac, the_mac}; },
                 Silence::denied_mac},
        GateCase{"NotAllowedMac", [](BsdpMessage&, FakeServer& s) { s.access.allow_macs = {other_mac}; },
                 Silence::mac_not_allowed},
        GateCase{"AllowedMac",
                 [](BsdpMessage&, FakeServer& s) { s.access.allow_macs = {other_mac, the_mac}; },
                 std::nullopt},
        GateCase{"OtherServerName", [](BsdpMessage& m, FakeServer&) { m.sname = "lab2"; },
                 Silence::foreign_server_name},
        GateCase{"OurServerName", [](BsdpMessage& m, FakeServer&) { m.sname = "lab1"; }, std::nullopt},
        GateCase{"OtherSiaddr", [](BsdpMessage& m, FakeServer&) { m.header.siaddr = {10, 0, 1, 12}; },
                 Silence::foreign_server_address},
        GateCase{"OurSiaddrOnAnotherInterface",
                 [](BsdpMessage& m, FakeServer&) { m.header.siaddr = {10, 9, 9, 9}; }, std::nullopt},
        GateCase{"NoMessageType", [](BsdpMessage& m, FakeServer&) { m.dhcp_type = 0; },
                 Silence::no_address_known},
        GateCase{"NoClass", [](BsdpMessage& m, FakeServer&) { m.vendor_class = ""; },
                 Silence::not_bsdp_class},
        GateCase{"PxeClass",
                 [](BsdpMessage& m, FakeServer&) { m.vendor_class = "PXEClient:Arch:00007:UNDI:003010"; },
                 Silence::not_bsdp_class},
        GateCase{"ClassWithoutModel", [](BsdpMessage& m, FakeServer&) { m.vendor_class = "AAPLBSDPC/i386"; },
                 Silence::not_bsdp_class},
        GateCase{"BareClass", [](BsdpMessage& m, FakeServer&) { m.vendor_class = "AAPLBSDPC"; },
                 Silence::no_image},
        GateCase{"EmptyModel", [](BsdpMessage& m, FakeServer&) { m.vendor_class = "AAPLBSDPC/i386/"; },
                 std::nullopt},
        GateCase{"PowerPcHasNoImageHere",
                 [](BsdpMessage& m, FakeServer&) { m.vendor_class = "AAPLBSDPC/ppc/PowerMac3,1"; },
                 Silence::no_image},
        GateCase{"NoVendorOptions", [](BsdpMessage& m, FakeServer&) { m.with_vendor_options = false; },
                 Silence::no_vendor_options},
        GateCase{"SubOptionPastTheEnd",
                 [](BsdpMessage& m, FakeServer&) { m.vendor_options = {1, 1, 1, 2, 9, 1}; },
                 Silence::malformed_vendor_options},
        GateCase{"MessageTypeOfLength2",
                 [](BsdpMessage& m, FakeServer&) { m.vendor_options = {1, 2, 1, 1, 2, 2, 1, 1}; },
                 Silence::malformed_vendor_options},
        GateCase{"VersionOfLength1",
                 [](BsdpMessage& m, FakeServer&) { m.vendor_options = {1, 1, 1, 2, 1, 1}; },
                 Silence::malformed_vendor_options},
        GateCase{"NoVersion", [](BsdpMessage& m, FakeServer&) { m.vendor_options = {1, 1, 1}; },
                 Silence::no_bsdp_version},
        GateCase{"Version0200", [](BsdpMessage& m, FakeServer&) { m.vendor_options = {1, 1, 1, 2, 2, 2, 0}; },
                 Silence::unknown_bsdp_version},
        GateCase{"Version0000", [](BsdpMessage& m, FakeServer&) { m.vendor_options = {1, 1, 1, 2, 2, 0, 0}; },
                 std::nullopt},
        GateCase{"NetBoot10Firmware", [](BsdpMessage& m, FakeServer&) { m.sub(10, {}); },
                 Silence::netboot_1_0},
        GateCase{"TokenRing", [](BsdpMessage& m, FakeServer&) { m.header.htype = 6; }, Silence::not_ethernet},
        GateCase{"LongHardwareAddress", [](BsdpMessage& m, FakeServer&) { m.header.hlen = 8; },
                 Silence::not_ethernet},
        GateCase{"Release", [](BsdpMessage& m, FakeServer&) { m.dhcp_type = 7; },
                 Silence::other_dhcp_message},
        GateCase{"Decline", [](BsdpMessage& m, FakeServer&) { m.dhcp_type = 4; },
                 Silence::other_dhcp_message},
        GateCase{"ReplyPort1023", [](BsdpMessage& m, FakeServer&) { m.sub(5, {3, 0xff}); }, std::nullopt},
        GateCase{"ReplyPort1024", [](BsdpMessage& m, FakeServer&) { m.sub(5, {4, 0}); }, Silence::reply_port},
        GateCase{"ReplyPort0", [](BsdpMessage& m, FakeServer&) { m.sub(5, {0, 0}); }, Silence::reply_port},
        GateCase{"ReplyPortOfLength1", [](BsdpMessage& m, FakeServer&) { m.sub(5, {4}); }, std::nullopt},
        GateCase{"NoCiaddr", [](BsdpMessage& m, FakeServer&) { m.header.ciaddr = {}; },
                 Silence::no_client_address},
        GateCase{"OutsideClientNetworks",
                 [](BsdpMessage&, FakeServer& s) {
                     s.access.client_networks = {*base::Ipv4Network::parse("10.0.2.0/24")};
                 },
                 Silence::outside_client_networks},
        GateCase{"InsideClientNetworks",
                 [](BsdpMessage&, FakeServer& s) {
                     s.access.client_networks = {*base::Ipv4Network::parse("10.0.2.0/24"),
                                                 *base::Ipv4Network::parse("10.0.1.0/24")};
                 },
                 std::nullopt},
        GateCase{"NoBsdpMessage", [](BsdpMessage& m, FakeServer&) { m.vendor_options = {2, 2, 1, 1}; },
                 Silence::no_bsdp_message},
        GateCase{"FailedFromAClient",
                 [](BsdpMessage& m, FakeServer&) { m.vendor_options = {1, 1, 3, 2, 2, 1, 1}; },
                 Silence::unknown_bsdp_message},
        GateCase{"SelectWithoutServer",
                 [](BsdpMessage& m, FakeServer&) { m.vendor_options = {1, 1, 2, 2, 2, 1, 1}; },
                 Silence::no_server_identifier},
        GateCase{"NoAddressOnTheInterface", [](BsdpMessage&, FakeServer& s) { s.identity.addresses.clear(); },
                 Silence::not_configured}}),
    [](const testing::TestParamInfo<GateCase>& tested) { return tested.param.name; });

TEST(Gate, TakesMessagesFrom236OctetsOn) {
    FakeServer server;
    std::vector<std::uint8_t> payload = FakeMac().list().payload();
    std::vector<std::uint8_t> short_one(payload.begin(), payload.begin() + 235);
    EXPECT_EQ(ask(server, short_one).silence, Silence::short_message);
    short_one.resize(236);
    EXPECT_EQ(ask(server, short_one).silence, Silence::no_address_known);
    payload[240] = 99;  // option 53 becomes an unknown option with a length of 255 that runs out
    payload[241] = 255;
    EXPECT_EQ(ask(server, payload).silence, Silence::malformed_options);
    // A tool sends 294 octets; only replies are padded to 300.
    payload = FakeMac().list().payload();
    while (payload.back() == 0) payload.pop_back();
    EXPECT_FALSE(ask(server, payload).silence);
}

TEST(Gate, CutsLongModelsForTheRecord) {
    FakeServer server;
    FakeMac mac;
    mac.model = std::string(64, 'm') + "more";
    ASSERT_TRUE(ask(server, mac.select({10, 0, 1, 11}, std::nullopt)).answer);
    EXPECT_EQ(server.records.at(0).key.model, std::string(64, 'm'));
    EXPECT_EQ(ask(server, mac.list()).answer->selected_image, base::BootImageId(0x81001001))
        << "and finds it again";
}

TEST(Gate, AnswersHostAddressesOnly) {
    for (const char* text :
         {"0.0.0.0", "0.0.0.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"}) {
        FakeServer server;
        BsdpMessage message = FakeMac().list();
        message.header.ciaddr = *base::Ipv4Address::parse(text);
        EXPECT_EQ(ask(server, message).silence, Silence::no_client_address) << text;
    }
    for (const char* text : {"1.0.0.1", "126.255.255.254", "128.0.0.1", "169.254.7.7", "223.255.255.254"}) {
        FakeServer server;
        BsdpMessage message = FakeMac().list();
        message.header.ciaddr = *base::Ipv4Address::parse(text);
        EXPECT_TRUE(ask(server, message).answer) << text;
    }
}

TEST(Gate, ARelayOutsideTheClientNetworksGetsNoOffer) {
    FakeServer server;
    server.rules.answer_discover = true;
    const FakeMac mac;
    ASSERT_TRUE(ask(server, mac.select({10, 0, 1, 11}, base::BootImageId(0x81001001))).answer);
    server.access.client_networks = {*base::Ipv4Network::parse("10.0.1.0/24"),
                                     *base::Ipv4Network::parse("10.0.2.0/24")};
    BsdpMessage message = mac.discover();
    EXPECT_TRUE(ask(server, message).answer) << "not relayed";
    message.header.giaddr = {10, 0, 2, 1};
    EXPECT_TRUE(ask(server, message).answer);
    message.header.giaddr = {10, 0, 3, 1};
    EXPECT_EQ(ask(server, message).silence, Silence::outside_client_networks);
}

TEST(Gate, NamesTheFirstReasonOfSeveral) {
    // A message that is wrong in every way; each step mends what was named and shows the next reason.
    FakeServer server;
    server.access.deny_macs = {the_mac};
    server.access.allow_macs = {other_mac};
    server.access.client_networks = {*base::Ipv4Network::parse("10.0.2.0/24")};
    server.catalogue = {};
    BsdpMessage message = FakeMac().list();
    message.header.op = 2;
    message.header.htype = 6;
    message.header.siaddr = {10, 0, 1, 12};
    message.header.ciaddr = {};
    message.sname = "lab2";
    message.dhcp_type = 0;
    message.vendor_class = "PXEClient";
    message.vendor_options = {7};
    message.with_vendor_options = false;
    struct Step {
        Silence reason;
        std::function<void()> mend;
    };
    const std::vector<Step> steps{
        {Silence::not_a_request, [&] { message.header.op = 1; }},
        {Silence::denied_mac, [&] { server.access.deny_macs.clear(); }},
        {Silence::mac_not_allowed, [&] { server.access.allow_macs.clear(); }},
        {Silence::foreign_server_name, [&] { message.sname = ""; }},
        {Silence::foreign_server_address, [&] { message.header.siaddr = {}; }},
        {Silence::not_ethernet, [&] { message.dhcp_type = 4; }},
        {Silence::not_bsdp_class, [&] { message.vendor_class = "AAPLBSDPC/i386/iMac12,1"; }},
        {Silence::no_vendor_options, [&] { message.with_vendor_options = true; }},
        {Silence::malformed_vendor_options, [&] { message.vendor_options = {10, 0, 5, 2, 4, 0}; }},
        {Silence::no_bsdp_version, [&] { message.sub(2, {1, 1}); }},
        {Silence::netboot_1_0, [&] { message.vendor_options = {5, 2, 4, 0, 2, 2, 1, 1}; }},
        {Silence::not_ethernet, [&] { message.header.htype = 1; }},
        {Silence::other_dhcp_message, [&] { message.dhcp_type = 8; }},
        {Silence::reply_port, [&] { message.vendor_options = {2, 2, 1, 1}; }},
        {Silence::no_client_address, [&] { message.header.ciaddr = {10, 0, 1, 32}; }},
        {Silence::outside_client_networks, [&] { server.access.client_networks.clear(); }},
        {Silence::no_bsdp_message, [&] { message.sub(1, {1}); }},
        {Silence::no_image, [] {}},
    };
    for (const Step& step : steps) {
        const auto outcome = ask(server, message);
        ASSERT_TRUE(outcome.silence);
        EXPECT_EQ(text_of(*outcome.silence).name, text_of(step.reason).name);
        step.mend();
    }
}

TEST(Gate, AnOverloadedSnameIsNoServerName) {
    FakeServer server;
    BsdpMessage message = FakeMac().list();
    // Sub-option 5 in an option 43 of its own, inside sname: read as an option, not as a name.
    message.sname = std::string("\x2b\x04\x05\x02\x03\xe1\xff", 7);
    EXPECT_EQ(ask(server, message).silence, Silence::foreign_server_name);
    message.overload = 2;
    const auto outcome = ask(server, message);
    ASSERT_TRUE(outcome.answer);
    EXPECT_EQ(outcome.answer->destination.to.port, 993);
    EXPECT_EQ(outcome.answer->sname, "");
    message.overload = 1;
    EXPECT_EQ(ask(server, message).silence, Silence::foreign_server_name) << "only file is overloaded";
    message.sname = std::string("\x3c\xff", 2);
    message.overload = 2;
    EXPECT_EQ(ask(server, message).silence, Silence::malformed_options);
}

TEST(Gate, ListensToItsOwnAndBroadcastAddressesOnly) {
    FakeServer server;
    const auto list = FakeMac().list();
    EXPECT_FALSE(ask(server, list, {10, 0, 1, 11}).silence);
    EXPECT_FALSE(ask(server, list, {10, 9, 9, 9}).silence);
    EXPECT_FALSE(ask(server, list, {10, 0, 1, 255}).silence);
    EXPECT_EQ(ask(server, list, {10, 0, 2, 255}).silence, Silence::not_addressed_here);
    EXPECT_EQ(ask(server, list, {10, 0, 1, 12}).silence, Silence::not_addressed_here)
        << "a router that forwards a relay's packets to the DHCP server";
}

TEST(ServerIdentity, TheLoopbackAddressIsNobodysOnAWire) {
    FakeServer server;
    const base::Ipv4Address loopback(127, 0, 0, 1);
    server.identity.own_addresses.push_back(loopback);
    EXPECT_EQ(ask(server, FakeMac().select(loopback, std::nullopt)).silence, Silence::other_server);
    EXPECT_EQ(ask(server, FakeMac().list(), loopback).silence, Silence::not_addressed_here);
    BsdpMessage message = FakeMac().list();
    message.header.siaddr = loopback;
    EXPECT_EQ(ask(server, message).silence, Silence::foreign_server_address);
    server.identity.addresses.insert(server.identity.addresses.begin(), base::Ipv4Network(loopback, 8));
    EXPECT_TRUE(ask(server, FakeMac().select(loopback, std::nullopt)).answer) << "the loopback is served";
}

TEST(ServerIdentity, AnswersFromTheAddressInTheClientsNetwork) {
    const ServerIdentity identity{
        .interface = "eth0",
        .host_name = "lab1",
        .addresses = {*base::Ipv4Network::parse("10.0.1.11/24"), *base::Ipv4Network::parse("192.168.7.1/24")},
        .own_addresses = {{10, 0, 1, 11}, {172, 16, 0, 1}, {192, 168, 7, 1}},
        .former_addresses = {}};
    const auto broadcast = base::Ipv4Address::broadcast();
    EXPECT_EQ(identity.identifier_for(broadcast, {10, 0, 1, 32}), base::Ipv4Address(10, 0, 1, 11));
    EXPECT_EQ(identity.identifier_for(broadcast, {192, 168, 7, 9}), base::Ipv4Address(192, 168, 7, 1));
    EXPECT_EQ(identity.identifier_for(broadcast, {10, 99, 0, 1}), base::Ipv4Address(10, 0, 1, 11));
    EXPECT_EQ(identity.identifier_for({172, 16, 0, 1}, {10, 0, 1, 32}), base::Ipv4Address(172, 16, 0, 1));
    EXPECT_EQ(ServerIdentity{}.identifier_for(broadcast, {10, 0, 1, 32}), std::nullopt);
}

}  // namespace
}  // namespace pomona::policy
