#include <pomona/model/catalogue.hpp>
#include <pomona/model/known_models.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pomona::model {
namespace {

using base::BootImageId;
using base::MacAddress;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Severity = ImageProblem::Severity;

const MacAddress our_mac({0x40, 0x6c, 0x8f, 0x37, 0x95, 0x27});
const MacAddress other_mac({0x40, 0x6c, 0x8f, 0x37, 0x95, 0x28});

NetBootImage image(std::string folder, std::uint16_t index) {
    NetBootImage image;
    image.id = BootImageId(true, 1, index);
    image.name = folder;
    image.share = "NetBootSP0";
    image.share_path = "/srv/images";
    image.folder = std::move(folder);
    image.boot_files = {{.architecture = "i386", .path = "i386/booter"}};
    return image;
}

NetBootImage default_image(std::string folder, std::uint16_t index, std::vector<std::string> models = {}) {
    NetBootImage made = image(std::move(folder), index);
    made.is_default = true;
    made.enabled_models = std::move(models);
    return made;
}

AttributesFilter only(std::vector<std::uint16_t> attributes) {
    return attributes;
}

ClientTraits imac(MacAddress mac = our_mac) {
    return {.mac = mac, .architecture = "i386", .model = "iMac12,1"};
}

struct Built {
    // In this order: the catalogue's construction fills the problems.
    std::vector<ImageProblem> problems;
    Catalogue catalogue;

    explicit Built(std::vector<NetBootImage> images, std::vector<std::string> pinned = {})
        : catalogue(Catalogue::build(std::move(images), problems, pinned)) {}

