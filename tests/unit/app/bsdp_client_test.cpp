#include "app/bsdp_client.hpp"

#include "support/hex_fixture.hpp"
#include "support/wire.hpp"

#include <pomona/codec/dhcp.hpp>

#include <gmock/gmock.h>

namespace pomona::app {
namespace {

using base::BootImageId;
using base::Ipv4Address;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using tests::be16;
using tests::be32;
using tests::bsdp_example;
using tests::join;
using tests::octets;
using tests::Payload;
using tests::tlv;

const Ipv4Address server{10, 0, 1, 11};

PlayedMac example_mac() {
    PlayedMac mac;
    mac.mac = *base::MacAddress::parse("40:6c:8f:37:95:27");
    mac.address = Ipv4Address(10, 0, 1, 32);
    return mac;
}

codec::Datagram from_server(base::Bytes payload, std::uint16_t to_port = 68) {
    codec::Datagram datagram;
    datagram.source = {server, 67};
    datagram.destination = {Ipv4Address(10, 0, 1, 32), to_port};
    datagram.payload = payload;
    return datagram;
}

TEST(BsdpRequests, AreThoseOfTheFirmware) {
    EXPECT_EQ(list_request(example_mac(), 0x1a2b3c02), bsdp_example("E3"));
    EXPECT_EQ(select_request(example_mac(), 0x1a2b3c03, server, BootImageId(0x81001001)), bsdp_example("E5"));
}

TEST(BsdpRequests, AToolNamesItsReplyPort) {
    PlayedMac mac = example_mac();
    mac.reply_port = 993;
    EXPECT_EQ(mac.port(), 993);
    const Message list = list_request(mac, 7);
    const auto message = codec::DhcpView::parse(list);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->option(codec::Option::vendor_specific).value().size(), 11U);
    EXPECT_EQ(base::as_text(*message->option(codec::Option::vendor_specific)),
              base::as_text(Payload{1, 1, 1, 2, 2, 1, 1, 5, 2, 0x03, 0xe1}));
    EXPECT_EQ(base::as_text(*message->option(codec::Option::parameter_request_list)),
              base::as_text(Payload{60, 43}));
}

TEST(BsdpRequests, TheFilterIsForListOnly) {
    PlayedMac mac = example_mac();
    mac.filter = {0x0300, 0x8100};
    const Message list = list_request(mac, 7);
    EXPECT_EQ(base::as_text(codec::DhcpView::parse(list)->option(codec::Option::vendor_specific).value()),
              base::as_text(Payload{1, 1, 1, 2, 2, 1, 1, 11, 4, 3, 0, 0x81, 0}));
    const Message select = select_request(mac, 7, server, BootImageId(0x81001001));
    EXPECT_EQ(codec::DhcpView::parse(select)->option(codec::Option::vendor_specific).value().size(), 19U);
}

TEST(BsdpListAnswer, ReadsTheWorkedExamples) {
    const auto answer = read_list_answer(from_server(bsdp_example("E4")), example_mac(), 0x1a2b3c02);
    ASSERT_TRUE(answer) << answer.error().why;
    EXPECT_EQ(answer->server, server);
    EXPECT_EQ(answer->priority, 32768);
    EXPECT_EQ(answer->default_image, BootImageId(0x81001001));
    EXPECT_FALSE(answer->selected_image);
    EXPECT_THAT(answer->images, ElementsAre(OfferedImage{BootImageId(0x81001001), "GRUB 2 (lab)"},
                                            OfferedImage{BootImageId(0x81001002), "iPXE"}));
    EXPECT_EQ(answer->payload_octets, 304U);
    EXPECT_THAT(answer->oddities, IsEmpty());
}

TEST(BsdpListAnswer, ReadsARealServer) {
    PlayedMac mac;
    mac.mac = *base::MacAddress::parse("80:e6:50:09:ed:a2");
    mac.address = Ipv4Address(10, 0, 1, 93);
    const auto answer = read_list_answer(from_server(bsdp_example("R1")), mac, 0x0d6588a4);
    ASSERT_TRUE(answer) << answer.error().why;
    EXPECT_EQ(answer->priority, 0x7ffe);
    EXPECT_EQ(answer->images.size(), 2U);
    EXPECT_THAT(answer->oddities, ElementsAre(HasSubstr("comes from 10.0.1.11 but calls itself 10.0.1.7")));
}

// The options of an answer, piece by piece, so that one can be wrong.
struct AnswerParts {
    Payload type = {53, 1, 5};
    Payload identifier = tlv(54, {10, 0, 1, 11});
    Payload vendor_class = tlv(60, octets("AAPLBSDPC"));
    Payload vendor =
        tlv(43, join({Payload{1, 1, 1}, tlv(4, be16(100)), tlv(7, be32(0x81001001)), list("one")}));

