#include "support/hex_fixture.hpp"
#include "support/wire.hpp"

#include <pomona/codec/bsdp.hpp>

#include <gtest/gtest.h>

namespace pomona::codec {
namespace {

using base::BootImageId;
using base::Ipv4Address;
using tests::bsdp_example;
using tests::join;
using tests::message_with_vendor_options;
using tests::octets;
using tests::Payload;
using tests::tlv;

using Filter = std::vector<std::uint16_t>;

TEST(ParseVendorClass, FollowsApplesRuleByteForByte) {
    struct Case {
        std::string_view value;
        std::optional<VendorClass> expected;
    };
    using namespace std::string_view_literals;
    const std::optional<VendorClass> rejected;
    for (const Case& c : {
             Case{"AAPLBSDPC/i386/iMac4,1", VendorClass{"i386", "iMac4,1"}},
             Case{"AAPLBSDPC/ppc/PowerMac3,1", VendorClass{"ppc", "PowerMac3,1"}},
             Case{"AAPLBSDPC/arm/J313AP", VendorClass{"arm", "J313AP"}},
             Case{"AAPLBSDPC/i386/VMware7,1", VendorClass{"i386", "VMware7,1"}},
             Case{"AAPLBSDPC/i386/", VendorClass{"i386", ""}},
             Case{"AAPLBSDPC//", VendorClass{"", ""}},
             Case{"AAPLBSDPC//iMac4,1", VendorClass{"", "iMac4,1"}},
             Case{"AAPLBSDPC/i386/a/b", VendorClass{"i386", "a/b"}},
             Case{"AAPLBSDPC/i386//", VendorClass{"i386", "/"}},
             Case{"AAPLBSDPC/i386/\xff\x01", VendorClass{"i386", "\xff\x01"}},
             Case{"AAPLBSDPC", VendorClass{"", ""}},
             Case{"AAPLBSDPC/i386", rejected},
             Case{"AAPLBSDPC/", rejected},
             Case{"AAPLBSDPCX/i386/x", rejected},
             Case{"AAPLBSDPC ", rejected},
             Case{"aaplbsdpc/i386/x", rejected},
             Case{"AAPLBSDPc/i386/x", rejected},
             Case{"AAPLBSDP", rejected},
             Case{"", rejected},
             Case{"PXEClient:Arch:00007:UNDI:003016", rejected},
             Case{"AAPLBSDPC/i386/iMac\0004,1"sv, rejected},
             Case{"AAPLBSDPC/i386/iMac4,1\0"sv, rejected},
             Case{"AAPLBSDPC\0"sv, rejected},
             Case{"AAPLBSDPC/i386\n/iMac4,1", rejected},
             Case{"AAPLBSDPC/i386/iMac4,1\n", rejected},
             Case{" AAPLBSDPC/i386/iMac4,1", rejected},
         }) {
        EXPECT_EQ(parse_vendor_class(base::as_bytes(c.value)), c.expected) << c.value;
    }
}

/// parse_bsdp() of a message with these instances; every octet of the message stays alive in `message`.
struct Parsed {
    explicit Parsed(Payload bytes)
        : message(std::move(bytes)), options(parse_bsdp(*DhcpView::parse(message))) {}

