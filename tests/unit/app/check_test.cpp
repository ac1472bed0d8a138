#include "app/check.hpp"

#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <functional>
#include <sstream>
#include <string>
#include <vector>

namespace pomona::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Severity = Finding::Severity;

std::vector<std::string> lines(const std::vector<Finding>& findings) {
    std::vector<std::string> text;
    for (const Finding& finding : findings) {
        const char* severity = finding.severity == Severity::ok        ? "ok"
                               : finding.severity == Severity::warning ? "warning"
                                                                       : "error";
        text.push_back(std::string(severity) + " " + finding.subject + ": " + finding.what +
                       (finding.remedy.empty() ? "" : "; " + finding.remedy));
    }
    return text;
}

Settings settings_with(const std::function<void(Settings&)>& change) {
    Settings settings;
    change(settings);
    return settings;
}

const PortHolder dhcpd{"dhcpd", 12, base::Ipv4Address()};
const PortHolder dnsmasq{"dnsmasq", 13, base::Ipv4Address()};
const PortHolder pomona{"pomona", 14, base::Ipv4Address()};
const PortHolder unseen{"", 0, base::Ipv4Address()};

TEST(CheckInterfaces, TellsTakenAndRefused) {
    io::Interface eth0;
    eth0.name = "eth0";
    eth0.addresses = {base::Ipv4Network(base::Ipv4Address(10, 0, 0, 1), 24)};
    EXPECT_THAT(lines(check_interfaces({{eth0}, {{"lo", "it is the loopback", "", false}}})),
                ElementsAre("ok interface eth0: it is served (10.0.0.1/24)",
                            "ok interface lo: it is not served: it is the loopback"));
    EXPECT_THAT(
        lines(check_interfaces({{}, {{"eth1", "there is no such interface", "look", true}}})),
        ElementsAre("error interface eth1: it is not served: there is no such interface; look",
                    "error interfaces: none can be served; connect an Ethernet interface that has an IPv4 "
                    "address"));
}

TEST(CheckAddresses, LieInTheNetworksThatAreServed) {
    io::Interface eth0;
    eth0.name = "eth0";
    eth0.addresses = {base::Ipv4Network(base::Ipv4Address(10, 0, 1, 11), 24)};
    const auto told = [&](const std::function<void(Settings&)>& change) {
        return lines(check_addresses(settings_with(change), std::vector{eth0}));
    };
    const auto pool = [&](const char* range) {
        return told([&](Settings& s) { s.bootp_pool = {*model::parse_address_range(range)}; });
    };
    EXPECT_THAT(pool("10.0.1.1-10.0.1.254"), ElementsAre());
    EXPECT_THAT(pool("10.0.1.200-10.0.2.3"),
                ElementsAre("error bootp-pool: 10.0.1.200-10.0.2.3 lies in no network of a served interface; "
                            "name addresses of one of those networks"));
    EXPECT_THAT(pool("10.0.1.0-10.0.1.9"),
                ElementsAre("error bootp-pool: 10.0.1.0-10.0.1.9 holds the network's own or its broadcast "
                            "address; shorten the range"));
    EXPECT_THAT(pool("10.0.1.250-10.0.1.255").size(), 1U);

    const auto host = [&](const char* entry) {
        return told([&](Settings& s) { s.hosts = {*model::parse_bootp_host(entry)}; });
    };
    EXPECT_THAT(host("40:6c:8f:37:95:27 10.0.1.50"), ElementsAre());
    EXPECT_THAT(host("40:6c:8f:37:95:27 10.0.1.255"),
                ElementsAre("error host: 40:6c:8f:37:95:27 is given the network's own or its broadcast "
                            "address, 10.0.1.255; give it another address"));
    EXPECT_THAT(host("40:6c:8f:37:95:27 10.0.2.50"),
                ElementsAre("warning host 40:6c:8f:37:95:27: 10.0.2.50 lies in no network of a served "
                            "interface; that is right only if the machine asks through a relay"));

    EXPECT_THAT(told([](Settings& s) { s.bootp_borrow_server = base::Ipv4Address(10, 0, 1, 2); }),
                ElementsAre());
    EXPECT_THAT(told([](Settings& s) { s.bootp_borrow_server = base::Ipv4Address(10, 0, 1, 11); }),
                ElementsAre("error bootp-borrow-server: 10.0.1.11 is this host, whose DHCP server hears a "
                            "relay by broadcast only; leave the setting out: then every server on the link "
                            "is asked, also one here"));
}

