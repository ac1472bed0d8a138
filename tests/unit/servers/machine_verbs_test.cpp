#include "servers/machine_verbs.hpp"

#include "support/client_stores.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace pomona::servers {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using tests::at_second;
using tests::choice_of;

model::NetBootImage image_of(std::uint32_t id, const char* name, const char* folder,
                             const char* share = "NetBootSP0") {
    model::NetBootImage image;
    image.id = base::BootImageId(id);
    image.name = name;
    image.share = share;
    image.folder = folder;
    return image;
}

model::Catalogue some_images() {
    std::vector<model::ImageProblem> problems;
    return model::Catalogue::build(
        {image_of(0x81001001, "GRUB 2", "grub.nbi"), image_of(0x01001001, "GRUB, too", "grub2.nbi"),
         image_of(0x81000007, "Seven", "seven.nbi"), image_of(0x81000008, "Twin", "twin.nbi"),
         image_of(0x81000009, "Twin", "twin.nbi", "Other")},
        problems);
}

TEST(FindImage, UnderstandsIdIndexFolderAndName) {
    const model::Catalogue catalogue = some_images();
    struct Case {
        const char* text;
        std::uint32_t id;
    };
    for (const Case& good :
         {Case{"0x81001001", 0x81001001}, Case{"01001001", 0x01001001}, Case{"7", 0x81000007},
          Case{"grub.nbi", 0x81001001}, Case{"grub", 0x81001001}, Case{"NetBootSP0/grub.nbi", 0x81001001},
          Case{"Other/twin.nbi", 0x81000009}, Case{"Seven", 0x81000007}, Case{"GRUB, too", 0x01001001}}) {
        const auto found = find_image(catalogue, good.text);
        ASSERT_TRUE(found) << good.text << ": " << found.error().text();
        EXPECT_EQ(*found, base::BootImageId(good.id)) << good.text;
    }
}

TEST(FindImage, SaysWhatThereIs) {
    const model::Catalogue catalogue = some_images();
    struct Case {
        const char* text;
        const char* says;
    };
    for (const Case& bad : {Case{"", "published are 0x"}, Case{"0x81009999", "no published image"},
                            Case{"9999", "no published image"}, Case{"seven ", "no published image"},
                            Case{"4097", "may mean several images"}, Case{"Twin", "name one by its id"},
                            Case{"twin.nbi", "Other/twin.nbi"}}) {
        const auto found = find_image(catalogue, bad.text);
        ASSERT_FALSE(found) << bad.text;
        EXPECT_THAT(found.error().text(), HasSubstr(bad.says)) << bad.text;
    }
    EXPECT_THAT(find_image(model::Catalogue(), "grub").error().text(), HasSubstr("no image is published"));
}

