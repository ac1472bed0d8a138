#include "support/fake_mac.hpp"

#include <pomona/policy/bsdp_policy.hpp>

#include <gtest/gtest.h>

#include <algorithm>

namespace pomona::policy {
namespace {

using base::BootImageId;
using base::Ipv4Address;
using tests::ask;
using tests::boot_file_image;
using tests::FakeMac;
using tests::FakeServer;
using tests::read_answer;

const Ipv4Address lab1(10, 0, 1, 11);
const BootImageId grub(0x81001001);
const BootImageId ipxe(0x81001002);

TEST(List, HoldsPriorityDefaultAndEveryImage) {
    FakeServer server;
    const FakeMac mac;
    const auto outcome = ask(server, mac.list());
    ASSERT_TRUE(outcome.answer);
    EXPECT_EQ(outcome.answer->kind, AnswerKind::list);
    const auto answer = read_answer(outcome.payload);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->dhcp_type, 5);
    EXPECT_EQ(answer->option_order, (std::vector<std::uint8_t>{53, 54, 60, 43}));
    EXPECT_EQ(answer->header.xid, mac.xid);
    EXPECT_EQ(answer->header.mac(), mac.mac);
    EXPECT_EQ(answer->header.ciaddr, mac.address);
    EXPECT_EQ(answer->header.siaddr, lab1);
    EXPECT_EQ(answer->header.yiaddr, Ipv4Address());
    EXPECT_EQ(answer->sname, "");
    EXPECT_EQ(answer->file, "");
    EXPECT_EQ(answer->server_identifier, lab1);
    EXPECT_EQ(answer->bsdp.message_type, 1);
    EXPECT_EQ(answer->bsdp.server_priority, 32768);
    EXPECT_EQ(answer->bsdp.default_image, grub);
    EXPECT_EQ(answer->bsdp.selected_image, std::nullopt);
    EXPECT_EQ(answer->images,
              (std::vector<std::pair<BootImageId, std::string>>{{grub, "GRUB 2 (lab)"}, {ipxe, "iPXE"}}));
    EXPECT_TRUE(server.records.empty()) << "LIST creates no record";
}

TEST(List, GoesToCiaddrWhateverFlagsAndRelaySay) {
    FakeServer server;
    auto message = FakeMac().list();
    message.header.flags = codec::flag_broadcast;
    auto outcome = ask(server, message);
    ASSERT_TRUE(outcome.answer);
    EXPECT_EQ(outcome.answer->destination.to, (base::Endpoint{{10, 0, 1, 32}, 68}));
    EXPECT_EQ(outcome.answer->destination.link, base::MacAddress({2, 0, 0, 0, 0, 1}))
        << "the link address that the request came from";
    EXPECT_EQ(read_answer(outcome.payload)->header.flags, codec::flag_broadcast) << "flags are copied";

    message.header.giaddr = {10, 0, 2, 1};
    message.header.ciaddr = {10, 0, 2, 40};
    message.header.hops = 1;
    message.header.secs = 7;
    message.header.yiaddr = {10, 0, 2, 41};
    message.sub(5, {3, 0xe1});
    outcome = ask(server, message, lab1);
    ASSERT_TRUE(outcome.answer);
    EXPECT_EQ(outcome.answer->destination.to, (base::Endpoint{{10, 0, 2, 40}, 993}));
    EXPECT_EQ(outcome.answer->destination.link, std::nullopt) << "across a relay the kernel finds the way";
    const auto answer = read_answer(outcome.payload);
    EXPECT_EQ(answer->header.giaddr, Ipv4Address(10, 0, 2, 1));
    EXPECT_EQ(answer->header.hops, 0);
    EXPECT_EQ(answer->header.secs, 0);
    EXPECT_EQ(answer->header.yiaddr, Ipv4Address());
}

TEST(List, VersionsDecideAboutTheList) {
    for (const auto& [version, with_list] : {std::pair{0x0100, false}, {0x0101, true}, {0x0000, true}}) {
        FakeServer server;
        auto message = FakeMac().list();
        message.vendor_options = {
            1, 1, 1, 2, 2, static_cast<std::uint8_t>(version >> 8), static_cast<std::uint8_t>(version)};
        const auto answer = read_answer(ask(server, message).payload);
        ASSERT_TRUE(answer) << version;
        EXPECT_EQ(answer->bsdp.image_list.has_value(), with_list) << version;
        EXPECT_EQ(answer->bsdp.default_image, grub) << version;
    }
}

TEST(List, AnnouncesTheRememberedChoiceOnlyToTheMacThatMadeIt) {
    FakeServer server;
    FakeMac mac;
    ASSERT_TRUE(ask(server, mac.select(lab1, ipxe)).answer);
    EXPECT_EQ(read_answer(ask(server, mac.list()).payload)->bsdp.selected_image, ipxe);

    FakeMac same_adapter_on_another_mac;
    same_adapter_on_another_mac.model = "MacBookPro10,1";
    EXPECT_EQ(read_answer(ask(server, same_adapter_on_another_mac.list()).payload)->bsdp.selected_image,
              std::nullopt);

    server.publish({boot_file_image(4097, "GRUB 2 (lab)", "grub.nbi")});
    EXPECT_EQ(read_answer(ask(server, mac.list()).payload)->bsdp.selected_image, std::nullopt)
        << "the image is gone";
    EXPECT_EQ(server.records.size(), 1U) << "but the record waits for its return";
}

TEST(List, PriorityFallsWithEveryRememberedClient) {
    FakeServer server;
    server.rules.priority_base = 3;
    FakeMac mac;
    for (const int expected : {3, 2, 1, 0, 0}) {
        EXPECT_EQ(read_answer(ask(server, mac.list()).payload)->bsdp.server_priority, expected);
        mac.mac = base::MacAddress({2, 0, 0, 0, 1, static_cast<std::uint8_t>(10 + server.records.size())});
        ASSERT_TRUE(ask(server, mac.select(lab1, grub)).answer);
    }
}

TEST(List, FiltersByAttributes) {
    FakeServer server;
    auto diagnostics = boot_file_image(1, "Hardware test", "aht.nbi");
    diagnostics.id = BootImageId(0x03000001);
    diagnostics.filter_only = true;
    auto install_diagnostics = boot_file_image(2, "Other", "other.nbi");
    install_diagnostics.id = BootImageId(0x83000002);
    server.publish({boot_file_image(4097, "GRUB", "grub.nbi"), diagnostics, install_diagnostics});

    auto message = FakeMac().list();
    auto answer = read_answer(ask(server, message).payload);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->images.size(), 2U) << "FilterOnly images are not shown without a filter";
    message.sub(11, {3, 0});
    answer = read_answer(ask(server, message).payload);
    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->images.size(), 1U) << "the install bit counts";
    EXPECT_EQ(answer->images[0].first, diagnostics.id);
    EXPECT_EQ(answer->bsdp.default_image, diagnostics.id);

    message = FakeMac().list();
    message.sub(11, {3});
    EXPECT_EQ(read_answer(ask(server, message).payload)->images.size(), 2U)
        << "shorter than one element is no filter";
    message = FakeMac().list();
    message.sub(11, {7, 7, 3, 0, 9});
    EXPECT_EQ(read_answer(ask(server, message).payload)->images.size(), 1U) << "an odd octet is dropped";
    message = FakeMac().list();
    message.sub(11, {7, 7});
    EXPECT_EQ(ask(server, message).silence, Silence::no_image);
}

