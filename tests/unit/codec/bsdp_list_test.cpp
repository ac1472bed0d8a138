// write_bsdp_list(): how many images fit into what a client can take, and into which instances of option 43.
#include "support/hex_fixture.hpp"

#include <pomona/codec/bsdp.hpp>

#include <gtest/gtest.h>

#include <algorithm>

namespace pomona::codec {
namespace {

using base::BootImageId;
using base::Ipv4Address;
using tests::bsdp_example;
using tests::Payload;

constexpr std::size_t cap = 8192;
constexpr std::uint32_t first_id = 0x81000001;

/// What a client finds in an ACK[LIST] made by write_bsdp_list.
struct Answer {
    std::size_t written = 0;  // what the function said
    Payload message;
    std::vector<std::size_t> instances;  // octets in each option 43
    std::vector<BootImageId> images;
    BsdpOptions options;
};

/// The answer to 10.0.1.32 of a server that is `server` and bounded to `limit` octets of payload.
Answer answer(const BsdpList& list, std::size_t limit, const BootpHeader& header,
              Ipv4Address server = Ipv4Address(10, 0, 1, 11)) {
    Answer answer;
    Payload room(limit);
    DhcpWriter writer(room, header, "", "");
    writer.option_u8(Option::message_type, static_cast<std::uint8_t>(DhcpType::ack));
    writer.option_address(Option::server_identifier, server);
    writer.option_text(Option::vendor_class, bsdp_class);
    answer.written = write_bsdp_list(writer, list);
    const base::Bytes message = writer.finish();
    answer.message.assign(message.begin(), message.end());

    const auto view = DhcpView::parse(answer.message);
    if (!view || view->options_fault()) {
        ADD_FAILURE() << "not a DHCP message";
        return answer;
    }
    view->for_each_option([&](Option code, base::Bytes value) {
        if (code != Option::vendor_specific) return;
        answer.instances.push_back(value.size());
        // Each instance's own part of the list must hold whole images.
        base::ByteReader reader(value);
        while (reader.ok() && reader.remaining() > 0) {
            const std::uint8_t sub_option = reader.u8();
            const base::Bytes part = reader.bytes(reader.u8());
            if (sub_option == 9) {
                EXPECT_TRUE(parse_image_list(part)) << "an image is cut";
            }
        }
        EXPECT_TRUE(reader.ok());
    });
    const auto options = parse_bsdp(*view);
    if (!options) {
        ADD_FAILURE() << "not BSDP";
        return answer;
    }
    answer.options = *options;
    if (options->image_list) {
        const auto images = parse_image_list(*options->image_list);
        if (!images) {
            ADD_FAILURE() << "a list that a client throws away";
            return answer;
        }
        for (const ListedImage& image : *images) answer.images.push_back(image.id);
    }
    EXPECT_EQ(answer.images.size(), answer.written);
    return answer;
}

BootpHeader header_of(std::uint32_t xid) {
    BootpHeader header;
    header.op = bootreply;
    header.xid = xid;
    header.ciaddr = Ipv4Address(10, 0, 1, 32);
    header.siaddr = Ipv4Address(10, 0, 1, 11);
    header.set_mac(base::MacAddress({0x40, 0x6c, 0x8f, 0x37, 0x95, 0x27}));
    return header;
}

/// Image after image with ids from 0x81000001 on and names of one length each.
struct Images {
    explicit Images(const std::vector<std::size_t>& lengths) {
        names.reserve(lengths.size());
        for (const std::size_t length : lengths) {
            names.emplace_back(length, 'n');
            list.push_back({id(list.size()), names.back()});
        }
    }
    Images(std::size_t count, std::size_t length) : Images(std::vector<std::size_t>(count, length)) {}

    static BootImageId id(std::size_t index) {
        return BootImageId(static_cast<std::uint32_t>(first_id + index));
    }

