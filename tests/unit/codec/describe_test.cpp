#include "support/golden.hpp"
#include "support/hex_fixture.hpp"
#include "support/wire.hpp"

#include <pomona/codec/describe.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace pomona::codec {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using tests::dhcp_message;
using tests::join;
using tests::octets;
using tests::Payload;
using tests::tlv;

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += line + '\n';
    return text;
}

/// The lines behind the header of dhcp_message().
std::vector<std::string> options_of(const Payload& message) {
    std::vector<std::string> lines = describe(message);
    const auto header_end = std::ranges::find(lines, "chaddr 40:6c:8f:37:95:27");
    if (header_end == lines.end()) return {"no header"};
    lines.erase(lines.begin(), header_end + 1);
    return lines;
}

TEST(Describe, TellsTheWorkedExamples) {
    for (const std::string& name : tests::bsdp_example_names()) {
        EXPECT_TRUE(
            tests::matches_golden("describe/" + name + ".txt", joined(describe(tests::bsdp_example(name)))));
    }
}

TEST(Describe, ShowsHeaderFieldsThatSaySomething) {
    Payload message = tests::bootp_fixed_part();
    message[0] = 7;
    message[1] = 6;
    message[3] = 2;
    message[9] = 4;
    message[10] = 0x80;
    message[19] = 9;
    message[44] = 'a';
    message[45] = '\n';
    std::fill(message.begin() + 108, message.begin() + 236, std::uint8_t{'f'});
    EXPECT_THAT(
        describe(message),
        ElementsAre("op 7", "htype 6", "hops 2", "xid 0x1a2b3c02", "secs 4", "flags 0x8000 (broadcast)",
                    "ciaddr 10.0.1.32", "yiaddr 0.0.0.9", "chaddr 40:6c:8f:37:95:27", R"(sname "a\x0a")",
                    "file \"" + std::string(128, 'f') + '"', "no DHCP cookie; vendor area: (empty)"));
    message[2] = 16;
    EXPECT_THAT(describe(message), Contains("chaddr 40 6c 8f 37 95 27 00 00 00 00 00 00 00 00 00 00"));
}

TEST(Describe, SaysWhyAMessageIsNone) {
    EXPECT_THAT(describe(Payload{}), ElementsAre("not a BOOTP message: 0 octets, at least 236 are needed"));
    EXPECT_THAT(describe(Payload(235)),
                ElementsAre("not a BOOTP message: 235 octets, at least 236 are needed"));
    EXPECT_THAT(describe(Payload(300, 17)), ElementsAre("not a BOOTP message: 300 octets, hlen is above 16"));
}

TEST(Describe, ReadsEachKindOfValue) {
    struct Case {
        Payload option;
        const char* line;
    };
    for (const Case& c : {
             Case{{53, 1, 1}, "option 53 DHCP message type: DISCOVER"},
             Case{{53, 1, 7}, "option 53 DHCP message type: RELEASE"},
             Case{{53, 1, 9}, "option 53 DHCP message type: unknown type 9"},
             Case{{53, 1, 0}, "option 53 DHCP message type: unknown type 0"},
             Case{{53, 2, 8, 8}, "option 53 DHCP message type: 08 08"},
             Case{{6, 8, 10, 0, 1, 1, 10, 0, 1, 2}, "option 6 domain name server: 10.0.1.1, 10.0.1.2"},
             Case{{3, 5, 10, 0, 1, 1, 10}, "option 3 router: 0a 00 01 01 0a"},
             Case{{3, 0}, "option 3 router: (empty)"},
             Case{{51, 4, 0, 0, 0x0e, 0x10}, "option 51 IP address lease time: 3600"},
             Case{{57, 2, 5, 0xdc}, "option 57 maximum DHCP message size: 1500"},
             Case{{57, 3, 5, 0xdc, 0}, "option 57 maximum DHCP message size: 05 dc 00"},
             Case{{46, 1, 8}, "option 46 NetBIOS node type: 8"},
             Case{{52, 1, 4}, "option 52 option overload: unknown value 4"},
             Case{{55, 3, 1, 200, 43},
                  "option 55 parameter request list: 1 subnet mask, 200, 43 vendor specific information"},
             Case{{12, 4, 'l', 'a', 'b', '1'}, R"(option 12 host name: "lab1")"},
             Case{{12, 3, 'a', 0, 27}, R"(option 12 host name: "a\x00\x1b")"},
             Case{{43, 3, 1, 1, 1}, "option 43 vendor specific information: 01 01 01"},
             Case{{200, 2, 0xca, 0xfe}, "option 200: ca fe"},
         }) {
        EXPECT_THAT(options_of(dhcp_message(join({c.option, {255}}))), ElementsAre(c.line));
    }
}

