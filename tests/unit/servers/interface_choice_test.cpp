#include "servers/interface_choice.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace pomona::servers {
namespace {

io::Interface ethernet(const std::string& name) {
    io::Interface interface;
    interface.name = name;
    interface.up = true;
    interface.ethernet = true;
    interface.addresses = {base::Ipv4Network(base::Ipv4Address(10, 0, 0, 1), 24)};
    return interface;
}

std::string shown(const InterfaceChoice& choice) {
    std::string text;
    for (const io::Interface& taken : choice.taken) text += taken.name + " ";
    for (const RefusedInterface& refused : choice.refused) {
        text += "(" + refused.name + (refused.wanted ? "!" : "") + ": " + refused.reason + ") ";
    }
    if (!text.empty()) text.pop_back();
    return text;
}

struct Case {
    const char* name;
    std::function<void(io::Interface&)> change;
    const char* unasked;
    const char* by_name;
};

class Suitability : public testing::TestWithParam<Case> {};

TEST_P(Suitability, IsDecided) {
    io::Interface interface = ethernet("e");
    GetParam().change(interface);
    const std::vector<io::Interface> all{interface};
    EXPECT_EQ(shown(choose_interfaces(all, {})), GetParam().unasked);
    EXPECT_EQ(shown(choose_interfaces(all, std::vector<std::string>{"e"})), GetParam().by_name);
}

INSTANTIATE_TEST_SUITE_P(Cases, Suitability,
                         testing::ValuesIn(std::vector<Case>{
                             Case{"Good", [](io::Interface&) {}, "e", "e"},
                             Case{"Down", [](io::Interface& i) { i.up = false; },
                                  "(e: it is down or has no carrier)", "(e!: it is down or has no carrier)"},
                             Case{"NoAddress", [](io::Interface& i) { i.addresses.clear(); },
                                  "(e: it has no IPv4 address)", "(e!: it has no IPv4 address)"},
                             Case{"Tunnel", [](io::Interface& i) { i.ethernet = false; },
                                  "(e: it is no Ethernet)", "(e!: it is no Ethernet)"},
                             Case{"Member", [](io::Interface& i) { i.enslaved = true; },
                                  "(e: it belongs to a bridge or bond)",
                                  "(e!: it belongs to a bridge or bond)"},
                             Case{"Loopback", [](io::Interface& i) { i.loopback = true, i.ethernet = false; },
                                  "(e: it is the loopback)", "e"}}),
                         [](const auto& tested) { return tested.param.name; });

TEST(InterfaceChoice, WantedNamesAloneInTheirOrderAndOnce) {
    const std::vector<io::Interface> all{ethernet("a"), ethernet("b"), ethernet("c")};
    EXPECT_EQ(shown(choose_interfaces(all, {})), "a b c");
    EXPECT_EQ(shown(choose_interfaces(all, std::vector<std::string>{"c", "a", "c"})), "c a");
}

TEST(InterfaceChoice, MissingOnesAreRefusedOnce) {
    const std::vector<io::Interface> all{ethernet("a")};
    EXPECT_EQ(shown(choose_interfaces(all, std::vector<std::string>{"x", "a", "x"})),
              "a (x!: there is no such interface)");
}

TEST(InterfaceChoice, EveryRefusalOfAWantedOneHasARemedy) {
    std::vector<io::Interface> all{ethernet("down"), ethernet("bare"), ethernet("tunnel"),
                                   ethernet("member")};
    all[0].up = false;
    all[1].addresses.clear();
    all[2].ethernet = false;
    all[3].enslaved = true;
    const auto choice =
        choose_interfaces(all, std::vector<std::string>{"down", "bare", "tunnel", "member", "missing"});
    EXPECT_EQ(choice.refused.size(), 5U);
    for (const RefusedInterface& refused : choice.refused)
        EXPECT_FALSE(refused.remedy.empty()) << refused.name;
}

}  // namespace
}  // namespace pomona::servers