TEST(List, SelectedImageIsInEvenWhenNotAllFit) {
    FakeServer server;
    std::vector<model::NetBootImage> images;
    for (std::uint16_t index = 1; index <= 50; ++index) {
        images.push_back(
            boot_file_image(index, "Image " + std::to_string(1000 + index), std::to_string(index)));
    }
    server.publish(images);
    FakeMac mac;
    const BootImageId last(true, 1, 50);
    ASSERT_TRUE(ask(server, mac.select(lab1, last)).answer);
    auto message = mac.list();
    message.maximum_message_size = std::nullopt;
    const auto outcome = ask(server, message);
    const auto answer = read_answer(outcome.payload);
    ASSERT_TRUE(answer);
    EXPECT_LE(outcome.payload.size(), 520U);
    EXPECT_EQ(answer->bsdp.selected_image, last);
    EXPECT_EQ(answer->images.size(), 15U);
    EXPECT_EQ(answer->images.front().first, BootImageId(true, 1, 1));
    EXPECT_EQ(answer->images.back().first, last);
    EXPECT_EQ(outcome.images_left_out, 35U);
}

TEST(Select, LeadsToTheBootFileAndIsRemembered) {
    FakeServer server;
    const FakeMac mac;
    const auto outcome = ask(server, mac.select(lab1, grub));
    const auto answer = read_answer(outcome.payload);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->dhcp_type, 5);
    EXPECT_EQ(answer->option_order, (std::vector<std::uint8_t>{53, 54, 60, 43}));
    EXPECT_EQ(answer->bsdp.message_type, 2);
    EXPECT_EQ(answer->bsdp.selected_image, grub);
    EXPECT_EQ(answer->header.siaddr, lab1);
    EXPECT_EQ(answer->sname, "lab1");
    EXPECT_EQ(answer->file, "nbi/NetBootSP0/grub.nbi/i386/booter");
    EXPECT_EQ(answer->machine_name, "") << "no machine name for a boot file alone";
    ASSERT_EQ(server.records.size(), 1U);
    EXPECT_EQ(server.records[0].image, grub);
    EXPECT_EQ(server.records[0].address, mac.address);
    EXPECT_EQ(server.records[0].architecture, "i386");

    EXPECT_EQ(ask(server, mac.select(lab1, grub)).payload, outcome.payload)
        << "a repeat gets the same answer";
    EXPECT_EQ(server.records.size(), 1U);
}

