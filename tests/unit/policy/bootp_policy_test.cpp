// The loader's turn: BOOTP for the address that its Mac holds, GRUB's bare DISCOVER, and iPXE's own DHCP.
#include "support/fake_mac.hpp"
#include "support/hex_fixture.hpp"

#include <pomona/codec/dhcp.hpp>

#include <gtest/gtest.h>

#include <array>

namespace pomona::policy {
namespace {

using base::Ipv4Address;
using base::MacAddress;
using codec::Option;
using std::chrono::seconds;
using tests::ask;
using tests::bsdp_example;
using tests::FakeMac;
using tests::FakeServer;
using tests::Outcome;
using Payload = std::vector<std::uint8_t>;

const Ipv4Address server_address(10, 0, 1, 11);
const base::BootImageId grub(0x81001001);

/// What GRUB up to 2.02 sends: 300 octets, no cookie, and in xid and secs the time of day.
Payload bootrequest(MacAddress mac = FakeMac().mac) {
    Payload payload(300);
    base::ByteWriter writer(payload);
    writer.u8(1);
    writer.u8(1);
    writer.u8(6);
    writer.u8(0);
    writer.u32(0x5f3759df);
    writer.u16(59'516);
    writer.zeros(18);
    writer.bytes(mac.octets());
    return payload;
}

/// What GRUB from 2.04 on sends.
Payload bare_discover(MacAddress mac = FakeMac().mac) {
    Payload payload = bootrequest(mac);
    const std::array<std::uint8_t, 8> options{0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255};
    std::ranges::copy(options, payload.begin() + 236);
    return payload;
}

Payload with(Payload payload, std::size_t at, const std::vector<std::uint8_t>& octets) {
    std::ranges::copy(octets, payload.begin() + static_cast<std::ptrdiff_t>(at));
    return payload;
}

constexpr std::size_t flags_at = 10;
constexpr std::size_t ciaddr_at = 12;
constexpr std::size_t giaddr_at = 24;

std::optional<codec::DhcpView> read(const Outcome&& outcome) = delete;  // a view into what would be gone
std::optional<codec::DhcpView> read(const Outcome& outcome) {
    const auto view = codec::DhcpView::parse(outcome.payload);
    return view ? std::optional(*view) : std::nullopt;
}

std::vector<int> codes(const codec::DhcpView& view) {
    std::vector<int> found;
    view.for_each_option([&](Option code, base::Bytes) { found.push_back(static_cast<int>(code)); });
    return found;
}

class Loader : public testing::Test {
  protected:
    /// The Mac lists and chooses GRUB.
    void boot() {
        (void)ask(server_, FakeMac().list());
        ASSERT_TRUE(ask(server_, FakeMac().select(server_address, grub)).answer);
    }
    /// The same, and its DHCP server was overheard before.
    void boot_overheard() {
        (void)ask(server_, FakeMac().list());
        std::array<std::uint8_t, 600> room{};
        codec::BootpHeader header;
        header.op = 2;
        header.yiaddr = FakeMac().address;
        header.set_mac(FakeMac().mac);
        codec::DhcpWriter writer(room, header, {}, {});
        writer.option_u8(Option::message_type, 5);
        writer.option(Option::lease_time, std::array<std::uint8_t, 4>{0, 0, 2, 88});
        writer.option_address(Option::subnet_mask, Ipv4Address(255, 255, 254, 0));
        writer.option_address(Option::router, Ipv4Address(10, 0, 1, 1));
        writer.option_address(Option::domain_name_server, Ipv4Address(10, 0, 1, 3));
        writer.option_text(Option::domain_name, "lab.example");
        const base::Bytes written = writer.finish();
        tests::overhear(server_, {written.begin(), written.end()});
        ASSERT_TRUE(ask(server_, FakeMac().select(server_address, grub)).answer);
    }
    FakeServer server_;
};

TEST_F(Loader, GetsTheAddressThatItsMacHolds) {
    boot();
    const Outcome outcome = ask(server_, bootrequest());
    ASSERT_TRUE(outcome.answer);
    EXPECT_EQ(outcome.answer->kind, AnswerKind::bootp);
    EXPECT_TRUE(outcome.answer->probe_address);
    EXPECT_EQ(outcome.answer->address_source, "learned");
    EXPECT_EQ(outcome.answer->destination.link, FakeMac().mac);
    EXPECT_EQ(outcome.answer->destination.to, (base::Endpoint{FakeMac().address, 68}));
    const auto reply = read(outcome);
    ASSERT_TRUE(reply);
    EXPECT_EQ(outcome.payload.size(), 300U);
    EXPECT_EQ(reply->header().op, 2);
    EXPECT_EQ(reply->header().xid, 0x5f3759dfU);
    EXPECT_EQ(reply->header().secs, 0);
    EXPECT_EQ(reply->header().yiaddr, FakeMac().address);
    EXPECT_EQ(reply->header().siaddr, server_address);
    EXPECT_EQ(reply->header().mac(), FakeMac().mac);
    EXPECT_EQ(base::as_text(reply->file().first(35)), "nbi/NetBootSP0/grub.nbi/i386/booter");
    EXPECT_EQ(codes(*reply), std::vector<int>{1});
    EXPECT_EQ(reply->option_address(Option::subnet_mask), Ipv4Address(255, 255, 255, 0));
}

TEST_F(Loader, LearnsFromListAloneToo) {
    (void)ask(server_, FakeMac().list());
    const Outcome outcome = ask(server_, bootrequest());
    ASSERT_TRUE(outcome.answer);
    EXPECT_EQ(outcome.answer->file, "") << "it chose nothing here";
}

TEST_F(Loader, IsToldWhatTheDhcpServerSaidNameServersLast) {
    boot_overheard();
    const Outcome outcome = ask(server_, bootrequest());
    const auto reply = read(outcome);
    ASSERT_TRUE(reply);
    EXPECT_EQ(codes(*reply), (std::vector<int>{1, 3, 15, 6}));
    EXPECT_EQ(reply->option_address(Option::subnet_mask), Ipv4Address(255, 255, 254, 0));
    EXPECT_EQ(reply->option_address(Option::router), Ipv4Address(10, 0, 1, 1));
}

TEST_F(Loader, IsToldWhatTheSettingsSayOfItsNetwork) {
    server_.bootp.networks = {{.network = {Ipv4Address(10, 9, 0, 0), 16},
                               .router = Ipv4Address(10, 9, 0, 1),
                               .name_servers = {},
                               .domain_name = {}},
                              {.network = {Ipv4Address(10, 0, 0, 0), 22},
                               .router = Ipv4Address(10, 0, 0, 1),
                               .name_servers = {Ipv4Address(10, 0, 0, 2)},
                               .domain_name = "lab"}};
    boot();
    const Outcome outcome = ask(server_, bootrequest());
    const auto reply = read(outcome);
    EXPECT_EQ(codes(*reply), (std::vector<int>{1, 3, 15, 6}));
    EXPECT_EQ(reply->option_address(Option::subnet_mask), Ipv4Address(255, 255, 252, 0));
    EXPECT_EQ(reply->option_address(Option::router), Ipv4Address(10, 0, 0, 1));
}

TEST_F(Loader, LongNamesStayOutOfTheClassicVendorArea) {
    server_.bootp.networks = {{.network = {Ipv4Address(10, 0, 1, 0), 24},
                               .router = Ipv4Address(10, 0, 1, 1),
                               .name_servers = {Ipv4Address(10, 0, 0, 2), Ipv4Address(10, 0, 0, 3)},
                               .domain_name = std::string(60, 'd')}};
    boot();
    const Outcome outcome = ask(server_, bootrequest());
    EXPECT_EQ(outcome.payload.size(), 300U);
    EXPECT_EQ(codes(*read(outcome)), (std::vector<int>{1, 3, 6}));
}

TEST_F(Loader, ShortRequestsAndThoseWithACookieAreAsGood) {
    boot();
    Payload short_one = bootrequest();
    short_one.resize(236);
    EXPECT_EQ(ask(server_, short_one).payload.size(), 300U);
    EXPECT_TRUE(ask(server_, with(bootrequest(), 236, {0x63, 0x82, 0x53, 0x63, 255})).answer);
}

TEST_F(Loader, TheBroadcastFlagIsHonoured) {
    boot();
    const Outcome outcome = ask(server_, with(bootrequest(), flags_at, {0x80, 0}));
    ASSERT_TRUE(outcome.answer);
    EXPECT_EQ(outcome.answer->destination.link, MacAddress::broadcast());
    EXPECT_EQ(outcome.answer->destination.to, (base::Endpoint{Ipv4Address::broadcast(), 68}));
    EXPECT_EQ(read(outcome)->header().flags, 0x8000);
}

TEST_F(Loader, ThroughARelayTheAnswerGoesBackWithItsOption) {
    tests::BsdpMessage list = FakeMac().list();
    list.header.giaddr = Ipv4Address(10, 0, 5, 1);
    list.header.ciaddr = Ipv4Address(10, 0, 5, 32);
    (void)ask(server_, list, server_address);
    const Payload request = with(with(bootrequest(), giaddr_at, {10, 0, 5, 1}), 236,
                                 {0x63, 0x82, 0x53, 0x63, 82, 4, 1, 2, 7, 7, 255});
    const Outcome outcome = ask(server_, request, server_address);
    ASSERT_TRUE(outcome.answer);
    EXPECT_FALSE(outcome.answer->destination.link);
    EXPECT_FALSE(outcome.answer->probe_address);
    EXPECT_EQ(outcome.answer->destination.to, (base::Endpoint{Ipv4Address(10, 0, 5, 1), 67}));
    const auto reply = read(outcome);
    EXPECT_EQ(codes(*reply), (std::vector<int>{1, 3, 82}));
    EXPECT_EQ(reply->option_address(Option::router), Ipv4Address(10, 0, 5, 1));
    EXPECT_EQ(reply->option_address(Option::subnet_mask), Ipv4Address(255, 255, 255, 0));
    EXPECT_EQ(base::as_text(*reply->option(Option::relay_agent_information)), "\x01\x02\x07\x07");
}

TEST_F(Loader, ThatKnowsItsAddressGetsTheRestOnly) {
    boot();
    const Outcome outcome = ask(server_, with(bootrequest(), ciaddr_at, {10, 0, 1, 32}));
    ASSERT_TRUE(outcome.answer);
    EXPECT_TRUE(read(outcome)->header().yiaddr.is_zero());
    EXPECT_EQ(outcome.answer->destination.link, MacAddress({2, 0, 0, 0, 0, 1}));
    EXPECT_EQ(ask(server_, with(bootrequest(), ciaddr_at, {10, 0, 1, 99})).silence,
              Silence::other_client_address);
}

TEST_F(Loader, OfAStrangerGetsSilence) {
    boot();
    EXPECT_EQ(ask(server_, bootrequest(MacAddress({2, 2, 2, 2, 2, 2}))).silence, Silence::no_address_known);
    EXPECT_EQ(ask(server_, bare_discover(MacAddress({2, 2, 2, 2, 2, 2}))).silence, Silence::bare_discover);
}

TEST_F(Loader, IsNotBelievedForever) {
    boot();
    server_.now += server_.bootp.lifetime;
    EXPECT_TRUE(ask(server_, bootrequest()).answer);
    server_.now += seconds(1);
    EXPECT_EQ(ask(server_, bootrequest()).silence, Silence::address_expired);
    EXPECT_EQ(ask(server_, bare_discover()).silence, Silence::bare_discover);
    (void)ask(server_, FakeMac().list());
    EXPECT_TRUE(ask(server_, bootrequest()).answer);
}

TEST_F(Loader, DoesNotOutliveItsLease) {
    boot_overheard();
    server_.now += seconds(600);
    EXPECT_EQ(ask(server_, bootrequest()).silence, Silence::address_expired);
}

TEST_F(Loader, LosesTheAddressThatPassedToAnother) {
    boot();
    FakeMac other;
    other.mac = MacAddress({2, 0, 0, 0, 0, 2});
    (void)ask(server_, other.list());
    EXPECT_EQ(ask(server_, bootrequest()).silence, Silence::no_address_known);
    EXPECT_TRUE(ask(server_, bootrequest(other.mac)).answer);
}

TEST_F(Loader, ThatAnotherHostContestsGetsSilence) {
    boot();
    server_.book.contest(FakeMac().mac, FakeMac().address, MacAddress({2, 0, 0, 0, 0, 2}));
    EXPECT_EQ(ask(server_, bootrequest()).silence, Silence::address_contested);
}

TEST_F(Loader, NeverGetsAnAddressOfOurs) {
    FakeMac impostor;
    impostor.address = server_address;
    (void)ask(server_, impostor.list());
    EXPECT_EQ(ask(server_, bootrequest()).silence, Silence::address_contested);
}

TEST_F(Loader, OnAnotherNetworkThanItsMacGetsSilence) {
    boot();
    EXPECT_EQ(ask(server_, with(bootrequest(), giaddr_at, {10, 0, 5, 1}), server_address).silence,
              Silence::address_elsewhere);
    server_.identity.interface = "eth1";
    EXPECT_EQ(ask(server_, bootrequest()).silence, Silence::address_elsewhere);
}

TEST_F(Loader, AfterARestartTheAddressMustSuitTheLink) {
    server_.book.remember(FakeMac().mac, FakeMac().address, server_.now);
    EXPECT_TRUE(ask(server_, bootrequest()).answer);
    server_.identity.addresses = {base::Ipv4Network({10, 9, 9, 9}, 24)};
    EXPECT_EQ(ask(server_, bootrequest()).silence, Silence::address_elsewhere);
}

TEST_F(Loader, OfAHostGetsItsFixedAddressAndFile) {
    boot();
    server_.bootp.hosts = {
        {.mac = FakeMac().mac, .address = {10, 0, 1, 77}, .file = "grub.efi", .name = "mac7"}};
    const Outcome outcome = ask(server_, bootrequest());
    ASSERT_TRUE(outcome.answer);
    EXPECT_FALSE(outcome.answer->probe_address) << "the administrator answers for it";
    EXPECT_EQ(outcome.answer->address_source, "host");
    const auto reply = read(outcome);
    EXPECT_EQ(reply->header().yiaddr, Ipv4Address(10, 0, 1, 77));
    EXPECT_EQ(outcome.answer->file, "grub.efi");
    EXPECT_EQ(reply->option_text(Option::host_name), "mac7");
    server_.bootp.hosts[0].address = Ipv4Address(10, 9, 9, 77);
    server_.identity.addresses = {base::Ipv4Network(server_address, 24)};
    EXPECT_EQ(ask(server_, bootrequest()).silence, Silence::address_elsewhere);
}

TEST_F(Loader, IsSilencedBySwitches) {
    boot();
    server_.bootp.answer_discover = false;
    EXPECT_TRUE(ask(server_, bootrequest()).answer);
    EXPECT_EQ(ask(server_, bare_discover()).silence, Silence::bootp_discover_off);
    server_.bootp.on = false;
    EXPECT_EQ(ask(server_, bootrequest()).silence, Silence::bootp_off);
}

TEST_F(Loader, RelayedOrNotItIsHeldToTheClientNetworks) {
    boot();
    server_.access.client_networks = {base::Ipv4Network({10, 0, 1, 0}, 24)};
    EXPECT_TRUE(ask(server_, bootrequest()).answer);
    EXPECT_EQ(ask(server_, with(bootrequest(), giaddr_at, {10, 0, 5, 1}), server_address).silence,
              Silence::outside_client_networks);
}

TEST_F(Loader, OfNetBoot1AndOtherHardwareGetsSilence) {
    boot();
    EXPECT_EQ(ask(server_, with(bootrequest(), 236,
                                {0x63, 0x82, 0x53, 0x63, 221, 11, 'A', 'p', 'p', 'l', 'e', ' ', 'M', 'a', 'c',
                                 'N', 'C', 255}))
                  .silence,
              Silence::netboot_1_0);
    EXPECT_EQ(ask(server_, with(bootrequest(), 1, {32})).silence, Silence::not_ethernet);
}

TEST_F(Loader, GrubsDiscoverIsAnsweredByBootpOnceItsMacWasServed) {
    boot();
    const Outcome outcome = ask(server_, bare_discover());
    ASSERT_TRUE(outcome.answer);
    EXPECT_EQ(outcome.answer->kind, AnswerKind::bootp);
    for (const int code : codes(*read(outcome)))
        EXPECT_TRUE(code != 50 && code != 51 && code != 53 && code != 54);
    // With anything else it is somebody else's DISCOVER.
    Payload with_list = bare_discover();
    std::ranges::copy(std::vector<std::uint8_t>{55, 1, 3, 255}, with_list.begin() + 243);
    EXPECT_EQ(ask(server_, with_list).silence, Silence::not_bsdp_class);
}

TEST_F(Loader, ListAloneDoesNotMakeGrubsDiscoverOurs) {
    (void)ask(server_, FakeMac().list());
    EXPECT_EQ(ask(server_, bare_discover()).silence, Silence::bare_discover);
}

TEST_F(Loader, FilesElsewhereAreNamedThere) {
    auto image = tests::boot_file_image(4097, "GRUB", "grub.nbi");
    image.load_balance_server = Ipv4Address(10, 0, 1, 5);
    server_.publish({image});
    boot();
    const Outcome outcome = ask(server_, bootrequest());
    const auto reply = read(outcome);
    EXPECT_EQ(reply->header().siaddr, Ipv4Address(10, 0, 1, 5));
    EXPECT_EQ(reply->sname()[0], 0) << "our name would be that of another machine";
}

// The worked example of the BSDP notes: the same Mac, then its loader.
TEST_F(Loader, E16IsAnsweredAsE17) {
    auto image = tests::boot_file_image(4097, "GRUB 2 (lab)", "grub.nbi");
    image.external_tftp_folder = "NetBoot/NetBootSP0/grub.nbi";
    server_.publish({image});
    server_.bootp.networks = {{.network = {Ipv4Address(10, 0, 1, 0), 24},
                               .router = Ipv4Address(10, 0, 1, 1),
                               .name_servers = {},
                               .domain_name = {}}};
    ASSERT_TRUE(ask(server_, bsdp_example("E5")).answer);
    EXPECT_EQ(ask(server_, bsdp_example("E16")).payload, bsdp_example("E17"));
}

/// iPXE's DISCOVER; `user_class` as its octets are.
Payload ipxe_discover(std::string_view user_class) {
    std::array<std::uint8_t, 600> room{};
    codec::BootpHeader header;
    header.set_mac(FakeMac().mac);
    header.xid = 42;
    codec::DhcpWriter writer(room, header, {}, {});
    writer.option_u8(Option::message_type, 1);
    writer.option_text(Option::vendor_class, "PXEClient:Arch:00007:UNDI:003010");
    writer.option_text(Option::user_class, user_class);
    writer.option(Option::client_uuid, std::array<std::uint8_t, 17>{0, 1, 2, 3});
    const base::Bytes written = writer.finish();
    return {written.begin(), written.end()};
}

class Ipxe : public Loader {
  protected:
    void SetUp() override {
        auto image = tests::boot_file_image(4097, "iPXE", "ipxe.nbi");
        image.loader_script = "ipxe/boot.ipxe";
        server_.publish({image});
    }
};

TEST_F(Ipxe, LearnsWhereItCameFromAndGetsNoAddress) {
    boot();
    for (const std::string_view user_class : {"iPXE", "gPXE", "\x04iPXE"}) {
        const Outcome outcome = ask(server_, ipxe_discover(user_class));
        ASSERT_TRUE(outcome.answer) << user_class;
        EXPECT_EQ(outcome.answer->kind, AnswerKind::proxy);
        EXPECT_EQ(outcome.answer->destination.to, (base::Endpoint{Ipv4Address::broadcast(), 68}));
        EXPECT_EQ(outcome.answer->destination.link, FakeMac().mac);
        const auto offer = read(outcome);
        EXPECT_TRUE(offer->header().yiaddr.is_zero());
        EXPECT_EQ(offer->header().xid, 42U);
        EXPECT_EQ(offer->header().siaddr, server_address);
        EXPECT_EQ(outcome.answer->file, "nbi/NetBootSP0/ipxe.nbi/ipxe/boot.ipxe");
        EXPECT_EQ(codes(*offer), (std::vector<int>{53, 54, 60, 97, 43}));
        EXPECT_EQ(offer->option_text(Option::vendor_class), "PXEClient");
        EXPECT_EQ(offer->option(Option::client_uuid)->size(), 17U);
    }
}

TEST_F(Ipxe, OfOthersIsLeftAlone) {
    EXPECT_EQ(ask(server_, ipxe_discover("iPXE")).silence, Silence::loader_of_others);
    boot();
    EXPECT_EQ(ask(server_, ipxe_discover("PXE")).silence, Silence::not_bsdp_class);
    server_.now += server_.bootp.lifetime + seconds(1);
    EXPECT_EQ(ask(server_, ipxe_discover("iPXE")).silence, Silence::loader_of_others);
}

TEST_F(Ipxe, WithoutAScriptIsLeftAloneInWords) {
    server_.publish({tests::boot_file_image(4097, "iPXE", "ipxe.nbi")});
    boot();
    EXPECT_EQ(ask(server_, ipxe_discover("iPXE")).silence, Silence::no_loader_script);
}

}  // namespace
}  // namespace pomona::policy