    static Payload list(const std::string& name, std::uint32_t id = 0x81001001) {
        return tlv(9, join({be32(id), Payload{static_cast<std::uint8_t>(name.size())}, octets(name)}));
    }
    [[nodiscard]] Payload message() const {
        Payload payload = tests::dhcp_message(join({type, identifier, vendor_class, vendor, Payload{255}}));
        payload[0] = 2;
        return payload;
    }
};

struct Case {
    const char* name;
    void (*change)(AnswerParts&);
    /// Part of the reason, or of an oddity; nothing for foreign.
    const char* says;
};

class BsdpListAnswerDropped : public testing::TestWithParam<Case> {};
TEST_P(BsdpListAnswerDropped, SaysWhy) {
    AnswerParts parts;
    GetParam().change(parts);
    const Payload payload = parts.message();
    const auto answer = read_list_answer(from_server(payload), example_mac(), 0x1a2b3c02);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().from, server);
    EXPECT_THAT(answer.error().why, HasSubstr(GetParam().says));
    EXPECT_EQ(answer.error().kind == NotAccepted::Kind::plain_dhcp,
              std::string_view(GetParam().name).starts_with("plain"));
}
INSTANTIATE_TEST_SUITE_P(
    Cases, BsdpListAnswerDropped,
    testing::ValuesIn(std::vector<Case>{
        Case{"plain_dhcp", [](AnswerParts& p) { p.vendor_class.clear(); }, "no class AAPLBSDPC"},
        Case{"plain_dhcp_of_another_class",
             [](AnswerParts& p) { p.vendor_class = tlv(60, octets("PXEClient")); }, "no class AAPLBSDPC"},
        Case{"class_with_terminator",
             [](AnswerParts& p) { p.vendor_class = tlv(60, join({octets("AAPLBSDPC"), Payload{0}})); },
             "class is not exactly"},
        Case{"offer", [](AnswerParts& p) { p.type = {53, 1, 2}; }, "option 53 is not ACK"},
        Case{"no_identifier", [](AnswerParts& p) { p.identifier.clear(); }, "no server identifier"},
        Case{"no_vendor_options", [](AnswerParts& p) { p.vendor.clear(); }, "no vendor options"},
        Case{"broken_vendor_options", [](AnswerParts& p) { p.vendor = tlv(43, {1, 1, 1, 9, 200, 1}); },
             "runs past the end of its option 43"},
        Case{"no_type", [](AnswerParts& p) { p.vendor = tlv(43, {4, 2, 0, 1}); }, "no BSDP message type"},
        Case{"failed", [](AnswerParts& p) { p.vendor = tlv(43, {1, 1, 3}); }, "BSDP message type 3"},
        Case{"no_list", [](AnswerParts& p) { p.vendor = tlv(43, {1, 1, 1, 4, 2, 0, 1}); }, "no image list"},
        Case{"broken_list",
             [](AnswerParts& p) { p.vendor = tlv(43, {1, 1, 1, 9, 6, 0x81, 0, 0x10, 1, 9, 65}); },
             "a name runs past the end"},
        Case{"broken_options", [](AnswerParts& p) { p.vendor = {43, 200, 1}; }, "options cannot be read"}}),
    [](const auto& test) { return test.param.name; });

class BsdpListAnswerOdd : public testing::TestWithParam<Case> {};
TEST_P(BsdpListAnswerOdd, IsToldAbout) {
    AnswerParts parts;
    GetParam().change(parts);
    const Payload payload = parts.message();
    const auto answer = read_list_answer(from_server(payload), example_mac(), 0x1a2b3c02);
    ASSERT_TRUE(answer) << answer.error().why;
    EXPECT_THAT(answer->oddities, ElementsAre(HasSubstr(GetParam().says)));
}
INSTANTIATE_TEST_SUITE_P(
    Cases, BsdpListAnswerOdd,
    testing::ValuesIn(std::vector<Case>{
        Case{"no_priority",
             [](AnswerParts& p) {
                 p.vendor =
                     tlv(43, join({Payload{1, 1, 1}, tlv(7, be32(0x81001001)), AnswerParts::list("a")}));
             },
             "no priority"},
        Case{"no_default",
             [](AnswerParts& p) {
                 p.vendor = tlv(43, join({Payload{1, 1, 1}, tlv(4, be16(1)), AnswerParts::list("a")}));
             },
             "no default image"},
        Case{"default_not_listed",
             [](AnswerParts& p) {
                 p.vendor = tlv(43, join({Payload{1, 1, 1}, tlv(4, be16(1)), tlv(7, be32(0x81001001)),
                                          AnswerParts::list("a", 0x81001002)}));
             },
             "default 0x81001001 is not in its list"},
        Case{"choice_not_listed",
             [](AnswerParts& p) {
                 p.vendor = tlv(43, join({Payload{1, 1, 1}, tlv(4, be16(1)), tlv(7, be32(0x81001001)),
                                          tlv(8, be32(0x81001003)), AnswerParts::list("a")}));
             },
             "choice 0x81001003 is not in its list"},
        Case{"id_0",
             [](AnswerParts& p) { p.vendor = join({p.vendor, tlv(43, AnswerParts::list("zero", 0))}); },
             "have the id 0"}}),
    [](const auto& test) { return test.param.name; });