TEST(Select, WithoutAnImageTakesTheDefault) {
    FakeServer server;
    const auto answer = read_answer(ask(server, FakeMac().select(lab1, std::nullopt)).payload);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->bsdp.selected_image, grub);

    auto filtered = FakeMac().select(lab1, std::nullopt);
    filtered.sub(11, {3, 0});
    EXPECT_EQ(read_answer(ask(server, filtered).payload)->bsdp.selected_image, grub)
        << "a filter belongs to LIST and DISCOVER";
}

TEST(Select, FailsInWords) {
    struct Case {
        const char* failure;
        BootImageId image;
    };
    FakeServer server;
    auto for_others = boot_file_image(5, "Others", "others.nbi");
    for_others.enabled_models = {"MacPro5,1"};
    auto hidden = boot_file_image(6, "Hidden", "hidden.nbi");
    hidden.filter_only = true;
    server.publish({for_others, hidden});
    for (const Case& c : {Case{"unknown-image", BootImageId(0x01000005)},
                          {"image-not-for-this-mac", BootImageId(0x81000005)}}) {
        const auto outcome = ask(server, FakeMac().select(lab1, c.image));
        ASSERT_TRUE(outcome.answer) << c.failure;
        EXPECT_EQ(outcome.answer->failure, c.failure);
        const auto answer = read_answer(outcome.payload);
        ASSERT_TRUE(answer) << c.failure;
        EXPECT_EQ(answer->dhcp_type, 5) << "ACK, not NAK";
        EXPECT_EQ(answer->bsdp.message_type, 3);
        EXPECT_EQ(answer->bsdp.selected_image, std::nullopt);
        EXPECT_EQ(answer->file, "");
        EXPECT_EQ(answer->sname, "");
        EXPECT_EQ(answer->header.siaddr, lab1);
    }
    EXPECT_EQ(ask(server, FakeMac().select(lab1, std::nullopt)).answer->failure, "no-default-image");
    EXPECT_TRUE(server.records.empty());
    EXPECT_TRUE(ask(server, FakeMac().select(lab1, hidden.id)).answer->failure.empty())
        << "the attributes filter does not apply to SELECT";
}

