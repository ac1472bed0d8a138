// The same property lists in both forms, as they lie in tests/data/nbi.
#include <pomona/codec/plist.hpp>

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

namespace pomona::codec {
namespace {

std::string file(const std::string& name) {
    std::ifstream stream(POMONA_TEST_DATA "/nbi/" + name, std::ios::binary);
    EXPECT_TRUE(stream) << name;
    return {std::istreambuf_iterator<char>(stream), {}};
}

class PlistFixture : public testing::TestWithParam<const char*> {};

TEST_P(PlistFixture, SaysTheSameInBothForms) {
    const auto xml = parse_plist(base::as_bytes(file(std::string(GetParam()) + ".plist")));
    const auto binary = parse_plist(base::as_bytes(file(std::string(GetParam()) + ".binary.plist")));
    ASSERT_TRUE(xml) << xml.error().text();
    ASSERT_TRUE(binary) << binary.error().text();
    EXPECT_EQ(*xml, *binary);
    EXPECT_GT(xml->get<PlistDict>()->entries.size(), 5U);
    const auto again = parse_plist(base::as_bytes(write_xml_plist(*binary)));
    ASSERT_TRUE(again) << again.error().text();
    EXPECT_EQ(*again, *binary);
}

INSTANTIATE_TEST_SUITE_P(Each, PlistFixture, testing::Values("grub", "lion-nfs", "every-type"));

}  // namespace
}  // namespace pomona::codec