TEST(Describe, CutsLongRunsOfOctets) {
    EXPECT_THAT(
        options_of(dhcp_message(tlv(200, Payload(32, 1)))),
        ElementsAre(
            "option 200: 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 "
            "01 01 01 01 01 01"));
    EXPECT_THAT(
        options_of(dhcp_message(tlv(200, Payload(33, 1)))),
        ElementsAre(
            "option 200: 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 "
            "01 01 01 01 01 01 ... (33 octets)"));
}

TEST(Describe, ReadsSubOptionsOfBsdpOnly) {
    const auto lines = [](const Payload& instance) {
        std::vector<std::string> all =
            options_of(dhcp_message(join({tlv(43, instance), tlv(60, octets("AAPLBSDPC/i386/x")), {255}})));
        all.erase(all.begin());
        all.pop_back();
        return all;
    };
    EXPECT_THAT(lines({1, 1, 4}), ElementsAre("  1 message type: unknown type 4"));
    EXPECT_THAT(lines({1, 2, 1, 1}), ElementsAre("  1 message type: 01 01"));
    EXPECT_THAT(lines({2, 2, 1, 0}), ElementsAre("  2 version: 1.0"));
    EXPECT_THAT(lines({3, 3, 10, 0, 1}), ElementsAre("  3 server identifier: 0a 00 01"));
    EXPECT_THAT(lines({5, 1, 3}), ElementsAre("  5 reply port: 03"));
    EXPECT_THAT(lines({6, 2, 'x', 7}), ElementsAre(R"(  6 boot image list path: "x\x07")"));
    EXPECT_THAT(lines({8, 4, 0x0d, 0, 0, 5}),
                ElementsAre("  8 selected boot image: 0x0d000005 (kind 13, index 5)"));
    EXPECT_THAT(lines({8, 4, 0x80, 0, 0, 5}),
                ElementsAre("  8 selected boot image: 0x80000005 (install, Mac OS 9, index 5)"));
    EXPECT_THAT(lines({10, 0}), ElementsAre("  10 NetBoot 1.0 firmware: yes"));
    EXPECT_THAT(lines({11, 5, 3, 0, 0x81, 0, 9}),
                ElementsAre("  11 boot image attributes filter list: 0x0300, 0x8100"));
    EXPECT_THAT(lines({11, 1, 3}), ElementsAre("  11 boot image attributes filter list: 03"));
    EXPECT_THAT(lines({77, 1, 3}), ElementsAre("  77 unknown sub-option: 03"));
    EXPECT_THAT(lines({0, 1, 1, 1, 255, 2, 9}), ElementsAre("  1 message type: LIST"));
    EXPECT_THAT(lines({5, 3, 3}), ElementsAre("  5 reply port: runs past the end, 1 octet left"));
    EXPECT_THAT(lines({5}), ElementsAre("  5 reply port: runs past the end, 0 octets left"));
    EXPECT_THAT(lines({9, 6, 0x81, 0, 0, 1, 1, '\t'}),
                ElementsAre("  9 boot image list: 6 octets",
                            R"(    0x81000001 (install, Mac OS X, index 1) "\x09")"));
    EXPECT_THAT(
        lines({9, 8, 0x81, 0, 0, 1, 0, 0x81, 0, 0}),
        ElementsAre("  9 boot image list: 8 octets", R"(    0x81000001 (install, Mac OS X, index 1) "")",
                    "    an image runs past the end"));
    EXPECT_THAT(lines({9, 0}), ElementsAre("  9 boot image list: 0 octets"));
    EXPECT_THAT(lines({}), IsEmpty());
}

TEST(Describe, SaysWhereOptionsBreakOff) {
    EXPECT_THAT(options_of(dhcp_message({53, 1, 8, 60, 9, 'A'})),
                ElementsAre("option 53 DHCP message type: INFORM",
                            "option 60 vendor class identifier: runs past the end, 1 octet left"));
    EXPECT_THAT(options_of(dhcp_message({53})),
                ElementsAre("option 53 DHCP message type: runs past the end, 0 octets left"));
}