TEST(Select, ForAnotherServerForgetsSilently) {
    FakeServer server;
    const FakeMac mac;
    ASSERT_TRUE(ask(server, mac.select(lab1, grub)).answer);
    for (const Ipv4Address nobody : {Ipv4Address(), Ipv4Address::broadcast()}) {
        EXPECT_EQ(ask(server, mac.select(nobody, BootImageId())).silence, Silence::no_server_chosen);
        EXPECT_EQ(server.records.size(), 1U) << "a Mac that could use no list keeps its record";
    }
    EXPECT_EQ(ask(server, mac.select({10, 0, 1, 12}, grub)).silence, Silence::other_server);
    EXPECT_TRUE(server.records.empty());
}

TEST(Select, ForAnotherServerForgetsThisModelOnly) {
    FakeServer server;
    const FakeMac mac;
    FakeMac same_adapter_on_another_mac;
    same_adapter_on_another_mac.model = "MacBookPro10,1";
    ASSERT_TRUE(ask(server, mac.select(lab1, grub)).answer);
    ASSERT_TRUE(ask(server, same_adapter_on_another_mac.select(lab1, ipxe)).answer);
    EXPECT_EQ(ask(server, mac.select({10, 0, 1, 12}, grub)).silence, Silence::other_server);
    ASSERT_EQ(server.records.size(), 1U);
    EXPECT_EQ(server.records[0].key.model, "MacBookPro10,1");
}

TEST(Select, AnyOfOurAddressesIsOurs) {
    FakeServer server;
    const auto answer = read_answer(ask(server, FakeMac().select({10, 9, 9, 9}, grub)).payload);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->server_identifier, Ipv4Address(10, 9, 9, 9)) << "answered from the one that was named";
    EXPECT_EQ(answer->header.siaddr, Ipv4Address(10, 9, 9, 9));

    server.identity.former_addresses = {Ipv4Address(10, 0, 1, 99)};
    const auto moved = read_answer(ask(server, FakeMac().select({10, 0, 1, 99}, grub)).payload);
    ASSERT_TRUE(moved) << "an address that we had when the list went out";
    EXPECT_EQ(moved->server_identifier, lab1);
}

TEST(Select, RootPathAndMachineNameForImagesWithARoot) {
    FakeServer server;
    auto lion = boot_file_image(0x205, "Lion", "Lion.nbi");
    lion.id = BootImageId(0x01000205);
    lion.type = model::ImageType::nfs;
    lion.supports_diskless = true;
    lion.root_path = model::RootPath{.local_file = "NetBoot.dmg", .elsewhere = ""};
    server.publish({lion});
    const auto answer = read_answer(ask(server, FakeMac().select(lab1, lion.id)).payload);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->option_order, (std::vector<std::uint8_t>{53, 54, 60, 17, 43}));
    EXPECT_EQ(answer->root_path, "nfs:10.0.1.11:/srv/netboot/NetBootSP0:Lion.nbi/NetBoot.dmg");
    EXPECT_EQ(answer->machine_name, "NetBoot001");
    EXPECT_EQ(answer->shadow_mount_path, "") << "no shadow in this version";
}

TEST(Select, LoadBalanceServerHoldsTheFiles) {
    FakeServer server;
    auto image = boot_file_image(7, "Far", "far.nbi");
    image.load_balance_server = Ipv4Address(10, 0, 1, 50);
    server.publish({image});
    const auto answer = read_answer(ask(server, FakeMac().select(lab1, image.id)).payload);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->header.siaddr, Ipv4Address(10, 0, 1, 50));
    EXPECT_EQ(answer->sname, "") << "the name would be another machine's";
    EXPECT_EQ(answer->server_identifier, lab1);
}

