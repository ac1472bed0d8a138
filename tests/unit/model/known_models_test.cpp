#include <pomona/model/known_models.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace pomona::model {
namespace {

using testing::HasSubstr;

struct ModelCase {
    const char* model;
    Firmware firmware;
    NetBooting netboot = NetBooting::yes;
};

class KnownModel : public testing::TestWithParam<ModelCase> {};

TEST_P(KnownModel, HasItsFirmware) {
    const auto facts = KnownModels::built_in().find(GetParam().model);
    ASSERT_TRUE(facts) << GetParam().model;
    EXPECT_EQ(facts->firmware, GetParam().firmware) << GetParam().model;
    EXPECT_EQ(facts->netboot, GetParam().netboot) << GetParam().model;
}

INSTANTIATE_TEST_SUITE_P(Table, KnownModel,
                         testing::ValuesIn(std::vector<ModelCase>{
                             {"iMac4,1", Firmware::ia32},
                             {"iMac6,1", Firmware::ia32},
                             {"iMac7,1", Firmware::x64},
                             {"iMac12,1", Firmware::x64},
                             {"iMac19,2", Firmware::x64},
                             {"iMac20,1", Firmware::x64, NetBooting::no_t2},
                             {"iMac21,1", Firmware::none, NetBooting::no_apple_silicon},
                             {"iMacPro1,1", Firmware::x64, NetBooting::no_t2},
                             {"Macmini2,1", Firmware::ia32},
                             {"Macmini7,1", Firmware::x64},
                             {"Macmini8,1", Firmware::x64, NetBooting::no_t2},
                             {"Macmini9,1", Firmware::none, NetBooting::no_apple_silicon},
                             {"MacBook2,1", Firmware::ia32},
                             {"MacBook3,1", Firmware::doubtful},
                             {"MacBook4,1", Firmware::ia32},
                             {"MacBook5,1", Firmware::x64},
                             {"MacBookAir1,1", Firmware::doubtful},
                             {"MacBookAir4,1", Firmware::x64},
                             {"MacBookAir10,1", Firmware::none, NetBooting::no_apple_silicon},
                             {"MacBookPro2,2", Firmware::ia32},
                             {"MacBookPro14,3", Firmware::x64},
                             {"MacBookPro16,1", Firmware::x64, NetBooting::no_t2},
                             {"MacPro2,1", Firmware::ia32},
                             {"MacPro7,1", Firmware::x64, NetBooting::no_t2},
                             {"Xserve1,1", Firmware::ia32},
                             {"Xserve3,1", Firmware::x64},
                             {"Mac13,1", Firmware::none, NetBooting::no_apple_silicon},
                             {"VMware7,1", Firmware::x64},
                             {"PowerMac3,1", Firmware::none},
                         }),
                         [](const auto& one) {
                             std::string name = one.param.model;
                             name[name.find(',')] = '_';
                             return name;
                         });

TEST(KnownModels, AreWrittenExactly) {
    for (const char* model : {"", "iMac", "iMac12", "iMac12,", "iMac12,1x", "imac12,1", "iMac0,1", "iMac-5,1",
                              "12,1", "Mac-50619A408DB004DA", "iMac99999999999,1", "iMac12,0", "iMac12,-1"}) {
        EXPECT_EQ(KnownModels::built_in().find(model), std::nullopt) << model;
        EXPECT_EQ(KnownModels::built_in().firmware_of(model), Firmware::x64) << model;
        EXPECT_FALSE(KnownModels::built_in().netboots(model)) << model;
    }
}

TEST(KnownModels, MayStartWhatFits) {
    const KnownModels& known = KnownModels::built_in();
    EXPECT_TRUE(known.may_start("iMac12,1", EfiWidth::x64));
    EXPECT_FALSE(known.may_start("iMac12,1", EfiWidth::ia32));
    EXPECT_TRUE(known.may_start("iMac4,1", EfiWidth::ia32));
    EXPECT_FALSE(known.may_start("iMac4,1", EfiWidth::x64));
    EXPECT_TRUE(known.may_start("MacBook3,1", EfiWidth::ia32));
    EXPECT_TRUE(known.may_start("MacBook3,1", EfiWidth::x64));
    EXPECT_TRUE(known.may_start("iMac4,1", EfiWidth::universal));
    EXPECT_TRUE(known.may_start("PowerMac3,1", EfiWidth::other));
    EXPECT_TRUE(known.may_start("", EfiWidth::x64));
    EXPECT_FALSE(known.may_start("", EfiWidth::ia32));
}

TEST(KnownModels, PatternsWithManyStarsCostLittle) {
    KnownModels known = KnownModels::built_in();
    known.override_firmware("*a*a*a*a*a*a*a*a*a*a*b", Firmware::ia32);
    known.override_firmware("a*b*c", Firmware::ia32);
    known.override_firmware("*", Firmware::doubtful);
    EXPECT_EQ(known.firmware_of(std::string(64, 'a')), Firmware::doubtful);
    EXPECT_EQ(known.firmware_of("abbbcbc"), Firmware::ia32);
    EXPECT_EQ(known.firmware_of("abbbcb"), Firmware::doubtful);
    EXPECT_EQ(known.firmware_of("abc"), Firmware::ia32);
    EXPECT_EQ(known.firmware_of(""), Firmware::doubtful);
}

TEST(KnownModels, AreCorrectedExactFirstThenByTheLongerPattern) {
    KnownModels known = KnownModels::built_in();
    known.override_firmware("Mac*", Firmware::x64);
    known.override_firmware("MacBook*", Firmware::ia32);
    known.override_firmware("MacBook9,1", Firmware::x64);
    EXPECT_EQ(known.firmware_of("MacBook9,1"), Firmware::x64);
    EXPECT_EQ(known.firmware_of("MacBook10,1"), Firmware::ia32);
    EXPECT_EQ(known.firmware_of("Macmini1,1"), Firmware::x64);
    EXPECT_EQ(known.firmware_of("iMac4,1"), Firmware::ia32);
    // The firmware is corrected, not the chip.
    EXPECT_EQ(known.find("Macmini8,1")->netboot, NetBooting::no_t2);
    known.override_firmware("*,7", Firmware::ia32);
    EXPECT_EQ(known.firmware_of("Clone1,7"), Firmware::ia32);
    EXPECT_EQ(known.firmware_of("Clone1,17x"), Firmware::x64);
}

struct BadTable {
    const char* name;
    const char* text;
    const char* what;
};

class KnownModelsRefuse : public testing::TestWithParam<BadTable> {};

TEST_P(KnownModelsRefuse, ALineWithItsNumber) {
    const auto known =
        KnownModels::parse(std::string("# a comment\n\niMac4-6 ia32 yes # and another\n") + GetParam().text);
    ASSERT_FALSE(known);
    EXPECT_THAT(known.error().what, HasSubstr(GetParam().what));
    EXPECT_EQ(known.error().where, "line 4");
    EXPECT_NE(known.error().remedy, "");
}

INSTANTIATE_TEST_SUITE_P(Table, KnownModelsRefuse,
                         testing::ValuesIn(std::vector<BadTable>{
                             {"no_firmware", "iMac7", "no firmware"},
                             {"odd_firmware", "iMac7 arm yes", "no firmware"},
                             {"no_netboot", "iMac7 x64", "NetBoots"},
                             {"odd_netboot", "iMac7 x64 maybe", "NetBoots"},
                             {"too_many_words", "iMac7 x64 yes sir", "more than three"},
                             {"no_number", "iMac x64 yes", "no range"},
                             {"no_family", "7-9 x64 yes", "no range"},
                             {"backward_range", "iMac9-7 x64 yes", "no range"},
                             {"open_range", "iMac9- x64 yes", "no range"},
                             {"huge_number", "iMac99999-100000 x64 yes", "no range"},
                             {"star", "iMac* x64 yes", "no range"},
                         }),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace pomona::model