TEST(Describe, ShowsOptionsInOverloadedFields) {
    Payload message = dhcp_message({52, 1, 3, 43, 3, 1, 1, 1, 255});
    const Payload in_file = join({tlv(60, octets("AAPLBSDPC/i386/x")), {255}});
    std::ranges::copy(in_file, message.begin() + 108);
    message[44] = 12;
    message[45] = 1;
    message[46] = 'm';
    EXPECT_THAT(options_of(message),
                ElementsAre("option 52 option overload: file and sname hold options",
                            "option 43 vendor specific information: BSDP, 3 octets", "  1 message type: LIST",
                            "options in file", R"(option 60 vendor class identifier: "AAPLBSDPC/i386/x")",
                            "options in sname", R"(option 12 host name: "m")"));
}

TEST(Describe, GivesNoMoreLinesThanPromised) {
    Payload options;
    for (int i = 0; i < 2000; ++i) options = join({options, {200, 0}});
    const auto lines = describe(dhcp_message(options));
    EXPECT_EQ(lines.size(), longest_description);
    EXPECT_EQ(lines.back(), "(more lines were left out)");
}

TEST(Printable, KeepsTextAndEscapesTheRest) {
    using namespace std::string_view_literals;
    struct Case {
        std::string_view text;
        std::string_view expected;
    };
    for (const Case& c : {
             Case{"", ""},
             Case{"GRUB 2 (lab)~", "GRUB 2 (lab)~"},
             Case{R"(say "a\b")", R"(say \"a\\b\")"},
             Case{"a\nb\r\t\0\x1b[2J\x1f\x7f"sv, R"(a\x0ab\x0d\x09\x00\x1b[2J\x1f\x7f)"},
             Case{"Großer Übungsraum, 教室, 🍎", "Großer Übungsraum, 教室, 🍎"},
             Case{"\xc2\x85 \xc2\x9b", R"(\xc2\x85 \xc2\x9b)"},  // C1 controls
             Case{"\xe2\x80\xae", R"(\xe2\x80\xae)"},            // turns the direction
             Case{"\xe2\x80\xa8", R"(\xe2\x80\xa8)"},            // line separator
             Case{"\xef\xbb\xbf", R"(\xef\xbb\xbf)"},            // byte order mark
             Case{"\xc3", R"(\xc3)"},                            // cut off
             Case{"\xc3(", R"(\xc3()"},                          // no continuation
             Case{"\xc0\xaf", R"(\xc0\xaf)"},                    // overlong
             Case{"\xe0\x80\xaf", R"(\xe0\x80\xaf)"},            // overlong
             Case{"\xe0\x9f\xbf", R"(\xe0\x9f\xbf)"},            // overlong, just so
             Case{"\xed\xa0\x80", R"(\xed\xa0\x80)"},            // surrogate
             Case{"\xf4\x90\x80\x80", R"(\xf4\x90\x80\x80)"},    // past the last
             Case{"\xff\xfe", R"(\xff\xfe)"},
             Case{"\x80", R"(\x80)"},
         }) {
        EXPECT_EQ(printable(c.text), c.expected);
    }
}

TEST(DescribeRoute, NamesBothEndsOnBothLayers) {
    const Payload payload(300);
    Datagram datagram{.link_source = base::MacAddress({0x40, 0x6c, 0x8f, 0x37, 0x95, 0x27}),
                      .link_destination = base::MacAddress::broadcast(),
                      .vlan = std::nullopt,
                      .source = {base::Ipv4Address(10, 0, 1, 32), 68},
                      .destination = {base::Ipv4Address::broadcast(), 67},
                      .payload = payload};
    EXPECT_EQ(describe_route(datagram),
              "10.0.1.32:68 -> 255.255.255.255:67 (40:6c:8f:37:95:27 -> ff:ff:ff:ff:ff:ff), 300 octets");
    datagram.vlan = 42;
    EXPECT_EQ(
        describe_route(datagram),
        "10.0.1.32:68 -> 255.255.255.255:67 (40:6c:8f:37:95:27 -> ff:ff:ff:ff:ff:ff, VLAN 42), 300 octets");
}

}  // namespace
}  // namespace pomona::codec