TEST(Select, NamesAndBootFileOptionFollowTheSettings) {
    FakeServer server;
    server.rules.send_host_name = false;
    server.rules.boot_file_option = true;
    auto message = FakeMac().select(lab1, grub);
    auto answer = read_answer(ask(server, message).payload);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->sname, "");
    EXPECT_EQ(answer->option_order, (std::vector<std::uint8_t>{53, 54, 60, 67, 43}));
    message.parameter_request_list = {60, 43};
    answer = read_answer(ask(server, message).payload);
    EXPECT_EQ(answer->option_order, (std::vector<std::uint8_t>{53, 54, 60, 43}))
        << "only when the client asks";
    server.rules.send_host_name = true;
    message.parameter_request_list = {60, 43, 67};
    answer = read_answer(ask(server, message).payload);
    EXPECT_EQ(answer->option_order, (std::vector<std::uint8_t>{53, 54, 60, 66, 67, 43}));
}

TEST(Discover, IsAnsweredOnlyOnASwitchAndToARememberedMac) {
    FakeServer server;
    const FakeMac mac;
    EXPECT_EQ(ask(server, mac.discover()).silence, Silence::discover_answers_off);
    server.rules.answer_discover = true;
    EXPECT_EQ(ask(server, mac.discover()).silence, Silence::no_choice_remembered);
    ASSERT_TRUE(ask(server, mac.select(lab1, grub)).answer);

    auto outcome = ask(server, mac.discover());
    auto answer = read_answer(outcome.payload);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->dhcp_type, 2);
    EXPECT_EQ(answer->header.yiaddr, Ipv4Address()) << "an OFFER of boot data, never of an address";
    EXPECT_EQ(answer->header.ciaddr, Ipv4Address());
    EXPECT_EQ(answer->bsdp.message_type, std::nullopt);
    EXPECT_EQ(answer->bsdp.selected_image, grub);
    EXPECT_EQ(answer->file, "nbi/NetBootSP0/grub.nbi/i386/booter");
    EXPECT_EQ(outcome.answer->destination.link, mac.mac) << "the client answers no ARP yet";
    EXPECT_EQ(outcome.answer->destination.to, (base::Endpoint{Ipv4Address::broadcast(), 68}));

    auto message = mac.discover();
    message.header.flags = codec::flag_broadcast;
    EXPECT_EQ(ask(server, message).answer->destination.link, base::MacAddress::broadcast());
    message.header.giaddr = {10, 0, 2, 1};
    outcome = ask(server, message);
    EXPECT_EQ(outcome.answer->destination.to, (base::Endpoint{{10, 0, 2, 1}, 67}));
    EXPECT_EQ(outcome.answer->destination.link, std::nullopt);

    message = mac.discover();
    message.sub(11, {3, 0});
    EXPECT_EQ(ask(server, message).silence, Silence::remembered_image_gone) << "the filter counts here";
    server.publish({});
    EXPECT_EQ(ask(server, mac.discover()).silence, Silence::remembered_image_gone);
}

TEST(Discover, IsAnsweredFromTheNetworkInWhichTheMacWasSeen) {
    FakeServer server;
    server.rules.answer_discover = true;
    server.identity.addresses.emplace_back(Ipv4Address(192, 168, 7, 1), 24);
    server.identity.own_addresses.emplace_back(192, 168, 7, 1);
    FakeMac mac;
    mac.address = {192, 168, 7, 9};
    ASSERT_TRUE(ask(server, mac.select(lab1, grub)).answer);
    const auto answer = read_answer(ask(server, mac.discover()).payload);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->server_identifier, Ipv4Address(192, 168, 7, 1));
    EXPECT_EQ(answer->header.siaddr, Ipv4Address(192, 168, 7, 1));
}

