// The worked examples of the BSDP notes as conversations: each request is fed as octets to a server that is
// set up like the scene of the notes, and the answer must be the notes' octet for octet. The scene's files
// lie where another TFTP server finds them ("NetBoot/NetBootSP0/..."), so that the file fields are equal as
// well.
#include "support/fake_mac.hpp"
#include "support/hex_fixture.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace pomona::policy {
namespace {

using base::BootImageId;
using base::Ipv4Address;
using tests::ask;
using tests::boot_file_image;
using tests::bsdp_example;
using tests::FakeMac;
using tests::FakeServer;
using tests::Payload;
using tests::read_answer;

const Ipv4Address lab1(10, 0, 1, 11);
const BootImageId grub(0x81001001);
const BootImageId ipxe(0x81001002);

/// Octets that replace those of an example.
struct Edit {
    std::size_t offset;
    Payload octets;
};

Payload edited(std::string_view name, const std::vector<Edit>& edits) {
    Payload payload = bsdp_example(name);
    for (const Edit& edit : edits) {
        std::ranges::copy(edit.octets, payload.begin() + static_cast<std::ptrdiff_t>(edit.offset));
    }
    return payload;
}

Edit xid(std::uint8_t last) {
    return {4, {0x1a, 0x2b, 0x3c, last}};
}

model::NetBootImage scene_image(BootImageId id, const std::string& name, const std::string& folder) {
    model::NetBootImage image = boot_file_image(id.index(), name, folder);
    image.id = id;
    image.share_path = "/srv/NetBoot/NetBootSP0";
    image.external_tftp_folder = "NetBoot/NetBootSP0/" + folder;
    return image;
}

/// lab1 with GRUB as its default and iPXE.
struct Scene : FakeServer {
    Scene() {
        images = {scene_image(grub, "GRUB 2 (lab)", "grub.nbi"), scene_image(ipxe, "iPXE", "ipxe.nbi")};
        images[0].is_default = true;
        publish(images);
    }

    void add(const model::NetBootImage& image) {
        images.push_back(image);
        publish(images);
    }

    void remember(base::MacAddress mac, const std::string& model, BootImageId image,
                  const std::string& machine_name = "NetBoot001") {
        model::Client client;
        client.key = {mac, model};
        client.image = image;
        client.machine_name = machine_name;
        records.push_back(client);
    }

