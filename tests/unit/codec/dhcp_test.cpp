#include "support/hex_fixture.hpp"
#include "support/wire.hpp"

#include <pomona/codec/dhcp.hpp>

#include <gtest/gtest.h>

#include <algorithm>

namespace pomona::codec {
namespace {

using tests::be16;
using tests::bootp_fixed_part;
using tests::bsdp_example;
using tests::dhcp_message;
using tests::join;
using tests::octets;
using tests::Payload;
using tests::tlv;

constexpr std::size_t sname_at = 44;
constexpr std::size_t file_at = 108;

Payload overwrite(Payload message, std::size_t at, const Payload& with) {
    std::ranges::copy(with, message.begin() + static_cast<std::ptrdiff_t>(at));
    return message;
}

/// Every option as "code:length", in the order of the walk.
std::string walk_of(const DhcpView& view) {
    std::string all;
    view.for_each_option([&](Option code, base::Bytes value) {
        if (!all.empty()) all += ' ';
        all += std::to_string(static_cast<unsigned>(code)) + ':' + std::to_string(value.size());
    });
    return all;
}

std::string text_of(std::optional<base::Bytes> value) {
    return value ? std::string(base::as_text(*value)) : "(none)";
}

TEST(DhcpView, ReadsEveryFieldOfTheHeader) {
    Payload message;
    for (int i = 0; i < 236; ++i) message.push_back(static_cast<std::uint8_t>(i));
    message[2] = 16;  // hlen
    const auto view = DhcpView::parse(message);
    ASSERT_TRUE(view);
    const BootpHeader& header = view->header();
    EXPECT_EQ(header.op, 0);
    EXPECT_EQ(header.htype, 1);
    EXPECT_EQ(header.hlen, 16);
    EXPECT_EQ(header.hops, 3);
    EXPECT_EQ(header.xid, 0x04050607U);
    EXPECT_EQ(header.secs, 0x0809);
    EXPECT_EQ(header.flags, 0x0a0b);
    EXPECT_EQ(header.ciaddr, base::Ipv4Address(12, 13, 14, 15));
    EXPECT_EQ(header.yiaddr, base::Ipv4Address(16, 17, 18, 19));
    EXPECT_EQ(header.siaddr, base::Ipv4Address(20, 21, 22, 23));
    EXPECT_EQ(header.giaddr, base::Ipv4Address(24, 25, 26, 27));
    EXPECT_EQ(header.mac().text(), "1c:1d:1e:1f:20:21");
    EXPECT_EQ(header.chaddr.back(), 43);
    ASSERT_EQ(view->sname().size(), 64U);
    EXPECT_EQ(view->sname().front(), 44);
    ASSERT_EQ(view->file().size(), 128U);
    EXPECT_EQ(view->file().front(), 108);
    EXPECT_TRUE(view->vendor_area().empty());
    EXPECT_EQ(view->options_fault(), DhcpFault::no_cookie);
}

TEST(DhcpView, RefusesWhatIsShorterThanTheFixedPart) {
    const Payload whole = bootp_fixed_part();
    ASSERT_EQ(whole.size(), bootp_fixed_size);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto view = DhcpView::parse(base::Bytes(whole).first(size));
        ASSERT_FALSE(view) << size;
        EXPECT_EQ(view.error(), DhcpFault::too_short);
    }
    EXPECT_TRUE(DhcpView::parse(whole));
    EXPECT_EQ(DhcpView::parse(overwrite(whole, 2, {17})).error(), DhcpFault::too_short);
    const auto sixteen = overwrite(whole, 2, {16});
    EXPECT_TRUE(DhcpView::parse(sixteen));
}

TEST(DhcpView, WalksOptions) {
    struct Case {
        const char* name;
        Payload options;
        std::string_view walk;
    };
    for (const Case& c : {
             Case{"none at all", {}, ""},
             Case{"only the end", {255}, ""},
             Case{"one", {53, 1, 8, 255}, "53:1"},
             Case{"without 255", {53, 1, 8}, "53:1"},
             Case{"padding between and behind", {0, 0, 53, 1, 8, 0, 60, 0, 255, 0, 0}, "53:1 60:0"},
             Case{"what stands behind the end is not read", {53, 1, 8, 255, 60, 200}, "53:1"},
             Case{"several instances one by one", {43, 1, 1, 43, 2, 1, 2, 255}, "43:1 43:2"},
             Case{"the longest", join({tlv(224, Payload(255, 7)), {255}}), "224:255"},
             Case{"a single pad octet at the end", {53, 1, 8, 0}, "53:1"},
         }) {
        const Payload message = dhcp_message(c.options);
        const auto view = DhcpView::parse(message);
        ASSERT_TRUE(view) << c.name;
        EXPECT_EQ(view->options_fault(), std::nullopt) << c.name;
        EXPECT_EQ(walk_of(*view), c.walk) << c.name;
    }
}

TEST(DhcpView, GivesNoOptionsWhenOneIsMalformed) {
    struct Case {
        const char* name;
        Payload options;
    };
    for (const Case& c : {
             Case{"past the end by one", {53, 1, 8, 60, 4, 'A', 'A', 'P'}},
             Case{"a code without a length", {53, 1, 8, 60}},
             Case{"a length without octets", {53, 1, 8, 60, 1}},
             Case{"overload 0", {53, 1, 8, 52, 1, 0, 255}},
             Case{"overload 4", {53, 1, 8, 52, 1, 4, 255}},
             Case{"overload of two octets", {53, 1, 8, 52, 2, 1, 0, 255}},
             Case{"overload without a value", {53, 1, 8, 52, 0, 255}},
         }) {
        const Payload message = dhcp_message(c.options);
        const auto view = DhcpView::parse(message);
        ASSERT_TRUE(view) << c.name;
        EXPECT_EQ(view->options_fault(), DhcpFault::malformed) << c.name;
        EXPECT_EQ(walk_of(*view), "") << c.name;
        EXPECT_EQ(view->type(), std::nullopt) << c.name;
        EXPECT_FALSE(view->option(Option::message_type)) << c.name;
        EXPECT_EQ(view->header().mac().text(), "40:6c:8f:37:95:27")
            << c.name << ": the header is still there";
    }
}

TEST(DhcpView, AnotherCookieMeansPlainBootp) {
    for (const Payload& vendor : {Payload{}, Payload{0x63}, Payload{0x63, 0x82, 0x53},
                                  Payload{0x63, 0x82, 0x53, 0x64}, Payload(64, 0)}) {
        const Payload message = join({bootp_fixed_part(), vendor, {53, 1, 8, 255}});
        const auto view = DhcpView::parse(message);
        ASSERT_TRUE(view);
        EXPECT_EQ(view->options_fault(), DhcpFault::no_cookie);
        EXPECT_EQ(view->vendor_area().size(), vendor.size() + 4);
        EXPECT_EQ(walk_of(*view), "");
    }
}

TEST(DhcpView, ReadsFileAndSnameWhenOverloaded) {
    // file holds a router, sname a host name; each name counts as options only where option 52 says so.
    Payload names = overwrite(dhcp_message({}), sname_at, {12, 2, 'm', 'c', 255, 9});
    names = overwrite(names, file_at, {3, 4, 10, 0, 1, 1, 255});
    struct Case {
        std::uint8_t overload;
        std::string_view walk;
        bool file;
        bool sname;
    };
    for (const Case& c : {Case{1, "52:1 53:1 3:4", true, false}, Case{2, "52:1 53:1 12:2", false, true},
                          Case{3, "52:1 53:1 3:4 12:2", true, true}}) {
        const Payload message = join({names, {52, 1, c.overload, 53, 1, 8, 255}});
        const auto view = DhcpView::parse(message);
        ASSERT_TRUE(view);
        EXPECT_EQ(walk_of(*view), c.walk) << int{c.overload};
        EXPECT_EQ(view->file_overloaded(), c.file) << int{c.overload};
        EXPECT_EQ(view->sname_overloaded(), c.sname) << int{c.overload};
    }
    const Payload without = join({names, {53, 1, 8, 255}});
    const auto view = DhcpView::parse(without);
    ASSERT_TRUE(view);
    EXPECT_EQ(walk_of(*view), "53:1");
    EXPECT_FALSE(view->file_overloaded());
    EXPECT_FALSE(view->sname_overloaded());
}

TEST(DhcpView, ChecksOverloadedFieldsToo) {
    const Payload options{52, 1, 3, 53, 1, 8, 255};
    struct Case {
        const char* name;
        std::size_t at;
        Payload octets;
        bool sound;
    };
    for (const Case& c : {
             Case{"file: an option past its end", file_at + 120, {12, 7, 'x'}, false},
             Case{"file: an option up to its end", file_at + 120, {12, 6, 'x'}, true},
             Case{"sname: an option past its end", sname_at + 60, {12, 3, 'x'}, false},
             Case{"sname: an option up to its end", sname_at + 60, {12, 2, 'x'}, true},
             Case{"sname: a code without a length", sname_at + 63, {12}, false},
         }) {
        const Payload message = overwrite(dhcp_message(options), c.at, c.octets);
        const auto view = DhcpView::parse(message);
        ASSERT_TRUE(view) << c.name;
        EXPECT_EQ(view->options_fault() == std::nullopt, c.sound) << c.name;
    }
}

TEST(DhcpView, AnOverloadInsideAnOverloadedFieldMeansNothing) {
    const Payload message = overwrite(dhcp_message({52, 1, 1, 53, 1, 8, 255}), file_at, {52, 1, 2, 255});
    const auto view = DhcpView::parse(message);
    ASSERT_TRUE(view);
    EXPECT_EQ(walk_of(*view), "52:1 53:1 52:1");
    EXPECT_FALSE(view->sname_overloaded());
}

TEST(DhcpView, TheFirstInstanceCounts) {
    const Payload message = dhcp_message(join({tlv(60, octets("first")),
                                               tlv(60, octets("second")),
                                               tlv(53, {8}),
                                               tlv(53, {1}),
                                               tlv(52, {1}),
                                               tlv(52, {2}),
                                               {255}}));
    const auto view = DhcpView::parse(message);
    ASSERT_TRUE(view);
    EXPECT_EQ(text_of(view->option(Option::vendor_class)), "first");
    EXPECT_EQ(view->type(), DhcpType::inform);
    EXPECT_TRUE(view->file_overloaded());
    EXPECT_FALSE(view->sname_overloaded());
}

TEST(DhcpView, NumbersNeedTheirExactLength) {
    const Payload message = dhcp_message(join({tlv(53, {8, 0}),
                                               tlv(57, {5}),
                                               tlv(54, {10, 0, 1}),
                                               tlv(50, {10, 0, 1, 9}),
                                               tlv(52 + 172, be16(1500)),
                                               tlv(225, {7}),
                                               tlv(226, {}),
                                               {255}}));
    const auto view = DhcpView::parse(message);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->type(), std::nullopt);
    EXPECT_EQ(view->option_u16(Option::maximum_message_size), std::nullopt);
    EXPECT_EQ(view->option_address(Option::server_identifier), std::nullopt);
    EXPECT_EQ(view->option_address(Option::requested_address), base::Ipv4Address(10, 0, 1, 9));
    EXPECT_EQ(view->option_u16(static_cast<Option>(224)), 1500);
    EXPECT_EQ(view->option_u8(static_cast<Option>(225)), 7);
    EXPECT_EQ(view->option_u8(static_cast<Option>(226)), std::nullopt);
    EXPECT_EQ(view->option_u8(Option::router), std::nullopt);
}