struct MachineVerbs : testing::Test {
    std::unique_ptr<store::ClientRegistry> registry = std::make_unique<store::ClientRegistry>(
        std::make_unique<tests::EmptyStore>(), store::ClientRegistry::Options());
    MachineVerbOptions options{.images = names_in([catalogue = std::make_shared<const model::Catalogue>(
                                                       some_images())] { return catalogue; }),
                               .now = [] { return at_second(1'769'847'300); }};

    base::Result<json> ask(const json& request) const {
        return machine_verbs(*registry, options).at(request.at("do").get<std::string>())(request);
    }
    static json fields(const char* verb, const char* mac) { return {{"do", verb}, {"mac", mac}}; }
};

TEST_F(MachineVerbs, ShowsWhatTheMachineLoads) {
    model::NetBootImage image = image_of(0x81001001, "GRUB 2", "grub.nbi");
    image.boot_files = {{.architecture = "i386", .path = "i386/booter", .width = model::EfiWidth::x64},
                        {.architecture = "i386", .path = "i386/booter-ia32", .width = model::EfiWidth::ia32}};
    std::vector<model::ImageProblem> problems;
    options.images = names_in([catalogue = std::make_shared<const model::Catalogue>(
                                   model::Catalogue::build({image}, problems))] { return catalogue; });
    const auto shown = [&](std::uint32_t machine, const char* model, std::uint32_t id) {
        registry->apply(choice_of(machine, 1'769'847'300, id, model));
        const std::string mac = "02:00:00:00:00:0" + std::to_string(machine);
        return ask(fields("machine.show", mac.c_str()))->at("machines")[0].at("boot");
    };
    EXPECT_EQ(shown(1, "iMac12,1", 0x81001001), json::parse(R"({"published":true,"boot_file_only":true,
        "boot_file":"nbi/NetBootSP0/grub.nbi/i386/booter","boot_server":null,"firmware":"x64","netboot":"yes"})"));
    EXPECT_EQ(shown(2, "iMac4,1", 0x81001001).at("boot_file"), "nbi/NetBootSP0/grub.nbi/i386/booter-ia32");
    EXPECT_EQ(shown(3, "Macmini8,1", 0x81001001).at("netboot"), "T2");
    EXPECT_EQ(shown(4, "Clone1,1", 0x81009999), json::parse(R"({"published":false,"boot_file_only":false,
        "boot_file":null,"boot_server":null,"firmware":null,"netboot":null})"));
}

TEST_F(MachineVerbs, ListsEveryField) {
    EXPECT_EQ(*ask({{"do", "machine.list"}}), json::parse(R"({"machines":[]})"));
    registry->apply(choice_of(1, 1'769'847'300));
    EXPECT_EQ(*ask({{"do", "machine.list"}}), json::parse(R"({"machines":[{
        "mac":"02:00:00:00:00:01","model":"iMac12,1","architecture":"i386","image":"0x81001001","image_name":"GRUB 2",
        "address":"10.0.0.1","machine_name":"NetBoot001","number":1,"first_seen":"2026-01-31T08:15:00Z",
        "last_seen":"2026-01-31T08:15:00Z","last_selected":"2026-01-31T08:15:00Z","chosen_by_hand":false,
        "shared_adapter":false}]})"));
}

TEST_F(MachineVerbs, ShowsEveryModelOfAnAdapter) {
    registry->apply(choice_of(1));
    registry->apply(choice_of(1, 5, 0x8100ffff, "Macmini6,2"));
    for (const char* spelling :
         {"02:00:00:00:00:01", "02-00-00-00-00-01", "020000000001", "0200.0000.0001", "2:0:0:0:0:1"}) {
        const auto shown = ask(fields("machine.show", spelling));
        ASSERT_TRUE(shown) << spelling;
        ASSERT_EQ(shown->at("machines").size(), 2U);
        EXPECT_EQ(shown->at("machines")[0].at("shared_adapter"), true);
        EXPECT_EQ(shown->at("machines")[0].at("image_name"), json()) << "the image is gone for a while";
    }
}

TEST_F(MachineVerbs, SelectsForAKnownMachine) {
    registry->apply(choice_of(1));
    json request = fields("machine.select", "02:00:00:00:00:01");
    request["image"] = "seven";
    const auto result = ask(request);
    ASSERT_TRUE(result) << result.error().text();
    EXPECT_EQ(result->at("durable"), true);
    EXPECT_EQ(result->at("machines")[0].at("image"), "0x81000007");
    EXPECT_EQ(result->at("machines")[0].at("chosen_by_hand"), true);
    const auto client = registry->find(choice_of(1).key);
    EXPECT_EQ(client->image, base::BootImageId(0x81000007));
    EXPECT_EQ(client->last_selected, at_second(1'769'847'300));
}

TEST_F(MachineVerbs, SelectsForEveryModelOrOne) {
    registry->apply(choice_of(1));
    registry->apply(choice_of(1, 5, 0x81001001, "Macmini6,2"));
    json request = fields("machine.select", "02:00:00:00:00:01");
    request["image"] = "7";
    request["model"] = "Macmini6,2";
    ASSERT_TRUE(ask(request));
    EXPECT_EQ(registry->find(choice_of(1).key)->image, base::BootImageId(0x81001001));
    request.erase("model");
    EXPECT_EQ(ask(request)->at("machines").size(), 2U);
    EXPECT_EQ(registry->find(choice_of(1).key)->image, base::BootImageId(0x81000007));
}

TEST_F(MachineVerbs, AnUnknownMachineNeedsAModel) {
    json request = fields("machine.select", "02:00:00:00:00:09");
    request["image"] = "grub";
    EXPECT_THAT(ask(request).error().text(), HasSubstr("its model is needed; add --model"));
    EXPECT_EQ(registry->size(), 0U);
    request["model"] = "iMac12,1";
    EXPECT_TRUE(ask(request));
    EXPECT_TRUE(registry->find({tests::mac_number(9), "iMac12,1"}));
}

TEST_F(MachineVerbs, Forgets) {
    registry->apply(choice_of(1));
    registry->apply(choice_of(1, 5, 0x81001001, "Macmini6,2"));
    json request = fields("machine.forget", "02:00:00:00:00:01");
    request["model"] = "iMac12,1";
    EXPECT_EQ(*ask(request), json::parse(R"({"forgotten":1,"durable":true})"));
    EXPECT_EQ(registry->size(), 1U);
    request["model"] = nullptr;
    EXPECT_EQ(ask(request)->at("forgotten"), 1);
    EXPECT_THAT(ask(request).error().text(), HasSubstr("no machine 02:00:00:00:00:01 is remembered"));
}

TEST_F(MachineVerbs, SaysWhatIsWrong) {
    registry->apply(choice_of(1));
    struct Case {
        const char* request;
        const char* says;
    };
    for (const Case& bad :
         {Case{R"({"do":"machine.show"})", "mac: the request lacks a value"},
          Case{R"({"do":"machine.show","mac":7})", "mac: the value is no text"},
          Case{R"({"do":"machine.show","mac":"nobody"})", "\"nobody\" is no MAC address"},
          Case{R"({"do":"machine.show","mac":"ff:ff:ff:ff:ff:ff"})", "no single machine"},
          Case{R"({"do":"machine.show","mac":"02:00:00:00:00:07"})", "`pomona machine list`"},
          Case{R"({"do":"machine.select","mac":"02:00:00:00:00:01"})", "image: the request lacks a value"},
          Case{R"({"do":"machine.select","mac":"02:00:00:00:00:01","image":"x"})",
               "no published image is called"},
          Case{R"({"do":"machine.select","mac":"02:00:00:00:00:01","image":"grub","model":[]})",
               "model: the value is no text"},
          Case{R"({"do":"machine.forget","mac":""})", "is no MAC address"}}) {
        const auto result = ask(json::parse(bad.request));
        ASSERT_FALSE(result) << bad.request;
        EXPECT_THAT(result.error().text(), HasSubstr(bad.says)) << bad.request;
    }
}

TEST_F(MachineVerbs, WithoutACatalogueIdsAreUnderstood) {
    registry->apply(choice_of(1));
    options.images = {};
    json request = fields("machine.select", "02:00:00:00:00:01");
    request["image"] = "0x81000009";
    EXPECT_EQ(ask(request)->at("machines")[0].at("image"), "0x81000009");
    request["image"] = "grub";
    EXPECT_THAT(ask(request).error().text(), HasSubstr("write it like 0x81001001"));
    request["image"] = "0x81000000";
    EXPECT_FALSE(ask(request)) << "index 0 names no image";
}

TEST_F(MachineVerbs, AFailingStoreShowsInTheAnswer) {
    registry = std::make_unique<store::ClientRegistry>(
        std::make_unique<tests::BrokenStore>(std::make_shared<tests::BrokenStoreState>()),
        store::ClientRegistry::Options());
    registry->apply(choice_of(1));
    json request = fields("machine.select", "02:00:00:00:00:01");
    request["image"] = "grub";
    EXPECT_EQ(ask(request)->at("durable"), false);
}

TEST_F(MachineVerbs, AHangingStoreIsNotWaitedForForever) {
    const auto disk = std::make_shared<tests::BrokenStoreState>();
    disk->hold();
    registry = std::make_unique<store::ClientRegistry>(std::make_unique<tests::BrokenStore>(disk),
                                                       store::ClientRegistry::Options());
    registry->apply(choice_of(1));
    disk->wait_until_hanging();
    options.durable_within = std::chrono::milliseconds(20);
    EXPECT_EQ(ask(fields("machine.forget", "02:00:00:00:00:01"))->at("durable"), false);
    disk->release();
}

}  // namespace
}  // namespace pomona::servers
