#include <pomona/model/catalogue.hpp>

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

NetBootImage of_width(NetBootImage image, EfiWidth width) {
    image.boot_files.front().width = width;
    return image;
}

TEST(Catalogue, DefaultsForDifferentFirmwareDoNotClash) {
    EXPECT_THAT(Built({of_width(default_image("a.nbi", 1), EfiWidth::ia32),
                       of_width(default_image("b.nbi", 2), EfiWidth::x64)})
                    .problems,
                IsEmpty());
    const Built built({of_width(default_image("a.nbi", 1), EfiWidth::ia32),
                       of_width(default_image("b.nbi", 2), EfiWidth::x64),
                       of_width(default_image("c.nbi", 3), EfiWidth::universal)});
    ASSERT_EQ(built.problems.size(), 1U) << built.texts();
    EXPECT_THAT(built.problems[0].what, HasSubstr("/srv/images/a.nbi stands first"));
}

TEST(Catalogue, WarnsOfAModelThatDoesNotSeeTheImageThatNamesIt) {
    const Built built({of_width(default_image("a.nbi", 1, {"iMac12,1", "iMac4,1", "iMac5,1"}), EfiWidth::x64),
                       of_width(default_image("b.nbi", 2, {"Clone1,1", "MacBook3,1"}), EfiWidth::ia32),
                       of_width(default_image("c.nbi", 3, {"iMac4,1"}), EfiWidth::universal)});
    ASSERT_EQ(built.problems.size(), 2U) << built.texts();
    EXPECT_EQ(built.problems[0].text(),
              "warning: /srv/images/a.nbi/NBImageInfo.plist: EnabledSystemIdentifiers: the boot file is for "
              "64-bit EFI, and iMac4,1 and 1 more count as 32-bit, so the image stays hidden from them; give "
              "the image a program for both widths, or correct the models with the setting x64-model");
    EXPECT_EQ(
        built.problems[1].text(),
        "warning: /srv/images/b.nbi/NBImageInfo.plist: EnabledSystemIdentifiers: the boot file is for "
        "32-bit EFI, and Clone1,1 counts as 64-bit, so the image stays hidden from it; give the image a "
        "program for both widths, or correct the model with the setting ia32-model");
}

TEST(Catalogue, ShowsAnImageToTheFirmwareThatCanStartIt) {
    struct Case {
        const char* model;
        bool ia32;
        bool x64;
    };
    NetBootImage separate = of_width(image("d.nbi", 4), EfiWidth::x64);
    separate.boot_files.push_back(
        {.architecture = "i386", .path = "i386/booter-ia32", .width = EfiWidth::ia32});
    const Built built({of_width(image("a.nbi", 1), EfiWidth::ia32),
                       of_width(image("b.nbi", 2), EfiWidth::x64),
                       of_width(image("c.nbi", 3), EfiWidth::universal), separate});
    const auto images = built.catalogue.images();
    for (const Case& one :
         {Case{"iMac4,1", true, false}, Case{"iMac12,1", false, true}, Case{"Clone1,1", false, true},
          Case{"", false, true}, Case{"MacBook3,1", true, true}, Case{"MacBookAir1,1", true, true}}) {
        const ClientTraits mac{.mac = our_mac, .architecture = "i386", .model = one.model};
        EXPECT_EQ(built.catalogue.matches(images[0], mac), one.ia32) << one.model;
        EXPECT_EQ(built.catalogue.matches(images[1], mac), one.x64) << one.model;
        EXPECT_TRUE(built.catalogue.matches(images[2], mac)) << one.model;
        EXPECT_TRUE(built.catalogue.matches(images[3], mac)) << one.model;
        const BootFile* const file = built.catalogue.boot_file_for(images[3], mac);
        ASSERT_NE(file, nullptr);
        EXPECT_EQ(file->path, one.x64 ? "i386/booter" : "i386/booter-ia32") << one.model;
    }
    EXPECT_EQ(built.catalogue.boot_file_for(images[0],
                                            {.mac = our_mac, .architecture = "ppc", .model = "PowerMac3,1"}),
              nullptr);
}

TEST(Catalogue, TakesTheTableOfModelsAsItIsGiven) {
    KnownModels models;
    models.override_firmware("iMac12,*", Firmware::ia32);
    std::vector<ImageProblem> problems;
    const Catalogue catalogue =
        Catalogue::build({of_width(image("a.nbi", 1), EfiWidth::ia32)}, problems, {}, models);
    EXPECT_TRUE(catalogue.matches(catalogue.images()[0], imac()));
    EXPECT_FALSE(catalogue.matches(catalogue.images()[0],
                                   {.mac = our_mac, .architecture = "i386", .model = "iMac4,1"}));
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
    EXPECT_EQ(Catalogue().matches(made, GetParam().client), GetParam().expected);
}

ClientTraits client(const char* architecture, const char* model) {
    return {.mac = our_mac, .architecture = architecture, .model = model};
}

INSTANTIATE_TEST_SUITE_P(
    Table, CatalogueMatches,
    testing::
        ValuesIn(
            std::
                vector<MatchCase>{
                    MatchCase{"everybody", [](NetBootImage&) {}, client("i386", "iMac12,1"), true},
                    MatchCase{"empty_model_sees_images_for_all", [](NetBootImage&) {}, client("i386", ""),
                              true},
                    MatchCase{"other_architecture", [](NetBootImage&) {}, client("ppc", "PowerMac3,1"),
                              false},
                    MatchCase{"empty_architecture", [](NetBootImage&) {}, client("", "iMac12,1"), false},
                    MatchCase{"listed_model",
                              [](NetBootImage& i) { i.enabled_models = {"iMac12,1", "iMac12,2"}; },
                              client("i386", "iMac12,1"), true},
                    MatchCase{"unlisted_model", [](NetBootImage& i) { i.enabled_models = {"iMac12,1"}; },
                              client("i386", "iMac12,2"), false},
                    MatchCase{"model_in_another_case",
                              [](NetBootImage& i) { i.enabled_models = {"iMac12,1"}; },
                              client("i386", "imac12,1"), false},
                    MatchCase{"no_wildcards", [](NetBootImage& i) { i.enabled_models = {"iMac*"}; },
                              client("i386", "iMac12,1"), false},
                    MatchCase{"empty_model_and_a_list",
                              [](NetBootImage& i) { i.enabled_models = {"iMac12,1"}; }, client("i386", ""),
                              false},
                    MatchCase{"honoured_disabled_model",
                              [](NetBootImage& i) { i.disabled_models = {"iMac12,1"}; },
                              client("i386", "iMac12,1"), false},
                    MatchCase{"another_disabled_model",
                              [](NetBootImage& i) { i.disabled_models = {"iMac12,1"}; },
                              client("i386", "iMac12,2"), true},
                    MatchCase{"disabled_mac", [](NetBootImage& i) { i.disabled_macs = {our_mac, other_mac}; },
                              imac(), false},
                    MatchCase{"another_disabled_mac", [](NetBootImage& i) { i.disabled_macs = {other_mac}; },
                              imac(), true},
                    MatchCase{"enabled_mac", [](NetBootImage& i) { i.enabled_macs = {our_mac, other_mac}; },
                              imac(), true},
                    MatchCase{"not_enabled_mac", [](NetBootImage& i) { i.enabled_macs = {other_mac}; },
                              imac(), false},
                    MatchCase{
                        "disabled_wins",
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

}  // namespace
}  // namespace pomona::model