TEST(DhcpView, KnowsWhatIsAskedFor) {
    const Payload message = dhcp_message({55, 3, 1, 67, 43, 255});
    const auto view = DhcpView::parse(message);
    ASSERT_TRUE(view);
    EXPECT_TRUE(view->asks_for(Option::boot_file_name));
    EXPECT_TRUE(view->asks_for(Option::vendor_specific));
    EXPECT_FALSE(view->asks_for(Option::vendor_class));
    const Payload silent = dhcp_message({53, 1, 8, 255});
    EXPECT_FALSE(DhcpView::parse(silent)->asks_for(Option::vendor_class));
}

TEST(BootpHeader, KeepsTheMacInFrontOfZeros) {
    BootpHeader header;
    header.chaddr.fill(0xee);
    header.set_mac(base::MacAddress({1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(header.mac(), base::MacAddress({1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(std::ranges::count(header.chaddr, 0), 10);
}

/// The header of the answer to the request in E3 and its kin.
BootpHeader reply_header() {
    BootpHeader header;
    header.op = bootreply;
    header.xid = 0x1a2b3c03;
    header.ciaddr = base::Ipv4Address(10, 0, 1, 32);
    header.siaddr = base::Ipv4Address(10, 0, 1, 11);
    header.set_mac(base::MacAddress({0x40, 0x6c, 0x8f, 0x37, 0x95, 0x27}));
    return header;
}

TEST(DhcpWriter, WritesEveryFieldWhereTheViewFindsIt) {
    BootpHeader header{
        .op = 2, .htype = 3, .hlen = 5, .hops = 7, .xid = 0x01020304, .secs = 0x0506, .flags = 0x8001};
    header.ciaddr = base::Ipv4Address(1, 1, 1, 1);
    header.yiaddr = base::Ipv4Address(2, 2, 2, 2);
    header.siaddr = base::Ipv4Address(3, 3, 3, 3);
    header.giaddr = base::Ipv4Address(4, 4, 4, 4);
    header.chaddr = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    Payload room(548);
    DhcpWriter writer(room, header, "server", "file");
    writer.option_u8(Option::message_type, 5);
    writer.option_address(Option::router, base::Ipv4Address(10, 0, 1, 1));
    writer.option_text(Option::host_name, "mac");
    const base::Bytes message = writer.finish();
    EXPECT_EQ(message.size(), 300U);
    const auto view = DhcpView::parse(message);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->header(), header);
    EXPECT_TRUE(base::as_text(view->sname()).starts_with(std::string_view("server\0", 7)));
    EXPECT_TRUE(base::as_text(view->file()).starts_with(std::string_view("file\0", 5)));
    EXPECT_EQ(walk_of(*view), "53:1 3:4 12:3");
    EXPECT_EQ(view->option_address(Option::router), base::Ipv4Address(10, 0, 1, 1));
    EXPECT_EQ(text_of(view->option(Option::host_name)), "mac");
}

TEST(DhcpWriter, MakesThePlainBootpReplyOfTheNotes) {
    BootpHeader header = reply_header();
    header.xid = 0x1a2b3c10;
    header.ciaddr = base::Ipv4Address();
    header.yiaddr = base::Ipv4Address(10, 0, 1, 32);
    Payload room(300);
    DhcpWriter writer(room, header, "lab1", "NetBoot/NetBootSP0/grub.nbi/i386/booter");
    writer.option_address(Option::subnet_mask, base::Ipv4Address(255, 255, 255, 0));
    writer.option_address(Option::router, base::Ipv4Address(10, 0, 1, 1));
    const base::Bytes message = writer.finish();
    EXPECT_EQ(Payload(message.begin(), message.end()), bsdp_example("E17"));
}

TEST(DhcpWriter, CutsNamesSoThatANulFollows) {
    struct Case {
        std::size_t length;
        std::size_t sname;
        std::size_t file;
    };
    for (const Case& c : {Case{0, 0, 0}, Case{62, 62, 62}, Case{63, 63, 63}, Case{64, 63, 64},
                          Case{127, 63, 127}, Case{128, 63, 127}, Case{300, 63, 127}}) {
        const std::string name(c.length, 'n');
        Payload room(548, 0xee);  // what lay in the room before must not show
        DhcpWriter writer(room, reply_header(), name, name);
        const base::Bytes message = writer.finish();
        const auto view = DhcpView::parse(message);
        ASSERT_TRUE(view);
        const auto count = [](base::Bytes field) {
            return static_cast<std::size_t>(std::ranges::count(field, 'n'));
        };
        EXPECT_EQ(count(view->sname()), c.sname) << c.length;
        EXPECT_EQ(count(view->file()), c.file) << c.length;
        EXPECT_TRUE(std::ranges::all_of(view->sname().subspan(c.sname), [](auto o) { return o == 0; }));
        EXPECT_TRUE(std::ranges::all_of(view->file().subspan(c.file), [](auto o) { return o == 0; }));
        EXPECT_TRUE(std::ranges::all_of(message.subspan(241), [](auto o) { return o == 0; }));
    }
}

TEST(DhcpWriter, PadsTo300AndNoFurther) {
    for (std::size_t value = 55; value <= 60; ++value) {
        Payload room(548);
        DhcpWriter writer(room, reply_header(), "", "");
        writer.option(Option::root_path, Payload(value, 'x'));
        const std::size_t needed = 240 + 2 + value + 1;
        EXPECT_EQ(writer.finish().size(), std::max<std::size_t>(300, needed)) << value;
    }
}

TEST(DhcpWriter, CountsTheRoomAndKeepsOneForTheEnd) {
    Payload room(520);
    DhcpWriter writer(room, reply_header(), "", "");
    EXPECT_EQ(writer.room(), 520U - 240 - 1);
    writer.option_u8(Option::message_type, 5);
    EXPECT_EQ(writer.room(), 520U - 240 - 1 - 3);
    writer.option(Option::vendor_specific, Payload(255));
    EXPECT_EQ(writer.room(), 19U);
    writer.option(Option::vendor_specific, Payload(17));  // exactly full
    EXPECT_EQ(writer.room(), 0U);
    EXPECT_TRUE(writer.ok());
    const base::Bytes message = writer.finish();
    EXPECT_EQ(message.size(), 520U);
    EXPECT_EQ(message.back(), 255);
}

TEST(DhcpWriter, StaysFailedOnceSomethingDidNotFit) {
    struct Case {
        const char* name;
        std::size_t room;
        std::size_t value;
    };
    for (const Case& c : {Case{"one octet too many", 300, 58}, Case{"a value of 256 octets", 2000, 256},
                          Case{"no room for the fixed part", 200, 0}, Case{"no room for the cookie", 239, 0},
                          Case{"no room for the end", 240, 0}}) {
        Payload room(c.room);
        DhcpWriter writer(room, reply_header(), "", "");
        writer.option(Option::root_path, Payload(c.value));
        EXPECT_FALSE(writer.ok()) << c.name;
        EXPECT_EQ(writer.room(), 0U) << c.name;
        writer.option_u8(Option::message_type, 5);
        EXPECT_FALSE(writer.ok()) << c.name;
        EXPECT_TRUE(writer.finish().empty()) << c.name;
    }
    Payload too_small_to_pad(299);
    EXPECT_TRUE(DhcpWriter(too_small_to_pad, reply_header(), "", "").finish().empty());
}

TEST(PayloadLimit, IsTheTableOfTheProtocol) {
    struct Case {
        std::optional<std::uint16_t> said;
        std::size_t limit;
    };
    constexpr std::size_t cap = 8192;
    for (const Case& c :
         {Case{std::nullopt, 520}, Case{std::uint16_t{0}, 520}, Case{std::uint16_t{100}, 520},
          Case{std::uint16_t{547}, 520}, Case{std::uint16_t{548}, 520}, Case{std::uint16_t{549}, 521},
          Case{std::uint16_t{576}, 548}, Case{std::uint16_t{1500}, 1472}, Case{std::uint16_t{8191}, 8163},
          Case{std::uint16_t{8192}, 8164}, Case{std::uint16_t{8193}, 8164},
          Case{std::uint16_t{65535}, 8164}}) {
        EXPECT_EQ(payload_limit(c.said, cap), c.limit) << (c.said ? std::to_string(*c.said) : "nothing");
    }
    EXPECT_EQ(payload_limit(8192, 1500), 1472U) << "an OFFER never exceeds one frame";
}

}  // namespace
}  // namespace pomona::codec
