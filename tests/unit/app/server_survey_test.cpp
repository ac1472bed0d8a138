#include "app/server_survey.hpp"

#include <gmock/gmock.h>

namespace pomona::app {
namespace {

using base::BootImageId;
using base::Ipv4Address;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Ipv4Address one{10, 0, 0, 1};
const Ipv4Address two{10, 0, 0, 2};
const Ipv4Address three{10, 0, 0, 3};
constexpr BootImageId global{0x81001001};
constexpr BootImageId other_global{0x81001002};
constexpr BootImageId local{0x81000005};

ListAnswer answer(Ipv4Address server, std::optional<std::uint16_t> priority,
                  std::vector<OfferedImage> images) {
    ListAnswer result;
    result.server = server;
    result.source = {server, 67};
    result.priority = priority;
    result.images = std::move(images);
    return result;
}

TEST(ServerSurvey, OneServerIsItsList) {
    ServerSurvey survey;
    ListAnswer only = answer(one, 100, {{global, "GRUB"}, {local, "iPXE"}});
    only.default_image = global;
    only.selected_image = local;
    EXPECT_TRUE(survey.add(only));
    const auto menu = survey.menu();
    ASSERT_EQ(menu.size(), 2U);
    EXPECT_EQ(menu[0], (MenuEntry{{global, "GRUB"}, one, {one}, true, false}));
    EXPECT_EQ(menu[1], (MenuEntry{{local, "iPXE"}, one, {one}, false, true}));
    EXPECT_THAT(survey.warnings(), IsEmpty());
}

struct Merging {
    const char* name;
    std::uint16_t first_priority;
    std::uint16_t second_priority;
    Ipv4Address winner;
};
class ServerSurveyMerges : public testing::TestWithParam<Merging> {};
TEST_P(ServerSurveyMerges, GlobalImagesByPriority) {
    ServerSurvey survey;
    survey.add(answer(one, GetParam().first_priority, {{global, "GRUB"}}));
    survey.add(answer(two, GetParam().second_priority, {{global, "GRUB"}, {other_global, "iPXE"}}));
    const auto menu = survey.menu();
    ASSERT_EQ(menu.size(), 2U);
    EXPECT_EQ(menu[0].server, GetParam().winner);
    EXPECT_THAT(menu[0].offered_by, ElementsAre(one, two));
    EXPECT_EQ(menu[1].server, two);
}
INSTANTIATE_TEST_SUITE_P(Cases, ServerSurveyMerges,
                         testing::Values(Merging{"first_is_greater", 200, 100, one},
                                         Merging{"second_is_greater", 100, 101, two},
                                         Merging{"first_of_equals", 100, 100, one},
                                         Merging{"unsigned", 0x7fff, 0x8000, two}),
                         [](const auto& test) { return test.param.name; });

TEST(ServerSurvey, AMissingPriorityIsZero) {
    ServerSurvey survey;
    survey.add(answer(one, std::nullopt, {{global, "GRUB"}}));
    survey.add(answer(two, 1, {{global, "GRUB"}}));
    survey.add(answer(three, 0, {{global, "GRUB"}}));
    const auto menu = survey.menu();
    ASSERT_EQ(menu.size(), 1U);
    EXPECT_EQ(menu[0].server, two);
    EXPECT_THAT(menu[0].offered_by, ElementsAre(one, two, three));
}

TEST(ServerSurvey, LocalImagesStayApart) {
    ServerSurvey survey;
    survey.add(answer(one, 1, {{local, "GRUB"}}));
    survey.add(answer(two, 2, {{local, "GRUB"}}));
    const auto menu = survey.menu();
    ASSERT_EQ(menu.size(), 2U);
    EXPECT_EQ(menu[0].server, one);
    EXPECT_EQ(menu[1].server, two);
    EXPECT_THAT(survey.warnings(), IsEmpty()) << "that is what local indexes are for";
}

TEST(ServerSurvey, TheBorderIs4096) {
    ServerSurvey survey;
    const BootImageId last_local(true, 1, 4095);
    const BootImageId first_global(true, 1, 4096);
    for (const Ipv4Address server : {one, two})
        survey.add(answer(server, 1, {{last_local, "a"}, {first_global, "b"}}));
    EXPECT_EQ(survey.menu().size(), 3U);
}

TEST(ServerSurvey, EqualIndexesOfDifferentKindAreDifferentImages) {
    ServerSurvey survey;
    survey.add(answer(one, 1, {{BootImageId(0x81001001), "GRUB"}}));
    survey.add(answer(two, 1, {{BootImageId(0x01001001), "GRUB"}}));
    EXPECT_EQ(survey.menu().size(), 2U);
    EXPECT_THAT(survey.warnings(), ElementsAre(HasSubstr("index 4097 clashes")));
}

TEST(ServerSurvey, WarnsWhenOneIdHasTwoNames) {
    ServerSurvey survey;
    survey.add(answer(one, 1, {{global, "GRUB"}, {other_global, "iPXE"}}));
    survey.add(answer(two, 1, {{global, "Lion\n"}, {other_global, "iPXE"}}));
    EXPECT_THAT(survey.warnings(),
                ElementsAre(HasSubstr("0x81001001 is \"GRUB\" on 10.0.0.1 and \"Lion?\" on 10.0.0.2")));
    EXPECT_EQ(survey.menu().size(), 2U);
}

TEST(ServerSurvey, ANewAnswerReplacesTheOldOneInItsPlace) {
    ServerSurvey survey;
    survey.add(answer(one, 1, {{global, "old"}}));
    survey.add(answer(two, 1, {{global, "old"}}));
    EXPECT_FALSE(survey.add(answer(one, 1, {{global, "old"}, {local, "new"}})));
    ASSERT_EQ(survey.servers().size(), 2U);
    EXPECT_EQ(survey.servers()[0].images.size(), 2U);
    EXPECT_EQ(survey.menu()[0].server, one);
}

TEST(ServerSurvey, OddAnswersBecomeWarnings) {
    ServerSurvey survey;
    ListAnswer odd = answer(one, 1, {{global, "GRUB"}});
    odd.oddities = {"it is odd"};
    survey.add(odd);
    EXPECT_TRUE(survey.add(NotAccepted{NotAccepted::Kind::plain_dhcp, two, "no class"}));
    EXPECT_FALSE(survey.add(NotAccepted{NotAccepted::Kind::plain_dhcp, two, "no class"})) << "said once";
    EXPECT_TRUE(survey.add(NotAccepted{NotAccepted::Kind::unusable, three, "it is broken"}));
    EXPECT_FALSE(survey.add(NotAccepted{}));
    EXPECT_THAT(survey.warnings(),
                ElementsAre("server 10.0.0.1: it is odd", HasSubstr("DHCP server 10.0.0.2 answers INFORM"),
                            "server 10.0.0.3: a Mac drops its answer, since it is broken"));
}

TEST(ServerSurvey, UnattendedTakesTheDefaultOfTheGreatestPriority) {
    ServerSurvey survey;
    EXPECT_FALSE(survey.unattended_choice());
    ListAnswer low = answer(one, 1, {{global, "GRUB"}});
    low.default_image = global;
    ListAnswer high = answer(two, 2, {{global, "GRUB"}, {other_global, "iPXE"}});
    high.default_image = other_global;
    ListAnswer highest = answer(three, 3, {{global, "GRUB"}});  // without a default
    survey.add(low);
    survey.add(high);
    survey.add(highest);
    const auto choice = survey.unattended_choice();
    ASSERT_TRUE(choice);
    EXPECT_EQ(*choice, (MenuEntry{{other_global, "iPXE"}, two, {two}, true, false}));
}

TEST(ServerSurvey, UnattendedPrefersARememberedChoice) {
    ServerSurvey survey;
    ListAnswer high = answer(two, 2, {{other_global, "iPXE"}});
    high.default_image = other_global;
    ListAnswer remembers = answer(one, 1, {{global, "GRUB"}});
    remembers.default_image = other_global;
    remembers.selected_image = global;
    survey.add(high);
    survey.add(remembers);
    EXPECT_EQ(survey.unattended_choice(), (MenuEntry{{global, "GRUB"}, one, {one}, false, true}));
}

TEST(ServerSurvey, FindsByAllBits) {
    ServerSurvey survey;
    survey.add(answer(one, 1, {{global, "GRUB"}}));
    survey.add(answer(two, 2, {{global, "GRUB"}}));
    EXPECT_EQ(survey.find(global)->server, two);
    EXPECT_FALSE(survey.find(BootImageId(0x01001001)));
}

TEST(Printable, ReplacesControlCharactersOnly) {
    EXPECT_EQ(printable("a\nb\x1b[1m\x7f ü"), "a?b?[1m? ü");
}

}  // namespace
}  // namespace pomona::app