TEST(CheckDhcpPort, OthersMayHaveIt) {
    const Settings settings;
    const std::vector<PortHolder> nobody;
    EXPECT_THAT(lines(check_dhcp_port(nobody, settings)),
                ElementsAre("ok port 67: it is free; pomona will hold it silently"));
    EXPECT_THAT(lines(check_dhcp_port(nobody, settings_with([](Settings& s) { s.hold_port = false; }))),
                ElementsAre("ok port 67: it is free, and stays so"));
    EXPECT_THAT(
        lines(check_dhcp_port(std::vector{dhcpd, dnsmasq, dnsmasq}, settings)),
        ElementsAre("ok port 67: dhcpd (pid 12) and dnsmasq (pid 13) have it; pomona works beside it"));
    EXPECT_THAT(lines(check_dhcp_port(std::vector{unseen}, settings)),
                ElementsAre("ok port 67: a program that only root can see has it; pomona works beside it"));
    EXPECT_THAT(
        lines(check_dhcp_port(std::vector{pomona}, settings)),
        ElementsAre("warning port 67: pomona (pid 14) runs already; two of them answer every Mac twice: end "
                    "one before you start another"));
}

TEST(CheckTftpPort, FollowsTheMode) {
    const auto off = settings_with([](Settings& s) { s.tftp = TftpMode::off; });
    const auto external = settings_with([](Settings& s) { s.tftp = TftpMode::external; });
    const std::vector<PortHolder> nobody;
    EXPECT_THAT(lines(check_tftp_port(nobody, Settings())), ElementsAre("ok port 69: it is free"));
    EXPECT_THAT(lines(check_tftp_port(std::vector{pomona}, Settings())),
                ElementsAre("ok port 69: pomona (pid 14) has it"));
    EXPECT_THAT(
        lines(check_tftp_port(std::vector{dnsmasq}, Settings())),
        ElementsAre("warning port 69: dnsmasq (pid 13) has it: pomona will serve without TFTP; stop that "
                    "program, or let it send the files: tftp=external and tftp-root"));
    EXPECT_THAT(lines(check_tftp_port(std::vector{dnsmasq}, off)),
                ElementsAre("ok TFTP: it is off; Macs need the files from elsewhere"));
    EXPECT_THAT(lines(check_tftp_port(std::vector{dnsmasq}, external)),
                ElementsAre("ok port 69: dnsmasq (pid 13) has it, and is to send the files"));
    EXPECT_THAT(
        lines(check_tftp_port(nobody, external)),
        ElementsAre("warning port 69: tftp is external, but no program here has the port; start that TFTP "
                    "server, or set tftp to on"));
    EXPECT_THAT(
        lines(check_tftp_port(nobody, settings_with([](Settings& s) { s.tftp_port = 6969; }))),
        ElementsAre(
            "warning tftp-port: Macs ask port 69 only; remove the setting (default) unless it is for a "
            "test",
            "ok port 6969: it is free"));
}

