#include <pomona/model/boot_choice.hpp>

#include <gtest/gtest.h>

namespace pomona::model {
namespace {

using base::Ipv4Address;
using base::MacAddress;
using std::chrono::seconds;

const MacAddress mac({0x40, 0x6c, 0x8f, 0x37, 0x95, 0x27});
const TimePoint noon(seconds(1'700'000'000));

ChoiceScope scope(std::string_view text) {
    const auto parsed = parse_choice_scope(text);
    EXPECT_TRUE(parsed) << text;
    return *parsed;
}

BootChoice choice(std::string_view for_whom, std::string target) {
    return {.scope = scope(for_whom), .target = std::move(target)};
}

TEST(ChoiceScope, IsReadAsItIsWritten) {
    for (const std::string form : {"machine 40:6c:8f:37:95:27", "machine 40:6c:8f:37:95:27 iMac12,1",
                                   "group lab3", "model iMac1*", "network 10.0.1.0/24", "everybody"}) {
        EXPECT_EQ(text(scope(form)), form);
    }
    for (const std::string form : {"", "all", "machine", "machine lab", "machine 40:6c:8f:37:95:27 a b",
                                   "group", "group a b", "model ", "network lab", "everybody else"}) {
        EXPECT_FALSE(parse_choice_scope(form)) << form;
    }
}

TEST(Pattern, StarsStandForAnyText) {
    struct Row {
        std::string_view pattern, text;
        bool matches;
    };
    for (const Row& row :
         {Row{"iMac12,1", "iMac12,1", true}, Row{"iMac1", "iMac12,1", false}, Row{"iMac*", "iMac12,1", true},
          Row{"*", "", true}, Row{"", "", true}, Row{"", "x", false}, Row{"*mini*,1", "Macmini5,1", true},
          Row{"*mini*,1", "Macmini5,2", false}, Row{"a*b*c", "aXbYbZc", true}, Row{"a*b*c", "aXbYbZ", false},
          Row{"**", "x", true}}) {
        EXPECT_EQ(matches_pattern(row.pattern, row.text), row.matches) << row.pattern << " " << row.text;
    }
}

class Choices : public testing::Test {
  protected:
    std::string decided(const MachineFacts& who, TimePoint now = noon) {
        const BootChoice* found = choices_.find(who, now);
        return found == nullptr ? "-" : found->target;
    }
    MachineFacts machine_{
        .mac = mac, .model = "iMac12,1", .group = "lab3", .address = Ipv4Address(10, 0, 1, 32)};
    BootChoices choices_;
};

TEST_F(Choices, TheNarrowestWins) {
    EXPECT_EQ(decided(machine_), "-");
    // Each is narrower than those before.
    const std::vector<std::string> scopes{"everybody",
                                          "network 10.0.0.0/8",
                                          "network 10.0.1.0/24",
                                          "model *",
                                          "model iMac*",
                                          "model iMac12*",
                                          "model iMac12,1",
                                          "group lab3",
                                          "machine 40:6c:8f:37:95:27",
                                          "machine 40:6c:8f:37:95:27 iMac12,1"};
    for (const std::string& each : scopes) {
        choices_.set(choice(each, each));
        EXPECT_EQ(decided(machine_), each);
    }
    for (auto each = scopes.rbegin(); each != scopes.rend(); ++each) {
        EXPECT_EQ(decided(machine_), *each);
        EXPECT_TRUE(choices_.clear(scope(*each)));
    }
    EXPECT_EQ(decided(machine_), "-");
    EXPECT_FALSE(choices_.clear(scope("everybody")));
}

TEST_F(Choices, OfOthersDoNotCount) {
    for (const std::string each : {"machine 40:6c:8f:37:95:28", "machine 40:6c:8f:37:95:27 Macmini5,1",
                                   "group lab4", "model Macmini*", "network 10.0.2.0/24"}) {
        choices_.set(choice(each, each));
    }
    EXPECT_EQ(decided(machine_), "-");
    // A loader tells neither model nor group; then the MAC's only choice has to do.
    EXPECT_EQ(decided({.mac = mac}), "machine 40:6c:8f:37:95:27 Macmini5,1");
    EXPECT_EQ(decided({.mac = MacAddress()}), "-");
}

TEST_F(Choices, ASecondForTheSameScopeReplacesTheFirst) {
    choices_.set(choice("group lab3", "a"));
    choices_.set(choice("group lab3", "b"));
    EXPECT_EQ(decided(machine_), "b");
    EXPECT_EQ(choices_.all().size(), 1U);
}

TEST_F(Choices, EndWithTheirDate) {
    BootChoice until = choice("machine 40:6c:8f:37:95:27", "exam");
    until.lifetime = ChoiceLifetime::until;
    until.end = noon;
    choices_.set(until);
    choices_.set(choice("everybody", "usual"));
    EXPECT_EQ(decided(machine_, noon - seconds(1)), "exam");
    EXPECT_EQ(decided(machine_, noon), "usual");
    EXPECT_EQ(choices_.expire(noon - seconds(1)), 0U);
    EXPECT_EQ(choices_.expire(noon), 1U);
    EXPECT_EQ(choices_.all().size(), 1U);
}

}  // namespace
}  // namespace pomona::model
