#include <pomona/model/bootp_host.hpp>

#include <gtest/gtest.h>

namespace pomona::model {
namespace {

const base::MacAddress mac({0x40, 0x6c, 0x8f, 0x37, 0x95, 0x27});

BootpHost host(std::string name, std::string file = {}, std::uint8_t last = 50) {
    return {.mac = mac,
            .address = base::Ipv4Address(10, 0, 1, last),
            .file = std::move(file),
            .name = std::move(name)};
}

TEST(BootpHost, IsMacAddressAndPerhapsAFile) {
    EXPECT_EQ(parse_bootp_host("40:6c:8f:37:95:27 10.0.1.50"), host(""));
    EXPECT_EQ(parse_bootp_host("  406C8F379527\t10.0.1.50   grub/g.efi "), host("", "grub/g.efi"));
}

struct Wrong {
    const char* name;
    std::string text;
    const char* error;
};

class WrongHosts : public testing::TestWithParam<Wrong> {};

TEST_P(WrongHosts, AreRefusedWithARemedy) {
    const auto parsed = parse_bootp_host(GetParam().text);
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().text(), GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, WrongHosts,
    testing::Values(
        Wrong{"Nothing", "", "'' is no host; write MAC ADDRESS [FILE], as in 40:6c:8f:37:95:27 10.0.1.50"},
        Wrong{"TooMuch", "a b c d",
              "'a b c d' is no host; write MAC ADDRESS [FILE], as in 40:6c:8f:37:95:27 10.0.1.50"},
        Wrong{"Mac", "lab7 10.0.1.50",
              "'lab7' is no MAC address of a machine; write it like 40:6c:8f:37:95:27"},
        Wrong{"Group", "01:00:5e:00:00:01 10.0.1.50",
              "'01:00:5e:00:00:01' is no MAC address of a machine; write it like 40:6c:8f:37:95:27"},
        Wrong{"Address", "40:6c:8f:37:95:27 10.0.1",
              "'10.0.1' is no IPv4 address of a machine; write it like 10.0.1.50"},
        Wrong{"Broadcast", "40:6c:8f:37:95:27 255.255.255.255",
              "'255.255.255.255' is no IPv4 address of a machine; write it like 10.0.1.50"},
        Wrong{"Loopback", "40:6c:8f:37:95:27 127.0.0.1",
              "'127.0.0.1' is no IPv4 address of a machine; write it like 10.0.1.50"},
        Wrong{"File", "40:6c:8f:37:95:27 10.0.1.50 " + std::string(128, 'f'),
              "the boot file has 128 octets, more than 127; shorten its path"}),
    [](const auto& tested) { return tested.param.name; });

TEST(BootpTable, OfAppleBeginsBehindPercentSigns) {
    const auto table = parse_bootp_table(R"(# the usual head
/private/tftpboot
boot
%%
# name  type  MAC  address  file
imac7   1  40:6c:8f:37:95:27  10.0.1.50  booter
ring    6  0:0:0:0:0:1        10.0.1.51
imac8   1  40:6c:8f:37:95:27  10.0.1.52
)");
    EXPECT_EQ(table, (std::vector{host("imac7", "booter"), host("imac8", "", 52)}));
    EXPECT_EQ(parse_bootp_table("%%\nimac7 1 40:6c:8f:37:95:27\n").error().text(),
              "line 2: it has 3 words; write name, hardware type 1, MAC, address and, if any, boot file");
    EXPECT_EQ(parse_bootp_table("\n%%\nimac7 1 x 10.0.1.50\n").error().text(),
              "line 3: 'x' is no MAC address of a machine; write it like 40:6c:8f:37:95:27");
}

TEST(BootpTable, OfCmuHasTagsAndTemplates) {
    const auto table = parse_bootp_table(R"(# comment
.default:hd=/tftpboot:bf="grub.efi":ht=ether:
imac7|alias:tc=.default:ha=406c8f379527:\
    :ip=10.0.1.50:
imac8:ha=40.6c.8f.37.95.27:ht=tr:ip=10.0.1.51:
imac9:ht=1:ha=40:6c
)");
    // Colons end a tag, so a MAC is written without them.
    EXPECT_EQ(table, (std::vector{host("imac7", "/tftpboot/grub.efi")}));
    EXPECT_EQ(parse_bootp_table("a:tc=b:ha=406c8f379527:ip=10.0.1.50:\n").error().text(),
              "line 1: tc=b names no entry; correct the name of the template");
    EXPECT_EQ(parse_bootp_table("a:tc=b:\nb:tc=a:\n").error().text(),
              "line 1: tc=b leads round in a circle; correct the name of the template");
    EXPECT_EQ(parse_bootp_table("a:ha=zz:ip=10.0.1.50:\n").error().text(),
              "line 1: 'zz' is no MAC address of a machine; write it like 40:6c:8f:37:95:27");
}

TEST(BootpTable, OfIscTakesHostsWithAFixedAddress) {
    const auto table = parse_bootp_table(R"(option domain-name "host { }"; # host x {
subnet 10.0.1.0 netmask 255.255.255.0 {
    host imac7 {
        hardware ethernet 40:6c:8f:37:95:27;
        fixed-address 10.0.1.50; filename "grub.efi";
        option host-name "lab7";
    }
    host dynamic { hardware ethernet 40:6c:8f:37:95:28; }
    host named { hardware ethernet 40:6c:8f:37:95:28; fixed-address imac9.example.org; }
})");
    EXPECT_EQ(table, (std::vector{host("lab7", "grub.efi")}));
    EXPECT_EQ(parse_bootp_table("\nhost a { hardware ethernet 40:6c:8f:37:95:27;").error().text(),
              "line 2: the block of host a has no end; add a }");
    EXPECT_EQ(parse_bootp_table("host a { hardware ethernet x; fixed-address 10.0.1.50; }").error().text(),
              "line 1: 'x' is no MAC address of a machine; write it like 40:6c:8f:37:95:27");
}

TEST(BootpTable, AnythingElseIsNone) {
    EXPECT_EQ(parse_bootp_table("hello\n").error().text(),
              "line 1: the file is no table of hosts; use Apple's bootptab (with a line %%), CMU's bootptab, "
              "or host blocks "
              "of ISC dhcpd");
    EXPECT_EQ(parse_bootp_table(""), std::vector<BootpHost>{});
    EXPECT_EQ(parse_bootp_table("# nothing yet\n"), std::vector<BootpHost>{});
}

}  // namespace
}  // namespace pomona::model