TEST(CheckHttpPort, AnotherServerMayHaveIt) {
    const PortHolder apache{"apache2", 15, base::Ipv4Address()};
    const PortHolder of_one_address{"nginx", 16, base::Ipv4Address(10, 0, 1, 11)};
    const std::vector<PortHolder> nobody;
    EXPECT_THAT(lines(check_http_port(nobody, Settings())), ElementsAre("ok TCP port 80: it is free"));
    EXPECT_THAT(lines(check_http_port(std::vector{pomona}, Settings())),
                ElementsAre("ok TCP port 80: pomona (pid 14) has it"));
    EXPECT_THAT(
        lines(check_http_port(std::vector{apache}, Settings())),
        ElementsAre("warning TCP port 80: apache2 (pid 15) has it: pomona will serve without HTTP; stop "
                    "that program, or choose another http-port or an http-address of its own"));
    EXPECT_THAT(
        lines(check_http_port(std::vector{apache}, settings_with([](Settings& s) { s.http = false; }))),
        ElementsAre("ok HTTP: it is off"));
    const auto beside =
        settings_with([](Settings& s) { s.http_addresses = {base::Ipv4Address(10, 0, 1, 12)}; });
    EXPECT_THAT(lines(check_http_port(std::vector{of_one_address}, beside)),
                ElementsAre("ok TCP port 80: it is free"));
    EXPECT_THAT(lines(check_http_port(std::vector{apache}, beside)),
                ElementsAre(HasSubstr("warning TCP port 80")));
}

TEST(CheckPorts, NamesOfProgramsAreHostileToo) {
    const PortHolder evil{"a\nerror b", 5, base::Ipv4Address()};
    EXPECT_THAT(lines(check_dhcp_port(std::vector{evil}, Settings())),
                ElementsAre("ok port 67: 'a\\x0aerror b' (pid 5) has it; pomona works beside it"));
}

TEST(CheckPrivileges, NamesWhatIsMissing) {
    const Capabilities both{.net_raw = true, .net_bind_service = true};
    const Capabilities raw{.net_raw = true, .net_bind_service = false};
    EXPECT_THAT(lines(check_privileges(true, both, Settings())),
                ElementsAre("ok privileges: root can open the ports"));
    EXPECT_THAT(lines(check_privileges(false, both, Settings())),
                ElementsAre("ok privileges: the capabilities are there"));
    EXPECT_THAT(lines(check_privileges(true, {}, Settings())),
                ElementsAre(HasSubstr("error privileges: CAP_NET_RAW is missing"),
                            HasSubstr("error privileges: CAP_NET_BIND_SERVICE is missing")));
    const auto high = settings_with([](Settings& s) { s.tftp_port = 6969; });
    EXPECT_THAT(lines(check_privileges(false, raw, high)),
                ElementsAre(HasSubstr("warning privileges: CAP_NET_BIND_SERVICE is missing")));
    const auto high_only =
        settings_with([](Settings& s) { s.tftp_port = 6969, s.hold_port = false, s.http = false; });
    const auto http_only = settings_with([](Settings& s) { s.tftp_port = 6969, s.hold_port = false; });
    EXPECT_THAT(lines(check_privileges(false, raw, http_only)),
                ElementsAre(HasSubstr("warning privileges: CAP_NET_BIND_SERVICE is missing")));
    EXPECT_THAT(lines(check_privileges(false, raw, high_only)),
                ElementsAre("ok privileges: the capabilities are there"));
}

class CheckFolders : public testing::Test {
  protected:
    CheckFolders() {
        settings_.image_roots = {{"NetBootSP0", folder_ / "images"}};
        settings_.state_dir = folder_ / "state";
        settings_.control_socket = folder_ / "run/control";
        ::mkdir((folder_ / "images").c_str(), 0755);
    }
    std::vector<std::string> check() const { return lines(check_folders(settings_, *find_account(""))); }

    tests::TemporaryFolder folder_;
    Settings settings_;
    std::string self_ = find_account("")->name;
};

TEST_F(CheckFolders, AllWell) {
    EXPECT_THAT(check(),
                ElementsAre("ok image-root NetBootSP0: " + self_ + " can read '" + folder_ / "images" + "'",
                            "ok state-dir: '" + folder_ / "state" + "' will be made at the start",
                            "ok control-socket: '" + folder_ / "run" + "' will be made at the start"));
    ::mkdir((folder_ / "state").c_str(), 0700);
    EXPECT_EQ(check().at(1), "ok state-dir: " + self_ + " can write in '" + folder_ / "state" + "'");
}