    Payload message;
    std::expected<BsdpOptions, BsdpFault> options;
};

Parsed vendor(std::initializer_list<Payload> instances) {
    return Parsed(message_with_vendor_options(instances));
}

TEST(ParseBsdp, GivesTheFieldsOfEveryWorkedExample) {
    const BootImageId grub(0x81001001);
    const Ipv4Address server(10, 0, 1, 11);
    struct Case {
        const char* name;
        BsdpOptions expected;
    };
    for (const Case& c : {
             Case{"E1", {.version = 0x0101}},
             Case{"E2", {.selected_image = grub}},
             Case{"E3", {.message_type = 1, .version = 0x0101}},
             Case{
                 "E5",
                 {.message_type = 2, .version = 0x0101, .server_identifier = server, .selected_image = grub}},
             Case{"E6", {.message_type = 2, .selected_image = grub}},
             Case{"E7",
                  {.message_type = 1, .version = 0x0101, .reply_port = 993, .maximum_message_size = 8192}},
             Case{"E9",
                  {.message_type = 2,
                   .selected_image = BootImageId(0x01000205),
                   .shadow_mount_path = "afp://netboot006:a%21b2C3d4@10.0.1.11/NetBootClients0",
                   .shadow_file_path = "NetBoot007/Shadow",
                   .machine_name = "NetBoot007"}},
             Case{"E10", {.message_type = 3}},
             Case{"E11", {.message_type = 1, .version = 0x0101, .attributes_filter = Filter{0x0300}}},
             Case{"E12",
                  {.message_type = 1,
                   .server_priority = 32768,
                   .default_image = grub,
                   .selected_image = BootImageId(0x81000003)}},
             Case{"E13",
                  {.message_type = 1,
                   .version = 0x0101,
                   .reply_port = 1001,
                   .netboot_1_0 = true,
                   .maximum_message_size = 8192}},
             Case{"E14", {.message_type = 1, .version = 0x0101}},
         }) {
        const Parsed parsed(bsdp_example(c.name));
        ASSERT_TRUE(parsed.options) << c.name;
        EXPECT_EQ(*parsed.options, c.expected) << c.name;
    }
}

TEST(ParseBsdp, GivesTheListsOfTheWorkedExamples) {
    for (const char* name : {"E4", "E15"}) {
        const Parsed parsed(bsdp_example(name));
        ASSERT_TRUE(parsed.options && parsed.options->image_list) << name;
        EXPECT_EQ(parsed.options->server_priority, 32768) << name;
        EXPECT_EQ(parsed.options->default_image, BootImageId(0x81001001)) << name;
        EXPECT_EQ(parsed.options->selected_image, std::nullopt) << name;
        EXPECT_EQ(parse_image_list(*parsed.options->image_list),
                  (std::vector<ListedImage>{{BootImageId(0x81001001), "GRUB 2 (lab)"},
                                            {BootImageId(0x81001002), "iPXE"}}))
            << name;
    }
    const Parsed real(bsdp_example("R1"));
    ASSERT_TRUE(real.options && real.options->image_list);
    EXPECT_EQ(real.options->server_priority, 32766);
    EXPECT_EQ(parse_image_list(*real.options->image_list),
              (std::vector<ListedImage>{
                  {BootImageId(0x82000447), "DSR-1095"},
                  {BootImageId(0x81000360), "NetInstall of Install OS X El Capitan 10.11.3 - 15D21"}}));

    // Three instances, each with a sub-option 9 of its own.
    const Parsed long_list(bsdp_example("E8"));
    ASSERT_TRUE(long_list.options && long_list.options->image_list);
    EXPECT_EQ(long_list.options->selected_image, BootImageId(0x81000003));
    const auto images = parse_image_list(*long_list.options->image_list);
    ASSERT_TRUE(images);
    ASSERT_EQ(images->size(), 14U);
    for (std::uint32_t i = 0; i < 14; ++i) {
        const std::string number = std::to_string((i + 1) / 10) + std::to_string((i + 1) % 10);
        EXPECT_EQ((*images)[i].id, BootImageId(0x81000001 + i));
        EXPECT_EQ((*images)[i].name, "Lab image " + number + " - macOS installer");
    }
}

TEST(DhcpExamples, GiveTheFieldsNamedInTheNotes) {
    struct Case {
        const char* name;
        std::optional<DhcpType> type;
        const char* ciaddr;
        const char* siaddr;
        const char* giaddr;
        std::string_view vendor_class;
    };
    const auto discover = DhcpType::discover;
    const auto offer = DhcpType::offer;
    const auto ack = DhcpType::ack;
    const auto inform = DhcpType::inform;
    for (const Case& c : {
             Case{"E1", discover, "0.0.0.0", "0.0.0.0", "0.0.0.0", "AAPLBSDPC/i386/iMac12,1"},
             Case{"E2", offer, "0.0.0.0", "10.0.1.11", "0.0.0.0", "AAPLBSDPC"},
             Case{"E3", inform, "10.0.1.32", "0.0.0.0", "0.0.0.0", "AAPLBSDPC/i386/iMac12,1"},
             Case{"E4", ack, "10.0.1.32", "10.0.1.11", "0.0.0.0", "AAPLBSDPC"},
             Case{"E5", inform, "10.0.1.32", "0.0.0.0", "0.0.0.0", "AAPLBSDPC/i386/iMac12,1"},
             Case{"E6", ack, "10.0.1.32", "10.0.1.11", "0.0.0.0", "AAPLBSDPC"},
             Case{"E7", inform, "10.0.1.32", "0.0.0.0", "0.0.0.0", "AAPLBSDPC/i386/iMac14,2"},
             Case{"E8", ack, "10.0.1.32", "10.0.1.11", "0.0.0.0", "AAPLBSDPC"},
             Case{"E9", ack, "10.0.1.32", "10.0.1.11", "0.0.0.0", "AAPLBSDPC"},
             Case{"E10", ack, "10.0.1.32", "10.0.1.11", "0.0.0.0", "AAPLBSDPC"},
             Case{"E11", inform, "10.0.1.32", "0.0.0.0", "0.0.0.0", "AAPLBSDPC/i386/iMac12,1"},
             Case{"E12", ack, "10.0.1.32", "10.0.1.11", "0.0.0.0", "AAPLBSDPC"},
             Case{"E13", inform, "10.0.1.32", "0.0.0.0", "0.0.0.0", "AAPLBSDPC/ppc/iMac,1"},
             Case{"E14", inform, "10.0.2.40", "0.0.0.0", "10.0.2.1", "AAPLBSDPC/i386/iMac12,1"},
             Case{"E15", ack, "10.0.2.40", "10.0.1.11", "10.0.2.1", "AAPLBSDPC"},
             Case{"E16", std::nullopt, "0.0.0.0", "0.0.0.0", "0.0.0.0", ""},
             Case{"E17", std::nullopt, "0.0.0.0", "10.0.1.11", "0.0.0.0", ""},
             Case{"R1", ack, "10.0.1.93", "0.0.0.0", "0.0.0.0", "AAPLBSDPC"},
         }) {
        const auto view = DhcpView::parse(bsdp_example(c.name));
        ASSERT_TRUE(view) << c.name;
        EXPECT_EQ(view->options_fault(), std::nullopt) << c.name;
        EXPECT_EQ(view->type(), c.type) << c.name;
        const BootpHeader& header = view->header();
        const bool request = c.type == discover || c.type == inform || std::string_view(c.name) == "E16";
        EXPECT_EQ(header.op, request ? bootrequest : bootreply) << c.name;
        EXPECT_EQ(header.hops, std::string_view(c.name) == "E14" ? 1 : 0) << c.name;
        EXPECT_EQ(header.ciaddr.text(), c.ciaddr) << c.name;
        EXPECT_EQ(header.siaddr.text(), c.siaddr) << c.name;
        EXPECT_EQ(header.giaddr.text(), c.giaddr) << c.name;
        EXPECT_EQ(base::as_text(view->option(Option::vendor_class).value_or(base::Bytes{})), c.vendor_class)
            << c.name;
        EXPECT_EQ(view->option_u16(Option::maximum_message_size).has_value(), request && c.type) << c.name;
        EXPECT_EQ(view->option_address(Option::server_identifier).has_value(), !request && c.type) << c.name;
    }
}

TEST(ParseBsdp, ReadsOptionStringsSeenInTheField) {
    const Payload list{0x01, 0x01, 0x01, 0x04, 0x02, 0x80, 0x00, 0x07, 0x04, 0x81, 0x00, 0x05, 0x2a, 0x09,
                       0x0d, 0x81, 0x00, 0x05, 0x2a, 0x08, 0x69, 0x50, 0x58, 0x45, 0x2d, 0x46, 0x4f, 0x47};
    const Parsed fog = vendor({list});
    ASSERT_TRUE(fog.options && fog.options->image_list);
    EXPECT_EQ(parse_image_list(*fog.options->image_list),
              (std::vector<ListedImage>{{BootImageId(0x8100052a), "iPXE-FOG"}}));

    const BsdpOptions select{.message_type = 2,
                             .version = 0x0101,
                             .server_identifier = Ipv4Address(10, 0, 1, 11),
                             .selected_image = BootImageId(0x8100052a)};
    const Payload start{1, 1, 2, 2, 2, 1, 1};
    const Payload server{3, 4, 10, 0, 1, 11};
    const Payload image{8, 4, 0x81, 0, 0x05, 0x2a};
    EXPECT_EQ(*vendor({join({start, server, image})}).options, select);
    EXPECT_EQ(*vendor({join({start, image, server})}).options, select) << "the order carries no meaning";

    const Parsed lost = vendor({join({start, {3, 4, 0, 0, 0, 0, 8, 4, 0, 0, 0, 0}})});
    ASSERT_TRUE(lost.options);
    EXPECT_EQ(lost.options->server_identifier, Ipv4Address());
    EXPECT_EQ(lost.options->selected_image, BootImageId());
}

TEST(ParseBsdp, FollowsTheReadingRules) {
    const BsdpOptions list_1_1{.message_type = 1, .version = 0x0101};
    struct Case {
        const char* name;
        std::vector<Payload> instances;
        std::expected<BsdpOptions, BsdpFault> expected;
    };
    const auto fault = [](BsdpFault f) { return std::unexpected(f); };
    for (const Case& c : {
             Case{"pads anywhere", {{0, 1, 1, 1, 0, 0, 2, 2, 1, 1, 0}}, list_1_1},
             Case{"an end", {{1, 1, 1, 2, 2, 1, 1, 255}}, list_1_1},
             Case{"no end, that is", {{1, 1, 1, 2, 2, 1, 1}}, list_1_1},
             Case{"an empty instance", {{}, {1, 1, 1, 2, 2, 1, 1}}, list_1_1},
             Case{"only an empty instance", {{}}, BsdpOptions{}},
             Case{"spread over two instances", {{1, 1, 1}, {2, 2, 1, 1}}, list_1_1},
             Case{"an end stops its own instance only",
                  {{1, 1, 1, 255, 5, 2, 3, 0xe1}, {2, 2, 1, 1}},
                  list_1_1},
             Case{"nothing is read behind an end", {{1, 1, 1, 2, 2, 1, 1, 255, 9, 200}}, list_1_1},
             Case{"instances are not glued together: split value",
                  {{1, 1, 1, 2, 2, 1}, {1}},
                  fault(BsdpFault::truncated)},
             Case{"instances are not glued together: split length",
                  {{1, 1, 1, 2}, {2, 1, 1}},
                  fault(BsdpFault::truncated)},
             Case{"past the end in the last instance",
                  {{1, 1, 1, 2, 2, 1, 1}, {9, 1}},
                  fault(BsdpFault::truncated)},
             Case{"past the end in an unknown one",
                  {{1, 1, 1, 2, 2, 1, 1, 200, 1}},
                  fault(BsdpFault::truncated)},
             Case{"a code without a length", {{1, 1, 1, 2, 2, 1, 1, 5}}, fault(BsdpFault::truncated)},
             Case{"the first occurrence counts", {{1, 1, 1, 2, 2, 1, 1, 1, 1, 2}, {2, 2, 1, 0}}, list_1_1},
             Case{"a second one may have any length", {{1, 1, 1, 2, 2, 1, 1, 2, 1, 1}}, list_1_1},
             Case{"unknown ones are skipped",
                  {{200, 3, 1, 2, 3, 1, 1, 1, 13, 0, 2, 2, 1, 1, 254, 1, 9}},
                  list_1_1},
             Case{"the image list path is skipped", {{1, 1, 1, 6, 2, 'x', 'y', 2, 2, 1, 1}}, list_1_1},
             Case{"sub-option 9 is joined in order",
                  {{9, 6, 0x81, 0, 0, 1, 1, 'a'}, {1, 1, 1, 9, 3, 0x81, 0, 0}, {9, 3, 2, 1, 'b'}},
                  BsdpOptions{.message_type = 1,
                              .image_list = Payload{0x81, 0, 0, 1, 1, 'a', 0x81, 0, 0, 2, 1, 'b'}}},
             Case{"sub-option 9 twice in one instance",
                  {{9, 1, 1, 9, 1, 2}},
                  BsdpOptions{.image_list = Payload{1, 2}}},
             Case{"an empty list is not an absent one", {{9, 0}}, BsdpOptions{.image_list = Payload{}}},
         }) {
        Payload options;
        for (const Payload& instance : c.instances) options = join({options, tlv(43, instance)});
        const Parsed parsed(tests::dhcp_message(join({options, {255}})));
        EXPECT_EQ(parsed.options, c.expected) << c.name;
    }
}

TEST(ParseBsdp, JudgesLengths) {
    struct Case {
        const char* name;
        Payload options;
        std::expected<BsdpOptions, BsdpFault> expected;
    };
    const std::unexpected wrong(BsdpFault::wrong_length);
    const BsdpOptions nothing;
    for (const Case& c : {
             Case{"type of none", {1, 0}, wrong},
             Case{"type of two", {1, 2, 1, 1}, wrong},
             Case{"version of none", {2, 0}, wrong},
             Case{"version of one", {2, 1, 1}, wrong},
             Case{"version of three", {2, 3, 1, 1, 1}, wrong},
             Case{"server identifier of three", {3, 3, 10, 0, 1}, wrong},
             Case{"server identifier of none", {3, 0}, wrong},
             Case{"server identifier of eight", {3, 8, 10, 0, 1, 11, 10, 0, 1, 12}, wrong},
             Case{"priority of one", {4, 1, 1}, nothing},
             Case{"reply port of one", {5, 1, 3}, nothing},
             Case{"reply port of four", {5, 4, 0, 0, 3, 0xe1}, nothing},
             Case{"default image of three", {7, 3, 0x81, 0, 0}, nothing},
             Case{"selected image of five", {8, 5, 0x81, 0, 0, 1, 0}, nothing},
             Case{"maximum size of one", {12, 1, 8}, nothing},
             Case{"maximum size of four", {12, 4, 0, 0, 8, 0}, nothing},
             Case{"a right one behind a wrong one stays absent", {5, 1, 3, 5, 2, 3, 0xe1}, nothing},
             Case{"filter of none means no filter", {11, 0}, nothing},
             Case{"filter of one means no filter", {11, 1, 3}, nothing},
             Case{"filter of two", {11, 2, 3, 0}, BsdpOptions{.attributes_filter = Filter{0x0300}}},
             Case{"filter drops an odd octet",
                  {11, 3, 3, 0, 9},
                  BsdpOptions{.attributes_filter = Filter{0x0300}}},
             Case{"filter of two elements",
                  {11, 4, 3, 0, 0x81, 0},
                  BsdpOptions{.attributes_filter = Filter{0x0300, 0x8100}}},
             Case{"NetBoot 1.0 with the length of the text", {10, 0}, BsdpOptions{.netboot_1_0 = true}},
             Case{"NetBoot 1.0 with the length of the tables", {10, 1, 0}, BsdpOptions{.netboot_1_0 = true}},
             Case{"an empty machine name", {130, 0}, nothing},
         }) {
        EXPECT_EQ(vendor({c.options}).options, c.expected) << c.name;
    }
}

TEST(ParseBsdp, NeedsOption43) {
    const Parsed none(tests::dhcp_message({53, 1, 8, 255}));
    EXPECT_EQ(none.options, std::unexpected(BsdpFault::no_vendor_options));
    const Parsed broken(tests::dhcp_message({53, 1, 8, 43, 3, 1, 1, 1, 60, 9}));
    EXPECT_EQ(broken.options, std::unexpected(BsdpFault::no_vendor_options)) << "options that do not parse";
    const Parsed bootp(tests::bootp_fixed_part());
    EXPECT_EQ(bootp.options, std::unexpected(BsdpFault::no_vendor_options));
}

TEST(ParseImageList, TakesAllOrNothing) {
    const auto parse = [](const Payload& list) { return parse_image_list(list); };
    EXPECT_EQ(parse({}), std::vector<ListedImage>{});
    const Payload a{0x81, 0, 0x10, 1, 1, 'a'};
    EXPECT_EQ(parse(a), (std::vector<ListedImage>{{BootImageId(0x81001001), "a"}}));
    const Payload empty_name{0x81, 0, 0x10, 1, 0};
    EXPECT_EQ(parse(empty_name), (std::vector<ListedImage>{{BootImageId(0x81001001), ""}}));
    const Payload two = join({a, empty_name});
    for (std::size_t size = 1; size < two.size(); ++size) {
        const bool whole = size == a.size();
        EXPECT_EQ(parse_image_list(base::Bytes(two).first(size)).has_value(), whole) << size;
    }
    EXPECT_EQ(parse({0x81, 0, 0x10, 1, 2, 'a'}), std::nullopt) << "a name past the end throws the list away";
}

TEST(BsdpWriter, WritesOneInstanceAndFailsPastIt) {
    BsdpWriter writer;
    writer.u8(BsdpOption::message_type, 2);
    writer.u16(BsdpOption::reply_port, 993);
    writer.address(BsdpOption::server_identifier, Ipv4Address(10, 0, 1, 11));
    writer.image(BsdpOption::selected_boot_image, BootImageId(0x81001001));
    writer.bytes(BsdpOption::netboot_1_0_firmware, {});
    EXPECT_TRUE(writer.ok());
    const Payload expected{1, 1, 2, 5, 2, 3, 0xe1, 3, 4, 10, 0, 1, 11, 8, 4, 0x81, 0, 0x10, 1, 10, 0};
    EXPECT_EQ(Payload(writer.value().begin(), writer.value().end()), expected);

    writer.bytes(BsdpOption::machine_name, Payload(255 - 21 - 2, 'n'));
    EXPECT_TRUE(writer.ok());
    EXPECT_EQ(writer.size(), 255U);
    writer.bytes(BsdpOption::netboot_1_0_firmware, {});
    EXPECT_FALSE(writer.ok());
    EXPECT_EQ(writer.size(), 255U);

    BsdpWriter over;
    over.bytes(BsdpOption::machine_name, Payload(254, 'n'));
    EXPECT_FALSE(over.ok());
    over.u8(BsdpOption::message_type, 1);
    EXPECT_FALSE(over.ok());
    EXPECT_EQ(over.size(), 0U);
}

/// Everything of an ACK in front of option 43.
DhcpWriter start_answer(Payload& room, std::uint32_t xid, std::string_view sname, std::string_view file) {
    BootpHeader header;
    header.op = bootreply;
    header.xid = xid;
    header.ciaddr = Ipv4Address(10, 0, 1, 32);
    header.siaddr = Ipv4Address(10, 0, 1, 11);
    header.set_mac(base::MacAddress({0x40, 0x6c, 0x8f, 0x37, 0x95, 0x27}));
    DhcpWriter writer(room, header, sname, file);
    writer.option_u8(Option::message_type, static_cast<std::uint8_t>(DhcpType::ack));
    writer.option_address(Option::server_identifier, Ipv4Address(10, 0, 1, 11));
    writer.option_text(Option::vendor_class, bsdp_class);
    return writer;
}

Payload finished(DhcpWriter& writer) {
    const base::Bytes message = writer.finish();
    return {message.begin(), message.end()};
}

TEST(BsdpWriter, MakesTheSelectAndFailedAnswersOfTheNotes) {
    Payload room(1472);
    BsdpWriter options;
    options.u8(BsdpOption::message_type, static_cast<std::uint8_t>(BsdpType::select));
    options.image(BsdpOption::selected_boot_image, BootImageId(0x81001001));
    DhcpWriter grub = start_answer(room, 0x1a2b3c03, "lab1", "NetBoot/NetBootSP0/grub.nbi/i386/booter");
    grub.option(Option::vendor_specific, options.value());
    EXPECT_EQ(finished(grub), bsdp_example("E6"));

    options = BsdpWriter();
    options.u8(BsdpOption::message_type, static_cast<std::uint8_t>(BsdpType::select));
    options.image(BsdpOption::selected_boot_image, BootImageId(0x01000205));
    options.bytes(BsdpOption::machine_name, octets("NetBoot007"));
    options.bytes(BsdpOption::shadow_mount_path,
                  octets("afp://netboot006:a%21b2C3d4@10.0.1.11/NetBootClients0"));
    options.bytes(BsdpOption::shadow_file_path, octets("NetBoot007/Shadow"));
    DhcpWriter lion = start_answer(room, 0x1a2b3c09, "lab1", "NetBoot/NetBootSP0/Lion.nbi/i386/booter");
    lion.option_text(Option::root_path, "nfs:10.0.1.11:/srv/NetBoot/NetBootSP0:Lion.nbi/NetBoot.dmg");
    lion.option(Option::vendor_specific, options.value());
    EXPECT_EQ(finished(lion), bsdp_example("E9"));

    options = BsdpWriter();
    options.u8(BsdpOption::message_type, static_cast<std::uint8_t>(BsdpType::failed));
    DhcpWriter failed = start_answer(room, 0x1a2b3c0a, "", "");
    failed.option(Option::vendor_specific, options.value());
    EXPECT_EQ(finished(failed), bsdp_example("E10"));
}

}  // namespace
}  // namespace pomona::codec