    std::vector<model::NetBootImage> images;
};

const base::MacAddress the_mac = FakeMac().mac;
const base::MacAddress other_mac({2, 0, 0, 0, 0, 2});

TEST(WorkedExamples, E3FirmwareAsksAndE4ListsBothImages) {
    Scene scene;
    const auto outcome = ask(scene, bsdp_example("E3"));
    EXPECT_EQ(outcome.payload, bsdp_example("E4"));
    ASSERT_TRUE(outcome.answer);
    EXPECT_EQ(outcome.answer->destination.to, (base::Endpoint{{10, 0, 1, 32}, 68}));
    EXPECT_TRUE(scene.records.empty());
}

TEST(WorkedExamples, E5ChoosesAndE6LeadsToGrub) {
    Scene scene;
    const auto outcome = ask(scene, bsdp_example("E5"));
    EXPECT_EQ(outcome.payload, bsdp_example("E6"));
    ASSERT_TRUE(outcome.answer);
    EXPECT_EQ(outcome.answer->destination.to, (base::Endpoint{{10, 0, 1, 32}, 68}));
    ASSERT_TRUE(scene.record_of(the_mac, "iMac12,1"));
    EXPECT_EQ(scene.record_of(the_mac, "iMac12,1")->image, grub);
    EXPECT_EQ(ask(scene, bsdp_example("E5")).payload, bsdp_example("E6")) << "and again";
}

TEST(WorkedExamples, E5WithServerAndImageInTheOtherOrderIsTheSame) {
    Scene scene;
    const Payload swapped = edited("E5", {{0x120, {8, 4, 0x81, 0, 0x10, 1, 3, 4, 10, 0, 1, 11}}});
    EXPECT_EQ(ask(scene, swapped).payload, bsdp_example("E6"));
}

TEST(WorkedExamples, E1OfARememberedMacGetsTheOfferE2) {
    Scene scene;
    scene.rules.answer_discover = true;
    EXPECT_EQ(ask(scene, bsdp_example("E1")).silence, Silence::no_choice_remembered);
    ASSERT_TRUE(ask(scene, bsdp_example("E5")).answer);
    EXPECT_EQ(ask(scene, bsdp_example("E1")).payload, bsdp_example("E2"));
}

TEST(WorkedExamples, E7StartupDiskGetsTheFourteenImagesOfE8) {
    Scene scene;
    scene.images.clear();
    for (std::uint16_t i = 1; i <= 14; ++i) {
        const std::string number = std::string(i < 10 ? "0" : "") + std::to_string(i);
        scene.add(scene_image(BootImageId(true, 1, i), "Lab image " + number + " - macOS installer", number));
    }
    scene.remember(the_mac, "iMac14,2", BootImageId(0x81000003));
    scene.remember(other_mac, "iMac14,2", BootImageId(0x81000001));
    const auto outcome = ask(scene, bsdp_example("E7"));
    EXPECT_EQ(outcome.payload, bsdp_example("E8"));
    ASSERT_TRUE(outcome.answer);
    EXPECT_EQ(outcome.answer->destination.to, (base::Endpoint{{10, 0, 1, 32}, 993}));
    EXPECT_EQ(outcome.images_left_out, 0U);
}

TEST(WorkedExamples, E9WithoutAShadow) {
    Scene scene;
    const BootImageId lion_id(0x01000205);
    model::NetBootImage lion = scene_image(lion_id, "Lion", "Lion.nbi");
    lion.type = model::ImageType::nfs;
    lion.supports_diskless = true;
    lion.root_path = model::RootPath{.local_file = "NetBoot.dmg", .elsewhere = ""};
    scene.add(lion);
    scene.remember(the_mac, "iMac12,1", lion_id, "NetBoot007");
    // No shadow is lent, so sub-options 128 and 129 are missing; all else is E9.
    Payload expected = bsdp_example("E9");
    expected.resize(0x157);
    expected[0x141] = 0x157 - 0x142;
    expected.push_back(255);
    const Payload request = edited("E5", {xid(9), {0x128, {1, 0, 2, 5}}});
    EXPECT_EQ(ask(scene, request).payload, expected);
}

TEST(WorkedExamples, E10RefusesAnImageThatIsNotThere) {
    Scene scene;
    const Payload request = edited("E5", {xid(10), {0x128, {0x81, 0, 0, 9}}});
    EXPECT_EQ(ask(scene, request).payload, bsdp_example("E10"));
    EXPECT_TRUE(scene.records.empty());
}

TEST(WorkedExamples, E11AsksForDiagnosticsOnly) {
    Scene scene;
    EXPECT_EQ(ask(scene, bsdp_example("E11")).silence, Silence::no_image);
    const BootImageId diagnostics(0x03000001);
    model::NetBootImage image = scene_image(diagnostics, "Apple Hardware Test", "aht.nbi");
    image.filter_only = true;
    scene.add(image);
    const auto answer = read_answer(ask(scene, bsdp_example("E11")).payload);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->bsdp.default_image, diagnostics);
    EXPECT_EQ(answer->images,
              (std::vector<std::pair<BootImageId, std::string>>{{diagnostics, "Apple Hardware Test"}}));
}

TEST(WorkedExamples, E12SparesAVersion10ClientTheList) {
    Scene scene;
    scene.add(scene_image(BootImageId(0x81000003), "Chosen earlier", "earlier.nbi"));
    scene.remember(the_mac, "iMac12,1", BootImageId(0x81000003));
    // The example shows a bound client and a priority that counts none.
    scene.rules.priority_base = 32'769;
    const Payload request = edited("E3", {xid(12), {0x11e, {1, 0}}});
    EXPECT_EQ(ask(scene, request).payload, bsdp_example("E12"));
}