TEST_F(CheckFolders, MissingOnes) {
    settings_.image_roots = {{"NetBootSP0", folder_ / "none"}};
    settings_.tftp_root = folder_ / "none";
    settings_.state_dir = folder_ / "a/b";
    EXPECT_THAT(check(), ElementsAre("error image-root NetBootSP0: there is no folder '" + folder_ / "none" +
                                         "'; make it, or name another",
                                     "error tftp-root: there is no folder '" + folder_ / "none" +
                                         "'; make it, or name another",
                                     "error state-dir: there is no folder '" + folder_ / "a/b" +
                                         "'; install -d -o " + self_ + " " + folder_ / "a/b",
                                     testing::StartsWith("ok control-socket: ")));
}

TEST_F(CheckFolders, FilesInTheirPlace) {
    settings_.image_roots = {{"NetBootSP0", folder_.write("file", "")}};
    settings_.state_dir = folder_ / "file";
    EXPECT_EQ(check().at(0),
              "error image-root NetBootSP0: '" + folder_ / "file" + "' is no folder; name a folder");
    EXPECT_EQ(check().at(1), "error state-dir: '" + folder_ / "file" + "' is no folder; name a folder");
}

TEST_F(CheckFolders, ThoseOfAnotherUser) {
    if (::geteuid() != 0) return;  // Nobody could ask for another user.
    ::mkdir((folder_ / "state").c_str(), 0700);
    const auto findings = lines(check_folders(settings_, *find_account("nobody")));
    EXPECT_EQ(findings.at(0), "error image-root NetBootSP0: nobody cannot read '" + folder_ / "images" +
                                  "'; let nobody read and enter it and the folders above it");
    EXPECT_EQ(findings.at(1), "error state-dir: nobody cannot write in '" + folder_ / "state" +
                                  "'; chown nobody " + folder_ / "state");
}

TEST(CheckFirewall, FindsInputChainsThatDrop) {
    EXPECT_TRUE(
        input_is_dropped("table inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; "
                         "policy drop;\n\t}\n}\n"));
    EXPECT_FALSE(input_is_dropped(
        "table inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter; policy "
        "accept;\n\t}\n"
        "\tchain forward {\n\t\ttype filter hook forward priority filter; policy drop;\n\t}\n}\n"));
    EXPECT_FALSE(input_is_dropped(""));
}

TEST(Findings, ArePrintedForPeople) {
    std::ostringstream output;
    print_findings(std::vector<Finding>{{Severity::ok, "a", "b", ""}, {Severity::warning, "c", "d", "e"}},
                   false, output);
    EXPECT_EQ(output.str(), "ok       a: b\nwarning  c: d; e\n\n0 errors, 1 warning\n");
}

TEST(Findings, ArePrintedForPrograms) {
    std::ostringstream output;
    print_findings(std::vector<Finding>{{Severity::error, "a\xff", "b\n", "c"}}, true, output);
    const auto list = nlohmann::json::parse(output.str());
    EXPECT_EQ(list.at(0).at("severity"), "error");
    EXPECT_EQ(list.at(0).at("what"), "b\n");
}

TEST(RunCheck, ExitsByTheWorstFinding) {
    const tests::TemporaryFolder folder;
    Settings settings;
    settings.user = "";
    settings.interfaces = {"no-such-dev"};
    std::ostringstream output;
    bool asked = false;
    const auto images = [&](const Settings&) {
        asked = true;
        return std::vector<Finding>{{Severity::ok, "image x.nbi", "published", ""}};
    };
    EXPECT_EQ(run_check(settings, false, output, images), 1);
    EXPECT_TRUE(asked);
    EXPECT_THAT(output.str(),
                HasSubstr("error    interface no-such-dev: it is not served: there is no such interface"));
    EXPECT_THAT(output.str(), HasSubstr("ok       image x.nbi: published"));
}

}  // namespace
}  // namespace pomona::app
