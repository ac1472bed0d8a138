#include "app/probe.hpp"

#include "support/pretend_network.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <sstream>

namespace pomona::app {
namespace {

using namespace std::chrono_literals;
using base::BootImageId;
using base::Ipv4Address;
using base::Ipv4Network;
using testing::HasSubstr;
using testing::Not;
using tests::PretendNetwork;
using tests::PretendServer;

const Ipv4Address first_address{10, 9, 0, 1};
const Ipv4Address second_address{10, 9, 0, 2};
const Ipv4Network probe_network{Ipv4Address(10, 9, 0, 77), 24};
constexpr BootImageId grub{0x81001001};

PretendServer boot_server(Ipv4Address address = first_address) {
    PretendServer server;
    server.address = address;
    server.images = {{grub, "GRUB 2"}, {BootImageId(0x81000005), "local"}};
    server.default_image = grub;
    server.file = "nbi/share/grub.nbi/i386/booter";
    server.content = std::string(100'000, 'x');
    return server;
}

struct Outcome {
    int code = -1;
    std::string text;
};

class ProbeTest : public testing::Test {
  protected:
    ProbeTest() {
        options_.interface = tests::Cable::near_name;
        options_.address = probe_network;
        options_.gather = 200ms;
        options_.timeout = 1s;
    }
    Outcome run() {
        const auto inside = cable_.near.enter();
        std::ostringstream out;
        Outcome result;
        result.code = run_probe(options_, out);
        result.text = out.str();
        return result;
    }
    tests::Cable cable_;
    ProbeOptions options_;
};

TEST_F(ProbeTest, ListsSelectsAndDownloads) {
    const PretendNetwork network(cable_, {boot_server()});
    options_.selection = ProbeOptions::SelectDefault{};
    options_.download = true;
    const Outcome result = run();
    EXPECT_EQ(result.code, 0) << result.text;
    EXPECT_THAT(result.text,
                HasSubstr("ACK[LIST] from 10.9.0.1: priority 100, default 0x81001001, 2 images"));
    EXPECT_THAT(result.text, HasSubstr("  0x81001001 \"GRUB 2\" from 10.9.0.1, default\n"));
    EXPECT_THAT(result.text, HasSubstr("ACK[SELECT] from 10.9.0.1: TFTP server 10.9.0.1, file "
                                       "\"nbi/share/grub.nbi/i386/booter\"\n"));
    EXPECT_THAT(result.text, HasSubstr("100.0 kB in "));
    // Of 100,000 letters x.
    EXPECT_THAT(result.text,
                HasSubstr("SHA-256 d69e68988157833272305aaf21f453c800346e8a3640db6578e260215542e5d4"));
    EXPECT_THAT(result.text, Not(HasSubstr("warning")));
}

TEST_F(ProbeTest, AsksForAnAddressFirstAndGivesItBack) {
    PretendServer dhcp = boot_server();
    dhcp.boots = false;
    dhcp.lends = Ipv4Network(Ipv4Address(10, 9, 0, 99), 24);
    options_.dhcp = true;
    options_.address = std::nullopt;
    const PretendNetwork network(cable_, {dhcp, boot_server(second_address)});
    const Outcome result = run();
    EXPECT_EQ(result.code, 0) << result.text;
    EXPECT_THAT(result.text, HasSubstr("OFFER of 10.9.0.99/24 from 10.9.0.1"));
    EXPECT_THAT(result.text, HasSubstr("ACK[LIST] from 10.9.0.2"));
    EXPECT_THAT(result.text, HasSubstr("DHCP RELEASE of 10.9.0.99"));
    for (int i = 0; i < 50 && network.released() == 0; ++i) std::this_thread::sleep_for(10ms);
    EXPECT_EQ(network.released(), 1);
}

TEST_F(ProbeTest, JsonHoldsItAll) {
    PretendServer second = boot_server(second_address);
    second.priority = 200;
    const PretendNetwork network(cable_, {boot_server(), second});
    options_.selection = grub;
    options_.download = true;
    options_.json = true;
    const Outcome result = run();
    ASSERT_EQ(result.code, 0) << result.text;
    const auto report = nlohmann::json::parse(result.text);
    EXPECT_EQ(report["failure"], nullptr);
    EXPECT_EQ(report["servers"].size(), 2U);
    ASSERT_EQ(report["menu"].size(), 3U);
    EXPECT_EQ(report["menu"][0]["id"], "0x81001001");
    EXPECT_EQ(report["menu"][0]["server"], "10.9.0.2");
    EXPECT_EQ(report["menu"][0]["offered_by"].size(), 2U);
    EXPECT_EQ(report["select"]["server"], "10.9.0.2");
    EXPECT_EQ(report["download"]["bytes"], 100'000);
    EXPECT_EQ(report["download"]["blksize"], 1024);
    EXPECT_GT(report["log"].size(), 5U);
}

// Between namespaces of one machine no device cuts a train of segments: it is captured whole.
TEST_F(ProbeTest, TakesTrainsOfSegmentsApart) {
    PretendServer server = boot_server();
    server.window = 16;
    const PretendNetwork network(cable_, {server});
    options_.selection = ProbeOptions::SelectDefault{};
    options_.download = true;
    const Outcome result = run();
    EXPECT_EQ(result.code, 0) << result.text;
    EXPECT_THAT(result.text, HasSubstr("window 16, 0 misplaced packets, 0 silences"));
    EXPECT_THAT(result.text, HasSubstr("SHA-256 d69e6898"));
}

// The kernel of this machine would answer the server's packets with ICMP errors; the TFTP server would stop.
TEST_F(ProbeTest, BorrowsTheAddressOfThisMachine) {
    cable_.near.run("ip addr add 10.9.0.50/24 dev near0");
    const PretendNetwork network(cable_, {boot_server()});
    options_.address = std::nullopt;
    options_.mac = base::MacAddress({0x40, 0x6c, 0x8f, 0x37, 0x95, 0x27});
    options_.download = true;
    options_.selection = ProbeOptions::SelectDefault{};
    const std::string errors = "awk '/^Icmp:/ { n = $16 } END { exit n != 0 }' /proc/thread-self/net/snmp";
    const Outcome result = run();
    EXPECT_EQ(result.code, 0) << result.text;
    EXPECT_THAT(result.text, HasSubstr("a Mac on near0: 40:6c:8f:37:95:27"));
    EXPECT_THAT(result.text, HasSubstr("address 10.9.0.50/24, that of this machine"));
    EXPECT_THAT(result.text, HasSubstr("SHA-256"));
    EXPECT_NO_THROW(cable_.near.run(errors)) << "OutMsgs of ICMP";
    cable_.far.run("ip neigh show 10.9.0.50 | grep -q 02:00:00:00:00:01");
}

TEST_F(ProbeTest, AnAddressWithoutPrefixLiesInTheNetworkOfTheInterface) {
    cable_.near.run("ip addr add 10.9.0.50/24 dev near0");
    const PretendNetwork network(cable_, {boot_server()});
    options_.address = Ipv4Network(probe_network.address(), 32);
    options_.download = true;
    options_.selection = ProbeOptions::SelectDefault{};
    const Outcome result = run();
    EXPECT_EQ(result.code, 0) << result.text;
    EXPECT_THAT(result.text, HasSubstr("address 10.9.0.77/24\n"));
}

TEST_F(ProbeTest, AToolListensOnItsReplyPort) {
    const PretendNetwork network(cable_, {boot_server()});
    options_.reply_port = 993;
    const Outcome result = run();
    EXPECT_EQ(result.code, 0) << result.text;
    EXPECT_THAT(result.text, HasSubstr("with reply port 993"));
}

TEST_F(ProbeTest, RepeatsWhatGotLost) {
    PretendServer server = boot_server();
    server.deaf_for = 1;
    server.loses = 1;
    options_.timeout = 4s;
    options_.selection = ProbeOptions::SelectDefault{};
    options_.download = true;
    const PretendNetwork network(cable_, {server});
    const Outcome result = run();
    EXPECT_EQ(result.code, 0) << result.text;
    EXPECT_THAT(result.text, HasSubstr("LIST again, nothing came"));
    EXPECT_THAT(result.text, HasSubstr("1 silence\n"));
}

TEST_F(ProbeTest, WarnsOfWhatTroublesMacs) {
    PretendServer first = boot_server();
    first.priority = std::nullopt;
    first.acks_inform = true;
    PretendServer second = boot_server(second_address);
    second.images[0].second = "Lion";
    second.takes_others_macs = true;
    options_.selection = BootImageId(0x81000005);
    const PretendNetwork network(cable_, {first, second});
    const Outcome result = run();
    EXPECT_EQ(result.code, 0) << result.text;
    EXPECT_THAT(result.text, HasSubstr("warning: server 10.9.0.1: it sends no priority"));
    EXPECT_THAT(result.text, HasSubstr("warning: DHCP server 10.9.0.1 answers INFORM too"));
    EXPECT_THAT(result.text, HasSubstr("warning: index 4097 clashes"));
    EXPECT_THAT(result.text, HasSubstr("warning: server 10.9.0.2 answers a SELECT that names 10.9.0.1"));
}

struct Failing {
    const char* name;
    void (*change)(ProbeOptions& options, PretendServer& server);
    const char* reason;
};
class ProbeFails : public ProbeTest, public testing::WithParamInterface<Failing> {};
TEST_P(ProbeFails, WithOneReason) {
    PretendServer server = boot_server();
    options_.selection = ProbeOptions::SelectDefault{};
    options_.download = true;
    options_.timeout = 300ms;
    GetParam().change(options_, server);
    const PretendNetwork network(cable_, {server});
    const Outcome result = run();
    EXPECT_EQ(result.code, 1);
    EXPECT_THAT(result.text, HasSubstr(GetParam().reason));
    EXPECT_THAT(result.text.substr(result.text.rfind("[ ")), HasSubstr("] failed: "));
}
INSTANTIATE_TEST_SUITE_P(
    Cases, ProbeFails,
    testing::Values(
        Failing{"no_interface", [](ProbeOptions& o, PretendServer&) { o.interface = "eth77"; },
                "There is no such interface"},
        Failing{
            "no_address", [](ProbeOptions& o, PretendServer&) { o.address = std::nullopt; },
            "interface near0: The interface has no IPv4 address that the probe could use; give --dhcp or"},
        Failing{"address_in_use",
                [](ProbeOptions& o, PretendServer& s) { o.address = Ipv4Network(s.address, 24); },
                "The address belongs to 02:00:00:00:00:02"},
        Failing{"no_dhcp", [](ProbeOptions& o, PretendServer&) { o.dhcp = true; }, "No DHCP server offers"},
        Failing{"dhcp_refuses",
                [](ProbeOptions& o, PretendServer& s) {
                    o.dhcp = true;
                    s.lends = probe_network;
                    s.refuses_request = true;
                },
                "refuses (NAK)"},
        Failing{"no_boot_server", [](ProbeOptions&, PretendServer& s) { s.boots = false; },
                "No boot server answered LIST"},
        Failing{"no_image", [](ProbeOptions&, PretendServer& s) { s.images.clear(); }, "offer no image"},
        Failing{"unknown_image",
                [](ProbeOptions& o, PretendServer&) { o.selection = BootImageId(0x81001099); },
                "--select 0x81001099: No server offers the image"},
        Failing{"no_default", [](ProbeOptions&, PretendServer& s) { s.default_image = std::nullopt; },
                "No server names a default image"},
        Failing{"select_fails", [](ProbeOptions&, PretendServer& s) { s.fails_select = true; },
                "ACK[FAILED]"},
        Failing{"no_boot_file", [](ProbeOptions&, PretendServer& s) { s.file.clear(); },
                "no boot file to fetch"},
        Failing{"no_such_file", [](ProbeOptions&, PretendServer& s) { s.has_no_file = true; },
                "TFTP nbi/share/grub.nbi/i386/booter: the server says error 1 \"File not found\""},
        Failing{
            "no_router",
            [](ProbeOptions& o, PretendServer&) { o.address = Ipv4Network(Ipv4Address(10, 9, 0, 77), 32); },
            "no router is known"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace pomona::app