TEST(Discover, IsBoundedByOption57Alone) {
    struct Case {
        const char* name;
        std::optional<std::uint16_t> option_57;
        std::size_t limit;
    };
    FakeServer server;
    server.rules.answer_discover = true;
    const FakeMac mac;
    ASSERT_TRUE(ask(server, mac.select(lab1, grub)).answer);
    for (const Case& c : {Case{"nothing said", std::nullopt, 520},
                          {"576", 576, 548},
                          {"1500", 1500, 1472},
                          {"one frame at most", 8192, 1472}}) {
        auto message = mac.discover();
        message.maximum_message_size = c.option_57;
        message.sub(12, {0x20, 0});
        const auto outcome = ask(server, message);
        ASSERT_TRUE(outcome.answer) << c.name;
        EXPECT_EQ(outcome.answer->payload_limit, c.limit) << c.name;
    }
}

TEST(Request, UpdatesTheAddressOfARememberedMac) {
    FakeServer server;
    const FakeMac mac;
    EXPECT_EQ(ask(server, mac.request({10, 0, 1, 77})).silence, Silence::address_of_unknown_client);
    EXPECT_TRUE(server.records.empty());
    ASSERT_TRUE(ask(server, mac.select(lab1, grub)).answer);
    EXPECT_EQ(ask(server, mac.request({10, 0, 1, 77})).silence, Silence::address_noted);
    EXPECT_EQ(server.records[0].address, Ipv4Address(10, 0, 1, 77));
    EXPECT_EQ(ask(server, mac.request({})).silence, Silence::address_of_unknown_client);
    EXPECT_EQ(server.records[0].address, Ipv4Address(10, 0, 1, 77));
}

TEST(Answers, RespectTheClientsMessageSize) {
    struct Case {
        const char* name;
        std::optional<std::uint16_t> option_57;
        std::optional<std::uint16_t> sub_option_12;
        std::size_t limit;
    };
    FakeServer server;
    for (const Case& c : {Case{"nothing said", std::nullopt, std::nullopt, 520},
                          {"548", 548, std::nullopt, 520},
                          {"576", 576, std::nullopt, 548},
                          {"1500", 1500, std::nullopt, 1472},
                          {"sub-option 12 wins", 1500, 8192, 8164},
                          {"a small sub-option 12 does not fall back", 1500, 100, 520},
                          {"capped", std::nullopt, 65535, 8164}}) {
        auto message = FakeMac().list();
        message.maximum_message_size = c.option_57;
        if (c.sub_option_12) {
            message.sub(12, {static_cast<std::uint8_t>(*c.sub_option_12 >> 8),
                             static_cast<std::uint8_t>(*c.sub_option_12)});
        }
        const auto outcome = ask(server, message);
        ASSERT_TRUE(outcome.answer) << c.name;
        EXPECT_EQ(outcome.answer->payload_limit, c.limit) << c.name;
    }
}

TEST(Answers, AFailureInsteadOfBootDataCarriesNoneOfThem) {
    FakeServer server;
    auto image = boot_file_image(7, "Far", "far.nbi");
    image.load_balance_server = Ipv4Address(10, 0, 1, 50);
    image.type = model::ImageType::nfs;
    image.root_path = model::RootPath{.local_file = "NetBoot.dmg", .elsewhere = ""};
    server.publish({image});
    const auto outcome = ask(server, FakeMac().select(lab1, image.id));
    ASSERT_TRUE(outcome.answer);
    const Answer failed = failed_instead(*outcome.answer, "no-room");
    EXPECT_EQ(failed.failure, "no-room");
    EXPECT_FALSE(failed.remember);
    EXPECT_EQ(failed.destination.to, outcome.answer->destination.to);
    EXPECT_EQ(failed.destination.link, outcome.answer->destination.link);
    std::vector<std::uint8_t> room(1500);
    const base::Bytes payload = write_answer(failed, room).payload;
    const auto answer = read_answer({payload.begin(), payload.end()});
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->option_order, (std::vector<std::uint8_t>{53, 54, 60, 43}));
    EXPECT_EQ(answer->bsdp.message_type, 3);
    EXPECT_EQ(answer->bsdp.selected_image, std::nullopt);
    EXPECT_EQ(answer->header.siaddr, lab1);
    EXPECT_EQ(answer->file, "");
}