    std::vector<std::string> names;
    std::vector<ListedImage> list;
};

TEST(WriteBsdpList, FitsAsManyImagesAsApplesServer) {
    struct Case {
        std::size_t count;
        std::size_t name;
        std::optional<std::uint16_t> said;
        bool bound;
        std::size_t images;
        std::vector<std::size_t> instances;
        std::optional<std::size_t> payload;
    };
    const std::optional<std::uint16_t> nothing;
    for (const Case& c : {
             Case{50, 10, nothing, false, 16, {}, {}},
             Case{50, 10, nothing, true, 15, {}, {}},
             Case{50, 10, 576, false, 17, {}, {}},
             Case{50, 10, 600, false, 19, {}, {}},
             Case{50, 10, 700, false, 26, {}, 672},
             Case{50, 10, 1500, false, 50, {255, 242, 242, 32}, {}},
             Case{200, 10, 1500, false, 78, {}, {}},
             Case{200, 30, 1500, false, 33, {}, {}},
             Case{300, 30, 8192, false, 221, {}, {}},
             Case{14, 30, 8192, true, 14, {231, 247, 37}, 782},
             Case{10, 246, 1500, false, 4, {13, 253, 253, 253, 253}, {}},
             Case{10, 246, 1500, true, 4, {19, 253, 253, 253, 253}, {}},
             // The first instance holds 240 octets of images, or 234 for a bound client.
             Case{1, 235, nothing, false, 1, {255}, 518},
             Case{1, 236, nothing, false, 0, {13}, 300},
             Case{1, 229, nothing, true, 1, {255}, 518},
             Case{1, 230, nothing, true, 0, {19}, 300},
             Case{1, 236, 1500, false, 1, {13, 243}, {}},
             Case{1, 248, 1500, false, 1, {13, 255}, {}},
             // An image that ends its instance exactly, and one octet more.
             Case{2, 115, 1500, false, 2, {255}, {}},
             Case{2, 116, 1500, false, 2, {136, 123}, {}},
             Case{1, 0, nothing, false, 1, {20}, {}},
             Case{1, 1, nothing, false, 1, {21}, {}},
         }) {
        SCOPED_TRACE(std::to_string(c.count) + " images of " + std::to_string(c.name) +
                     " octets, client says " + (c.said ? std::to_string(*c.said) : "nothing") +
                     (c.bound ? ", bound" : ""));
        const Images images(c.count, c.name);
        BsdpList list{
            .priority = 32768, .default_image = Images::id(0), .selected_image = {}, .images = images.list};
        if (c.bound) list.selected_image = Images::id(c.count == 1 ? 0 : 2);
        const std::size_t limit = payload_limit(c.said, cap);
        const Answer got = answer(list, limit, header_of(1));
        EXPECT_EQ(got.written, c.images);
        EXPECT_LE(got.message.size(), limit);
        if (!c.instances.empty()) {
            EXPECT_EQ(got.instances, c.instances);
        }
        if (c.payload) {
            EXPECT_EQ(got.message.size(), *c.payload);
        }
        for (std::size_t i = 0; i < got.images.size(); ++i) EXPECT_EQ(got.images[i], Images::id(i));
    }
}

TEST(WriteBsdpList, MakesTheListsOfTheNotes) {
    const std::vector<ListedImage> two{{BootImageId(0x81001001), "GRUB 2 (lab)"},
                                       {BootImageId(0x81001002), "iPXE"}};
    EXPECT_EQ(answer({.priority = 32768,
                      .default_image = BootImageId(0x81001001),
                      .selected_image = std::nullopt,
                      .images = two},
                     1472, header_of(0x1a2b3c02))
                  .message,
              bsdp_example("E4"));

    std::vector<std::string> names;
    for (int i = 1; i <= 14; ++i) {
        names.push_back(std::string("Lab image ") + (i < 10 ? "0" : "") + std::to_string(i) +
                        " - macOS installer");
    }
    std::vector<ListedImage> fourteen;
    for (const std::string& name : names) fourteen.push_back({Images::id(fourteen.size()), name});
    EXPECT_EQ(answer({.priority = 32766,
                      .default_image = Images::id(0),
                      .selected_image = Images::id(2),
                      .images = fourteen},
                     8164, header_of(0x0d6588a4))
                  .message,
              bsdp_example("E8"));

    EXPECT_EQ(answer({.priority = 32768,
                      .default_image = BootImageId(0x81001001),
                      .selected_image = BootImageId(0x81000003),
                      .images = std::nullopt},
                     1472, header_of(0x1a2b3c0c))
                  .message,
              bsdp_example("E12"));
}

TEST(WriteBsdpList, MakesTheAnswerOfARealServer) {
    // Octet for octet what an OS X 10.11 server is reported to have sent.
    const std::vector<ListedImage> images{
        {BootImageId(0x82000447), "DSR-1095"},
        {BootImageId(0x81000360), "NetInstall of Install OS X El Capitan 10.11.3 - 15D21"}};
    BootpHeader header = header_of(0x0d6588a4);
    header.ciaddr = Ipv4Address(10, 0, 1, 93);
    header.siaddr = Ipv4Address();
    header.set_mac(base::MacAddress({0x80, 0xe6, 0x50, 0x09, 0xed, 0xa2}));
    EXPECT_EQ(answer({.priority = 32766,
                      .default_image = BootImageId(0x82000447),
                      .selected_image = std::nullopt,
                      .images = images},
                     8164, header, Ipv4Address(10, 0, 1, 7))
                  .message,
              bsdp_example("R1"));
}

TEST(WriteBsdpList, KeepsTheDefaultAndTheSelectedImageWhenNotEverythingFits) {
    struct Case {
        const char* name;
        std::vector<std::size_t> lengths;
        std::size_t default_at;
        std::optional<std::size_t> selected_at;
        std::size_t limit;
        std::vector<std::size_t> expected;  // positions in the list
    };
    const std::vector<std::size_t> fifty(50, 10);
    const auto first = [](std::size_t count, std::vector<std::size_t> then) {
        std::vector<std::size_t> all(count);
        for (std::size_t i = 0; i < count; ++i) all[i] = i;
        all.insert(all.end(), then.begin(), then.end());
        return all;
    };
    std::vector<std::size_t> long_default = fifty;
    long_default[40] = 64;
    std::vector<std::size_t> long_first(3, 200);
    for (const Case& c : {
             Case{"the default is the last", fifty, 49, std::nullopt, 520, first(15, {49})},
             Case{"the selected is the last", fifty, 0, 49, 520, first(14, {49})},
             Case{"both are far behind, default first", fifty, 30, 40, 520, first(13, {30, 40})},
             Case{"both are far behind, selected first", fifty, 40, 30, 520, first(13, {30, 40})},
             Case{"both are the same", fifty, 40, 40, 520, first(14, {40})},
             Case{"just behind what fits", fifty, 16, std::nullopt, 520, first(15, {16})},
             Case{"the last that fits", fifty, 15, std::nullopt, 520, first(16, {})},
             Case{"a long name takes the place of several", long_default, 40, std::nullopt, 520,
                  first(11, {40})},
             Case{"three long names in room for one", long_first, 2, std::nullopt, 520, {2}},
             Case{"the default comes from another list", fifty, 60, std::nullopt, 520, first(16, {})},
             Case{"everything fits", fifty, 49, 48, 1472, first(50, {})},
         }) {
        SCOPED_TRACE(c.name);
        const Images images(c.lengths);
        const Answer got = answer(
            {.priority = 32768,
             .default_image = Images::id(c.default_at),
             .selected_image = c.selected_at ? std::optional(Images::id(*c.selected_at)) : std::nullopt,
             .images = images.list},
            c.limit, header_of(1));
        std::vector<BootImageId> expected;
        for (const std::size_t at : c.expected) expected.push_back(Images::id(at));
        EXPECT_EQ(got.images, expected);
        EXPECT_LE(got.message.size(), c.limit);
    }
}

TEST(WriteBsdpList, SaysPriorityDefaultAndSelectedInThisOrder) {
    const Images images(1, 4);
    const Answer bound = answer({.priority = 0x7ffe,
                                 .default_image = Images::id(0),
                                 .selected_image = Images::id(5),
                                 .images = images.list},
                                520, header_of(1));
    const Payload vendor(bound.message.begin() + 0x104, bound.message.begin() + 0x124);
    EXPECT_EQ(vendor, (Payload{43, 30,   1, 1, 1, 4, 2, 0x7f, 0xfe, 7, 4, 0x81, 0,   0,   1,   8,
                               4,  0x81, 0, 0, 6, 9, 9, 0x81, 0,    0, 1, 4,    'n', 'n', 'n', 'n'}));
    EXPECT_EQ(bound.message[0x124], 255);
}

TEST(WriteBsdpList, AnEmptyListIsLeftOut) {
    const Answer got = answer({.priority = 1,
                               .default_image = Images::id(0),
                               .selected_image = {},
                               .images = std::span<const ListedImage>{}},
                              520, header_of(1));
    EXPECT_EQ(got.written, 0U);
    EXPECT_FALSE(got.options.image_list);
    EXPECT_EQ(got.instances, std::vector<std::size_t>{13});
}

TEST(WriteBsdpList, LeavesOutANameThatNoInstanceHolds) {
    for (const std::size_t length : {249U, 250U, 255U, 256U, 300U, 5000U}) {
        const Images images({4, length, 5});
        const Answer got = answer(
            {.priority = 1, .default_image = Images::id(1), .selected_image = {}, .images = images.list},
            8164, header_of(1));
        EXPECT_EQ(got.images, (std::vector<BootImageId>{Images::id(0), Images::id(2)})) << length;
    }
}

TEST(WriteBsdpList, FailsTheMessageThatHasNoRoomForTheHead) {
    const Images images(1, 4);
    Payload room(300);
    DhcpWriter writer(room, header_of(1), "", "");
    writer.option(Option::root_path, Payload(45));
    (void)write_bsdp_list(
        writer, {.priority = 1, .default_image = Images::id(0), .selected_image = {}, .images = images.list});
    EXPECT_FALSE(writer.ok());
}

TEST(LongestImageName, AlwaysFits) {
    const Images images(3, longest_image_name);
    const Answer got = answer({.priority = 1,
                               .default_image = Images::id(1),
                               .selected_image = Images::id(1),
                               .images = images.list},
                              payload_limit(std::nullopt, cap), header_of(1));
    EXPECT_EQ(got.images, std::vector<BootImageId>{Images::id(1)});
}

}  // namespace
}  // namespace pomona::codec
