#include "support/hex_fixture.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <stdexcept>

namespace pomona::tests {
namespace {

std::filesystem::path written(const char* text) {
    const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / "fixture_under_test.hex";
    std::ofstream(path) << text;
    return path;
}

TEST(HexFixture, ReadsBlocksAndLeavesTheRestZero) {
    const auto blocks =
        read_hex_fixture(written("# a head\n\n[first 4] # note\n0001: 0a ff # ten\n[second 1]\n"));
    ASSERT_EQ(blocks.size(), 2U);
    EXPECT_EQ(blocks.at("first"), (Payload{0, 0x0a, 0xff, 0}));
    EXPECT_EQ(blocks.at("second"), Payload{0});
}

TEST(HexFixture, NamesTheLineThatIsWrong) {
    struct Case {
        const char* text;
        const char* complaint;
    };
    for (const Case& c :
         {Case{"0000: 01\n", ":1: expected offset"}, Case{"[a 2]\n0000: 01 02 03\n", ":2: past the end"},
          Case{"[a 2]\n0000: 01\n0000: 01\n", ":3: an octet is written twice"},
          Case{"[a 2]\n0000: 1g\n", ":2: not a hexadecimal octet"},
          Case{"[a 2]\n0000: 100\n", ":2: an octet above ff"},
          Case{"[a two]\n", ":1: expected [name length]"}, Case{"[a 2]\n[a 2]\n", ":2: a is there twice"}}) {
        try {
            (void)read_hex_fixture(written(c.text));
            ADD_FAILURE() << c.text << " was taken";
        } catch (const std::runtime_error& error) {
            EXPECT_NE(std::string(error.what()).find(c.complaint), std::string::npos)
                << error.what() << " does not say " << c.complaint;
        }
    }
}

TEST(HexFixture, HoldsEveryWorkedExample) {
    EXPECT_EQ(bsdp_example_names(),
              (std::vector<std::string>{"E1", "E2", "E3", "E4", "E5", "E6", "E7", "E8", "E9", "E10", "E11",
                                        "E12", "E13", "E14", "E15", "E16", "E17", "R1"}));
    EXPECT_EQ(bsdp_example("E8").size(), 782U);
    EXPECT_EQ(bsdp_example("R1").back(), 0xff);
}

}  // namespace
}  // namespace pomona::tests