    [[nodiscard]] std::vector<std::string> order() const {
        std::vector<std::string> folders;
        for (const NetBootImage& made : catalogue.images()) folders.push_back(made.folder);
        return folders;
    }
    [[nodiscard]] std::string texts() const {
        std::string lines;
        for (const ImageProblem& problem : problems) lines += problem.text() + "\n";
        return lines;
    }
};

TEST(Catalogue, OrdersDefaultsForModelsBeforeDefaultsBeforeTheRest) {
    const Built built({image("a.nbi", 1), default_image("b.nbi", 2), default_image("c.nbi", 3, {"iMac12,1"}),
                       image("d.nbi", 4), default_image("e.nbi", 5, {"iMac12,2"})});
    EXPECT_THAT(built.order(), ElementsAre("c.nbi", "e.nbi", "b.nbi", "a.nbi", "d.nbi"));
    EXPECT_THAT(built.problems, IsEmpty()) << built.texts();
    EXPECT_EQ(built.catalogue.default_for(imac(), std::nullopt)->folder, "c.nbi");
    EXPECT_EQ(built.catalogue
                  .default_for({.mac = our_mac, .architecture = "i386", .model = "iMac7,1"}, std::nullopt)
                  ->folder,
              "b.nbi");
}

TEST(Catalogue, PinnedOrderComesFirst) {
    NetBootImage second_root = image("d.nbi", 5);
    second_root.share = "NetBootSP1";
    const Built built(
        {image("a.nbi", 1), default_image("b.nbi", 2), image("c.nbi", 3), image("d.nbi", 4), second_root},
        {"NetBootSP1/d.nbi", "c.nbi", "gone.nbi"});
    EXPECT_THAT(built.order(), ElementsAre("d.nbi", "c.nbi", "b.nbi", "a.nbi", "d.nbi"));
    EXPECT_EQ(built.catalogue.images()[0].share, "NetBootSP1");
    ASSERT_EQ(built.problems.size(), 1U) << built.texts();
    EXPECT_EQ(built.problems[0].severity, Severity::warning);
    EXPECT_EQ(built.problems[0].path, "gone.nbi");
}

TEST(Catalogue, DropsTheLaterOfTwoEqualIds) {
    const Built built({image("a.nbi", 7), default_image("b.nbi", 7)});
    EXPECT_THAT(built.order(), ElementsAre("b.nbi"));
    ASSERT_EQ(built.problems.size(), 1U) << built.texts();
    EXPECT_EQ(built.problems[0].severity, Severity::error);
    EXPECT_EQ(built.problems[0].path, "/srv/images/a.nbi/NBImageInfo.plist");
    EXPECT_EQ(built.problems[0].key, "Index");
    EXPECT_THAT(built.problems[0].what, HasSubstr("/srv/images/b.nbi"));
}

TEST(Catalogue, EqualIndexesOfDifferentIdsAreTwoImagesAndAWarning) {
    NetBootImage other = image("b.nbi", 7);
    other.id = BootImageId(false, 1, 7);
    const Built built({default_image("a.nbi", 7), other});
    EXPECT_THAT(built.order(), ElementsAre("a.nbi", "b.nbi"));
    ASSERT_EQ(built.problems.size(), 1U) << built.texts();
    EXPECT_EQ(built.problems[0].severity, Severity::warning);
    EXPECT_THAT(built.problems[0].what, HasSubstr("index 7"));
}

TEST(Catalogue, WarnsWithoutADefault) {
    NetBootImage ppc = image("b.nbi", 2);
    ppc.boot_files = {{.architecture = "ppc", .path = "booter"}};
    const Built built({default_image("a.nbi", 1), ppc});
    ASSERT_EQ(built.problems.size(), 1U) << built.texts();
    EXPECT_THAT(built.problems[0].what, HasSubstr("default for ppc Macs"));
}

TEST(Catalogue, WarnsOfTwoDefaultsForEverybody) {
    const Built built(
        {default_image("a.nbi", 1), default_image("b.nbi", 2), default_image("c.nbi", 3, {"iMac12,1"})});
    ASSERT_EQ(built.problems.size(), 1U) << built.texts();
    EXPECT_EQ(built.problems[0].path, "/srv/images/b.nbi/NBImageInfo.plist");
    EXPECT_THAT(built.problems[0].what, HasSubstr("/srv/images/a.nbi stands first"));
}

TEST(Catalogue, ADefaultForSomeMacsOrAFilterIsNoDefaultForEverybody) {
    NetBootImage for_one_mac = default_image("a.nbi", 1);
    for_one_mac.enabled_macs = {our_mac};
    NetBootImage hidden = default_image("b.nbi", 2);
    hidden.filter_only = true;
    const Built built(
        {for_one_mac, hidden, default_image("c.nbi", 3), default_image("d.nbi", 4, {"iMac12,1"})});
    EXPECT_THAT(built.problems, IsEmpty());
}

TEST(Catalogue, AnImagePinnedTwiceStandsWhereItIsNamedFirst) {
    const Built built({image("a.nbi", 1), image("b.nbi", 2), image("c.nbi", 3)},
                      {"c.nbi", "b.nbi", "NetBootSP0/c.nbi"});
    EXPECT_THAT(built.order(), ElementsAre("c.nbi", "b.nbi", "a.nbi"));
}

TEST(Catalogue, FindsByAll32Bits) {
    const Built built({default_image("a.nbi", 7)});
    EXPECT_EQ(built.catalogue.find(BootImageId(0x81000007U))->folder, "a.nbi");
    EXPECT_EQ(built.catalogue.find(BootImageId(0x01000007U)), nullptr);
    EXPECT_EQ(built.catalogue.find(BootImageId(0x81010007U)), nullptr);
    EXPECT_EQ(Catalogue().find(BootImageId(0x81000007U)), nullptr);
    EXPECT_TRUE(Catalogue().empty());
}

TEST(Catalogue, SurvivesBeingMovedAndCopied) {
    Built built({default_image("a.nbi", 7)});
    const Catalogue copy = built.catalogue;
    const Catalogue moved = std::move(built.catalogue);
    EXPECT_EQ(copy.find(BootImageId(0x81000007U)), copy.images().data());
    EXPECT_EQ(moved.find(BootImageId(0x81000007U)), moved.images().data());
}

struct MatchCase {
    const char* name;
    std::function<void(NetBootImage&)> restrict;
    ClientTraits client;
    bool expected;
};

class CatalogueMatches : public testing::TestWithParam<MatchCase> {};

TEST_P(CatalogueMatches, Client) {
    NetBootImage made = image("a.nbi", 1);
    GetParam().restrict(made);
    EXPECT_EQ(Catalogue::matches(made, GetParam().client), GetParam().expected);
}

ClientTraits client(const char* architecture, const char* model) {
    return {.mac = our_mac, .architecture = architecture, .model = model};
}

INSTANTIATE_TEST_SUITE_P(
    Table, CatalogueMatches,
    testing::ValuesIn(std::vector<MatchCase>{
        MatchCase{"everybody", [](NetBootImage&) {}, client("i386", "iMac12,1"), true},
        MatchCase{"empty_model_sees_images_for_all", [](NetBootImage&) {}, client("i386", ""), true},
        MatchCase{"other_architecture", [](NetBootImage&) {}, client("ppc", "PowerMac3,1"), false},
        MatchCase{"empty_architecture", [](NetBootImage&) {}, client("", "iMac12,1"), false},
        MatchCase{"listed_model", [](NetBootImage& i) { i.enabled_models = {"iMac12,1", "iMac12,2"}; },
                  client("i386", "iMac12,1"), true},
        MatchCase{"unlisted_model", [](NetBootImage& i) { i.enabled_models = {"iMac12,1"}; },
                  client("i386", "iMac12,2"), false},
        MatchCase{"model_in_another_case", [](NetBootImage& i) { i.enabled_models = {"iMac12,1"}; },
                  client("i386", "imac12,1"), false},
        MatchCase{"no_wildcards", [](NetBootImage& i) { i.enabled_models = {"iMac*"}; },
                  client("i386", "iMac12,1"), false},
        MatchCase{"empty_model_and_a_list", [](NetBootImage& i) { i.enabled_models = {"iMac12,1"}; },
                  client("i386", ""), false},
        MatchCase{"honoured_disabled_model", [](NetBootImage& i) { i.disabled_models = {"iMac12,1"}; },
                  client("i386", "iMac12,1"), false},
        MatchCase{"another_disabled_model", [](NetBootImage& i) { i.disabled_models = {"iMac12,1"}; },
                  client("i386", "iMac12,2"), true},
        MatchCase{"disabled_mac", [](NetBootImage& i) { i.disabled_macs = {our_mac, other_mac}; }, imac(),
                  false},
        MatchCase{"another_disabled_mac", [](NetBootImage& i) { i.disabled_macs = {other_mac}; }, imac(),
                  true},
        MatchCase{"enabled_mac", [](NetBootImage& i) { i.enabled_macs = {our_mac, other_mac}; }, imac(),
                  true},
        MatchCase{"not_enabled_mac", [](NetBootImage& i) { i.enabled_macs = {other_mac}; }, imac(), false},
        MatchCase{"disabled_wins",
                  [](NetBootImage& i) {
                      i.enabled_macs = {our_mac};
                      i.disabled_macs = {our_mac};
                  },
                  imac(), false}}),
    [](const auto& test) { return test.param.name; });

TEST(Catalogue, FilterNamesTheUpper16BitsExactly) {
    NetBootImage made = image("a.nbi", 1);
    made.id = BootImageId(0x83000001U);
    EXPECT_TRUE(Catalogue::passes(made, std::nullopt));
    EXPECT_TRUE(Catalogue::passes(made, only({0x0100, 0x8300})));
    EXPECT_FALSE(Catalogue::passes(made, only({0x0300})));
    EXPECT_FALSE(Catalogue::passes(made, only({})));
    made.filter_only = true;
    EXPECT_FALSE(Catalogue::passes(made, std::nullopt));
    EXPECT_TRUE(Catalogue::passes(made, only({0x8300})));
}

TEST(Catalogue, TheDefaultIsTheFirstThatMatchesAndPasses) {
    NetBootImage diagnostics = default_image("a.nbi", 1);
    diagnostics.id = BootImageId(0x03000001U);
    diagnostics.filter_only = true;
    const Built built({diagnostics, image("b.nbi", 2)});
    EXPECT_EQ(built.catalogue.default_for(imac(), std::nullopt)->folder, "b.nbi");
    EXPECT_EQ(built.catalogue.default_for(imac(), only({0x0300}))->folder, "a.nbi");
    EXPECT_EQ(built.catalogue.default_for(imac(), only({0x0500})), nullptr);
    EXPECT_EQ(built.catalogue.default_for(client("ppc", "PowerMac3,1"), std::nullopt), nullptr);
}

TEST(ImageProblem, LeavesOutEmptyParts) {
    const ImageProblem problem{
        .severity = Severity::warning, .path = "/a", .key = "Name", .what = "long", .remedy = "cut"};
    EXPECT_EQ(problem.text(), "warning: /a: Name: long; cut");
    const ImageProblem bare{.severity = Severity::note, .path = "/a", .key = {}, .what = "off", .remedy = {}};
    EXPECT_EQ(bare.text(), "note: /a: off");
}

TEST(KnownModels, AreThoseThatNetBoot) {
    for (const char* model : {"iMac12,1", "iMac4,1", "iMac19,2", "MacBookPro14,3", "PowerMac3,1", "Xserve1,1",
                              "VMware7,1", "MacPro6,1", "Macmini7,1"}) {
        EXPECT_TRUE(is_known_netboot_model(model)) << model;
    }
    for (const char* model :
         {"", "iMac", "iMac20,1", "iMac12", "iMac12,", "iMac12,1x", "imac12,1", "iMacPro1,1", "iMac0,1",
          "Macmini8,1", "Mac13,1", "12,1", "Mac-50619A408DB004DA", "iMac99999999999,1"}) {
        EXPECT_FALSE(is_known_netboot_model(model)) << model;
    }
}

}  // namespace
}  // namespace pomona::model