TEST(BsdpListAnswer, IsForeignWhenMeantForSomebodyElse) {
    const Payload payload = AnswerParts().message();
    const auto is_foreign = [](const codec::Datagram& datagram, const PlayedMac& mac, std::uint32_t xid) {
        const auto answer = read_list_answer(datagram, mac, xid);
        return !answer && answer.error().kind == NotAccepted::Kind::foreign;
    };
    EXPECT_FALSE(is_foreign(from_server(payload), example_mac(), 0x1a2b3c02)) << "this one is ours";
    EXPECT_TRUE(is_foreign(from_server(payload), example_mac(), 0x1a2b3c99)) << "another xid";
    EXPECT_TRUE(is_foreign(from_server(payload, 993), example_mac(), 0x1a2b3c02)) << "another port";
    PlayedMac other = example_mac();
    other.mac = base::MacAddress({2, 0, 0, 0, 0, 9});
    EXPECT_TRUE(is_foreign(from_server(payload), other, 0x1a2b3c02)) << "another MAC";
    EXPECT_TRUE(is_foreign(from_server(bsdp_example("E3")), example_mac(), 0x1a2b3c02)) << "a request";
    EXPECT_TRUE(is_foreign(from_server(Payload{1, 2, 3}), example_mac(), 0x1a2b3c02)) << "noise";
}

TEST(BsdpListAnswer, ToAnotherAddressIsDropped) {
    PlayedMac mac = example_mac();
    mac.address = Ipv4Address(10, 0, 1, 33);
    const auto answer = read_list_answer(from_server(AnswerParts().message()), mac, 0x1a2b3c02);
    ASSERT_FALSE(answer);
    EXPECT_THAT(answer.error().why, HasSubstr("ciaddr 10.0.1.32 is not ours"));
}

TEST(BsdpListAnswer, ImagesThatDoNotPassTheFilterAreDropped) {
    PlayedMac mac = example_mac();
    mac.filter = {0x0300};
    const Payload payload = AnswerParts().message();
    const auto answer = read_list_answer(from_server(payload), mac, 0x1a2b3c02);
    ASSERT_TRUE(answer);
    EXPECT_THAT(answer->images, IsEmpty());
    mac.filter = {0x0300, 0x8100};
    EXPECT_EQ(read_list_answer(from_server(payload), mac, 0x1a2b3c02)->images.size(), 1U);
}

TEST(BsdpSelectAnswer, ReadsTheWorkedExamples) {
    const auto grub = read_select_answer(from_server(bsdp_example("E6")), example_mac(), 0x1a2b3c03);
    ASSERT_TRUE(grub) << grub.error().why;
    EXPECT_FALSE(grub->failed);
    EXPECT_EQ(grub->image, BootImageId(0x81001001));
    EXPECT_EQ(grub->tftp_server, server);
    EXPECT_EQ(grub->server_name, "lab1");
    EXPECT_EQ(grub->file, "NetBoot/NetBootSP0/grub.nbi/i386/booter");
    EXPECT_THAT(grub->oddities, IsEmpty());

    const auto failed = read_select_answer(from_server(bsdp_example("E10")), example_mac(), 0x1a2b3c0a);
    ASSERT_TRUE(failed) << failed.error().why;
    EXPECT_TRUE(failed->failed);
}

TEST(BsdpSelectAnswer, ReadsRootPathAndMachineName) {
    const Payload& example = bsdp_example("E9");
    const auto message = codec::DhcpView::parse(example);
    PlayedMac mac;
    mac.mac = message->header().mac();
    mac.address = message->header().ciaddr;
    const auto answer = read_select_answer(from_server(example), mac, message->header().xid);
    ASSERT_TRUE(answer) << answer.error().why;
    EXPECT_THAT(answer->root_path, HasSubstr("nfs:"));
    EXPECT_EQ(answer->machine_name, "NetBoot007");
}

TEST(BsdpSelectAnswer, SaysWhatIsMissing) {
    AnswerParts parts;
    parts.vendor = tlv(43, {1, 1, 2});
    const auto answer = read_select_answer(from_server(parts.message()), example_mac(), 0x1a2b3c02);
    ASSERT_TRUE(answer);
    EXPECT_THAT(answer->oddities, ElementsAre(HasSubstr("no boot file"), HasSubstr("no TFTP server"),
                                              HasSubstr("not confirm")));
}

TEST(BsdpSelectAnswer, FindsTheFileInOption67Too) {
    AnswerParts parts;
    parts.vendor = join({tlv(43, {1, 1, 2, 8, 4, 0x81, 0, 0x10, 1}), tlv(67, octets("ipxe.efi"))});
    const auto answer = read_select_answer(from_server(parts.message()), example_mac(), 0x1a2b3c02);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->file, "ipxe.efi");
    EXPECT_THAT(answer->oddities, testing::Contains(HasSubstr("option 67 only")));
}

TEST(BsdpSelectAnswer, AListAnswerIsNone) {
    const auto answer = read_select_answer(from_server(AnswerParts().message()), example_mac(), 0x1a2b3c02);
    ASSERT_FALSE(answer);
    EXPECT_THAT(answer.error().why, HasSubstr("BSDP message type 1"));
}

}  // namespace
}  // namespace pomona::app