/// An image whose root path has as many octets as wanted, and its SELECT from a Mac that says nothing of
/// sizes.
struct LongRoot {
    FakeServer server;
    tests::BsdpMessage select;

    explicit LongRoot(std::size_t octets) {
        auto image = boot_file_image(8, "Long", "long.nbi");
        image.type = model::ImageType::nfs;
        image.root_path = model::RootPath{.local_file = "", .elsewhere = std::string(octets, 'r')};
        server.publish({image});
        select = FakeMac().select(lab1, image.id);
        select.maximum_message_size = std::nullopt;
    }
};

TEST(Answers, GiveUpCopiesAndTheMachineNameBeforeTheyGiveUp) {
    // 240 of header and cookie, 3 + 6 + 11 + 1 of options, 11 of option 43 and 2 before the root path leave
    // 246 of the 520 octets that everybody takes; 12 for the name NetBoot001, 6 and 37 for lab1 and the file.
    const std::string file = "nbi/NetBootSP0/long.nbi/i386/booter";
    const std::size_t copies = 2 + 4 + 2 + file.size();
    struct Case {
        const char* name;
        std::size_t root;
        std::vector<std::uint8_t> options;
        std::string machine_name;
    };
    for (const Case& c : {Case{"all fits", 246 - 12 - copies, {53, 54, 60, 17, 66, 67, 43}, "NetBoot001"},
                          {"without the copies", 246 - 12 - copies + 1, {53, 54, 60, 17, 43}, "NetBoot001"},
                          {"just with the name", 246 - 12, {53, 54, 60, 17, 43}, "NetBoot001"},
                          {"without the name", 246 - 12 + 1, {53, 54, 60, 17, 43}, ""},
                          {"just with the root path", 246, {53, 54, 60, 17, 43}, ""}}) {
        LongRoot scene(c.root);
        scene.server.rules.boot_file_option = true;
        const auto outcome = ask(scene.server, scene.select);
        const auto answer = read_answer(outcome.payload);
        ASSERT_TRUE(answer) << c.name;
        EXPECT_EQ(answer->bsdp.message_type, 2) << c.name;
        EXPECT_EQ(answer->option_order, c.options) << c.name;
        EXPECT_EQ(answer->root_path.size(), c.root) << c.name;
        EXPECT_EQ(answer->machine_name, c.machine_name) << c.name;
        EXPECT_EQ(answer->file, file) << c.name;
        EXPECT_LE(outcome.payload.size(), 520U) << c.name;
    }
}

TEST(Answers, ThatCannotFitFailTheSelectAndAreNotRemembered) {
    LongRoot scene(247);
    const auto outcome = ask(scene.server, scene.select);
    ASSERT_TRUE(outcome.answer);
    EXPECT_EQ(outcome.answer->failure, "answer-too-large");
    ASSERT_TRUE(read_answer(outcome.payload));
    EXPECT_EQ(read_answer(outcome.payload)->bsdp.message_type, 3);
    EXPECT_TRUE(scene.server.records.empty());

    scene.select.maximum_message_size = 1500;
    EXPECT_EQ(read_answer(ask(scene.server, scene.select).payload)->root_path.size(), 247U);
    ASSERT_EQ(scene.server.records.size(), 1U);
    scene.server.rules.answer_discover = true;
    auto discover = FakeMac().discover();
    EXPECT_TRUE(ask(scene.server, discover).answer);
    discover.maximum_message_size = std::nullopt;
    EXPECT_TRUE(ask(scene.server, discover).answer)
        << "an OFFER has no sub-option 1, so three octets more fit";
    scene.server.publish({[] {
        auto image = boot_file_image(8, "Long", "long.nbi");
        image.type = model::ImageType::nfs;
        image.root_path = model::RootPath{.local_file = "", .elsewhere = std::string(250, 'r')};
        return image;
    }()});
    EXPECT_EQ(ask(scene.server, discover).silence, Silence::answer_too_large);
}

}  // namespace
}  // namespace pomona::policy
