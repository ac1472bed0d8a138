#include "app/setting_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace pomona::app {
namespace {

/// Every field of Settings as text, to compare two of them whole.
std::string dump(const Settings& s) {
    std::string text;
    const auto add = [&](const auto& value) { text += testing::PrintToString(value) + "\n"; };
    add(s.interfaces);
    for (const ImageRoot& root : s.image_roots) text += root.name + "=" + root.path + "\n";
    add(s.image_order);
    add(s.honour_disabled_models);
    add(s.ia32_models);
    text += "x64\n";
    add(s.x64_models);
    add(s.state_dir);
    add(s.control_socket);
    add(s.user);
    add(s.server_name);
    add(static_cast<int>(s.sname));
    add(s.priority_base);
    add(s.answer_discover);
    add(s.option_67);
    for (const base::Ipv4Network& network : s.client_networks) add(network.text());
    for (const base::MacAddress& mac : s.allow_macs) add("allow " + mac.text());
    for (const base::MacAddress& mac : s.deny_macs) add("deny " + mac.text());
    add(s.bootp);
    add(s.bootp_answer_discover);
    add(s.bootp_lifetime);
    add(s.bootp_probe_wait);
    for (const policy::BootpNetwork& network : s.bootp_networks) {
        add(network.network.text() + (network.router ? " via " + network.router->text() : ""));
    }
    add(s.bootp_borrow);
    add(s.bootp_borrow_time);
    if (s.bootp_borrow_server) add("server " + s.bootp_borrow_server->text());
    for (const model::AddressRange& range : s.bootp_pool) add(range.text());
    for (const model::BootpHost& host : s.hosts)
        add(host.mac.text() + " " + host.address.text() + " " + host.file);
    add(s.bootptab);
    add(s.machine_name_prefix);
    add(s.max_machines);
    add(s.remember_days);
    add(s.hold_port);
    add(s.capture_buffer);
    add(static_cast<int>(s.tftp));
    add(s.tftp_root);
    add(s.tftp_port);
    add(s.tftp_single_port);
    if (s.tftp_port_range)
        text += std::to_string(s.tftp_port_range->low) + "-" + std::to_string(s.tftp_port_range->high);
    add(s.tftp_max_blksize);
    add(s.tftp_max_windowsize);
    add(s.tftp_max_transfers);
    add(s.tftp_max_transfers_per_client);
    add(s.http);
    add(s.http_port);
    for (const base::Ipv4Address address : s.http_addresses) add("http " + address.text());
    add(s.http_max_connections);
    add(s.http_max_connections_per_client);
    add(static_cast<int>(s.log_level));
    add(static_cast<int>(s.log_format));
    return text;
}

TEST(SettingTable, NamesAreUnique) {
    std::set<std::string_view> names;
    for (const Setting& setting : setting_table())
        EXPECT_TRUE(names.insert(setting.name()).second) << setting.name();
}

TEST(SettingTable, EveryEntryTeaches) {
    for (const Setting& setting : setting_table()) {
        SCOPED_TRACE(setting.name());
        EXPECT_FALSE(setting.section.empty());
        EXPECT_GE(setting.flag.help.size(), 20U);
        EXPECT_FALSE(setting.flag.help.ends_with('.'));
        EXPECT_FALSE(setting.flag.value_name.empty());
        EXPECT_FALSE(setting.flag.example.empty());
        EXPECT_NE(setting.default_value.empty(), setting.default_meaning.empty());
        EXPECT_EQ(setting.flag.completes == Completes::choices, !setting.flag.choices.empty());
    }
}

TEST(SettingTable, DefaultsAreThoseOfTheStruct) {
    Settings settings;
    for (const Setting& setting : setting_table()) {
        setting.clear(settings);
        if (setting.default_value.empty()) continue;
        const auto assigned = setting.assign(settings, std::string(setting.default_value));
        EXPECT_TRUE(assigned) << setting.name();
    }
    // Names are given to nameless roots after reading.
    settings.image_roots.at(0).name = "NetBootSP0";
    EXPECT_EQ(dump(settings), dump(Settings()));
}

TEST(SettingTable, ExamplesAreRightAndChangeTheirOwnFieldOnly) {
    std::set<std::string> results{dump(Settings())};
    for (const Setting& setting : setting_table()) {
        Settings settings;
        const auto assigned = setting.assign(settings, std::string(setting.flag.example));
        EXPECT_TRUE(assigned) << setting.name() << ": " << (assigned ? "" : assigned.error().text());
        EXPECT_TRUE(results.insert(dump(settings)).second) << setting.name() << " changes nothing";
    }
}

TEST(SettingTable, ChoicesAreAllUnderstood) {
    for (const Setting& setting : setting_table()) {
        for (const std::string_view choice : choices_of(setting.flag.choices)) {
            Settings settings;
            EXPECT_TRUE(setting.assign(settings, std::string(choice))) << setting.name() << " " << choice;
        }
    }
}

TEST(SettingTable, VariablesFollowTheNames) {
    EXPECT_EQ(find_setting("tftp-root")->variable(), "POMONA_TFTP_ROOT");
    EXPECT_EQ(find_setting("option-67")->variable(), "POMONA_OPTION_67");
    EXPECT_EQ(find_setting("nothing"), nullptr);
}

struct BadValue {
    const char* name;
    const char* setting;
    std::string value;
    const char* error;
};

class BadValues : public testing::TestWithParam<BadValue> {};

TEST_P(BadValues, AreRefusedWithARemedy) {
    Settings settings;
    const auto assigned = find_setting(GetParam().setting)->assign(settings, GetParam().value);
    ASSERT_FALSE(assigned);
    EXPECT_EQ(assigned.error().text(), GetParam().error);
    EXPECT_EQ(dump(settings), dump(Settings()));
}

INSTANTIATE_TEST_SUITE_P(
    Cases, BadValues,
    testing::ValuesIn(std::vector<BadValue>{
        BadValue{"PortZero", "tftp-port", "0", "'0' is not a number from 1 to 65535; use one"},
        BadValue{"PortTooHigh", "tftp-port", "65536", "'65536' is not a number from 1 to 65535; use one"},
        BadValue{"PortHuge", "tftp-port", "99999999999999999999",
                 "'99999999999999999999' is not a number from 1 to 65535; use one"},
        BadValue{"PortText", "tftp-port", "69x", "'69x' is not a number from 1 to 65535; use one"},
        BadValue{"PortEmpty", "tftp-port", "", "'' is not a number from 1 to 65535; use one"},
        BadValue{"Negative", "priority-base", "-1", "'-1' is not a number from 0 to 65535; use one"},
        BadValue{"BlockTooSmall", "tftp-max-blksize", "7", "'7' is not a number from 8 to 65464; use one"},
        BadValue{"AnswerDiscover", "bootp-answer-discover", "on", "'on' is no choice; use served or off"},
        BadValue{"Pool", "bootp-pool", "10.0.1.9-10.0.1.1",
                 "'10.0.1.9-10.0.1.1' is no range of addresses; write it like 10.0.1.200-10.0.1.220"},
        BadValue{"PoolHuge", "bootp-pool", "10.0.0.0-10.255.255.255",
                 "'10.0.0.0-10.255.255.255' holds more than 4096 addresses; name a smaller range"},
        BadValue{"BootpNetwork", "bootp-network", "lab",
                 "'lab' is no IPv4 network; write it like 10.0.1.0/24"},
        BadValue{
            "BootpNetworkWord", "bootp-network", "10.0.5.0/24 gateway=10.0.5.1",
            "'gateway=10.0.5.1' is not understood; write it as in 10.0.5.0/24 router=10.0.5.1 dns=10.0.5.2 "
            "domain=example.org"},
        BadValue{"BootpNetworkDns", "bootp-network", "10.0.5.0/24 dns=ns",
                 "'dns=ns' is not understood; write it as in 10.0.5.0/24 router=10.0.5.1 dns=10.0.5.2 "
                 "domain=example.org"},
        BadValue{"BootpNetworkRouter", "bootp-network", "10.0.5.0/24 router=10.0.6.1",
                 "the router 10.0.6.1 lies outside of 10.0.5.0/24; name a router of that network"},
        BadValue{"Truth", "hold-port", "maybe", "'maybe' is neither on nor off; use on or off"},
        BadValue{"SizeUnit", "capture-buffer", "4G",
                 "'4G' is not a size from 64K to 1024M; use bytes, or a number with K or M behind it"},
        BadValue{"SizeSmall", "capture-buffer", "1K",
                 "'1K' is not a size from 64K to 1024M; use bytes, or a number with K or M behind it"},
        BadValue{
            "SizeOverflow", "capture-buffer", "18446744073709551615M",
            "'18446744073709551615M' is not a size from 64K to 1024M; use bytes, or a number with K or M "
            "behind it"},
        BadValue{"SizeNothing", "capture-buffer", "M",
                 "'M' is not a size from 64K to 1024M; use bytes, or a number with K or M behind it"},
        BadValue{"Interface", "interface", "a/b",
                 "'a/b' is no name of an interface; 'ip link' lists the names"},
        BadValue{"InterfaceLong", "interface", "a234567890123456",
                 "'a234567890123456' is no name of an interface; 'ip link' lists the names"},
        BadValue{"RootName", "image-root", "a b=/srv",
                 "'a b' cannot be the name of an image root; use letters, digits, '.', '_' and '-', as in "
                 "NetBootSP1=/srv/more"},
        BadValue{"RootNameDots", "image-root", "..=/srv",
                 "'..' cannot be the name of an image root; use letters, digits, '.', '_' and '-', as in "
                 "NetBootSP1=/srv/more"},
        BadValue{"RootPath", "image-root", "More=", "'' is no path; name a folder or file"},
        BadValue{"PathOfTwoLines", "state-dir", "/a\nb", "'/a\\x0ab' is no path; name a folder or file"},
        BadValue{"ModelWithASlash", "ia32-model", "iMac12/1",
                 "'iMac12/1' is no model of a Mac; write it like iMac12,1 or MacBook*"},
        BadValue{"EmptyModel", "x64-model", "",
                 "'' is no model of a Mac; write it like iMac12,1 or MacBook*"},
        BadValue{"Folder", "image-order", "a/b.nbi",
                 "'a/b.nbi' is no name of an image folder; use the folder's own name, as in ubuntu.nbi"},
        BadValue{"Network", "client-network", "10.0.0.0/33",
                 "'10.0.0.0/33' is no IPv4 network; write it like 10.0.1.0/24"},
        BadValue{"Mac", "deny-mac", "40:6c:8f",
                 "'40:6c:8f' is no MAC address; write it like 40:6c:8f:37:95:27"},
        BadValue{"RangeReversed", "tftp-port-range", "10-5",
                 "'10-5' is no range of ports; write LOW-HIGH, as in 50000-50999"},
        BadValue{"RangeSingle", "tftp-port-range", "5000",
                 "'5000' is no range of ports; write LOW-HIGH, as in 50000-50999"},
        BadValue{"Tftp", "tftp", "extern", "'extern' is no mode of TFTP; use on, off or external"},
        BadValue{"Sname", "sname", "none", "'none' is no choice; use host or empty"},
        BadValue{"Level", "log-level", "loud", "'loud' is no level; use debug, info, warn or error"},
        BadValue{"Format", "log-format", "xml", "'xml' is no format; use text or json"},
        BadValue{"User", "user", "a:b", "'a:b' is no name of a user; name a user of /etc/passwd"},
        BadValue{"ServerName", "server-name", "a\nb",
                 "'a\\x0ab' cannot be the server's name; use at most 63 bytes of text"},
        BadValue{"Prefix", "machine-name-prefix", "a b",
                 "'a b' cannot begin the name of a machine; use at most 48 letters, digits and '-'"},
        BadValue{"SocketPath", "control-socket", "/" + std::string(107, 'x'),
                 "a socket's path may have 107 bytes, this one has 108; use a shorter path"}}),
    [](const auto& tested) { return tested.param.name; });

TEST(SettingTable, TruthHasEightSpellings) {
    for (const char* spelling : {"on", "yes", "true", "1"}) {
        Settings settings;
        ASSERT_TRUE(find_setting("answer-discover")->assign(settings, spelling)) << spelling;
        EXPECT_TRUE(settings.answer_discover) << spelling;
    }
    for (const char* spelling : {"off", "no", "false", "0"}) {
        Settings settings;
        ASSERT_TRUE(find_setting("hold-port")->assign(settings, spelling)) << spelling;
        EXPECT_FALSE(settings.hold_port) << spelling;
    }
}

TEST(SettingTable, SizesHaveUnits) {
    const auto size = [](const char* text) {
        Settings settings;
        EXPECT_TRUE(find_setting("capture-buffer")->assign(settings, text)) << text;
        return settings.capture_buffer;
    };
    EXPECT_EQ(size("65536"), 65536U);
    EXPECT_EQ(size("64K"), 65536U);
    EXPECT_EQ(size("2M"), 2097152U);
    EXPECT_EQ(size("1024m"), 1U << 30);
}

}  // namespace
}  // namespace pomona::app