TEST(WorkedExamples, E13ANetBoot10MachineIsLeftToOthers) {
    Scene scene;
    scene.images[0].boot_files.push_back(
        {.architecture = "ppc", .path = "booter", .width = model::EfiWidth::other, .size = 1000});
    scene.publish(scene.images);
    EXPECT_EQ(ask(scene, bsdp_example("E13")).silence, Silence::netboot_1_0);
    // Without sub-option 10 it would be an answer: two pads in its place.
    EXPECT_TRUE(ask(scene, edited("E13", {{0x11a, {0, 0}}})).answer);
}

TEST(WorkedExamples, E14ComesThroughARelayAndE15GoesPastIt) {
    Scene scene;
    const auto outcome = ask(scene, bsdp_example("E14"), lab1);
    EXPECT_EQ(outcome.payload, bsdp_example("E15"));
    ASSERT_TRUE(outcome.answer);
    EXPECT_EQ(outcome.answer->destination.to, (base::Endpoint{{10, 0, 2, 40}, 68}));
    EXPECT_EQ(outcome.answer->destination.link, std::nullopt);
}

TEST(WorkedExamples, ARelayedChoiceIsAnsweredPastTheRelayToo) {
    Scene scene;
    const std::vector<Edit> relayed{{3, {1}}, {0xc, {10, 0, 2, 40}}, {0x18, {10, 0, 2, 1}}};
    const auto outcome = ask(scene, edited("E5", relayed), lab1);
    // hops is not copied.
    EXPECT_EQ(outcome.payload, edited("E6", {relayed[1], relayed[2]}));
    ASSERT_TRUE(outcome.answer);
    EXPECT_EQ(outcome.answer->destination.to, (base::Endpoint{{10, 0, 2, 40}, 68}));
    EXPECT_EQ(outcome.answer->destination.link, std::nullopt);
    EXPECT_EQ(scene.records.at(0).address, Ipv4Address(10, 0, 2, 40));
}

TEST(WorkedExamples, R1IsWhatARealServerSaidExceptForSiaddr) {
    Scene scene;
    scene.identity.addresses = {base::Ipv4Network({10, 0, 1, 7}, 24)};
    scene.identity.own_addresses = {Ipv4Address(10, 0, 1, 7)};
    scene.images = {scene_image(BootImageId(0x82000447), "DSR-1095", "dsr.nbi"),
                    scene_image(BootImageId(0x81000360),
                                "NetInstall of Install OS X El Capitan 10.11.3 - 15D21", "el.nbi")};
    scene.publish(scene.images);
    scene.remember(the_mac, "iMac14,2", grub);
    scene.remember(other_mac, "iMac14,2", grub);
    // Startup Disk's request as a tool sends it: E7 without the padding, from another Mac.
    Payload request = edited("E7", {{0xc, {10, 0, 1, 93}}, {0x1c, {0x80, 0xe6, 0x50, 0x09, 0xed, 0xa2}}});
    request.resize(294);
    EXPECT_EQ(ask(scene, request).payload, edited("R1", {{0x14, {10, 0, 1, 7}}}));
}

TEST(WorkedExamples, WhatOthersSayIsNoRequest) {
    Scene scene;
    for (const char* name : {"E2", "E4", "E6", "E8", "E9", "E10", "E12", "E15", "E17", "R1"}) {
        EXPECT_EQ(ask(scene, bsdp_example(name)).silence, Silence::not_a_request) << name;
    }
}

TEST(WorkedExamples, ASelectFromAMacThatCouldUseNoListIsLeftAlone) {
    Scene scene;
    ASSERT_TRUE(ask(scene, bsdp_example("E5")).answer);
    const Payload request = edited("E5", {{0x122, {0, 0, 0, 0}}, {0x128, {0, 0, 0, 0}}});
    EXPECT_EQ(ask(scene, request).silence, Silence::no_server_chosen);
    EXPECT_EQ(scene.records.size(), 1U);
    EXPECT_EQ(ask(scene, edited("E5", {{0x122, {10, 0, 1, 12}}})).silence, Silence::other_server);
    EXPECT_TRUE(scene.records.empty());
}

}  // namespace
}  // namespace pomona::policy
