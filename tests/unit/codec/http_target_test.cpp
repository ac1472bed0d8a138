#include <pomona/codec/http_target.hpp>

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pomona::codec {
namespace {

using namespace std::string_view_literals;
using Query = std::vector<std::pair<std::string, std::string>>;

TEST(HttpTarget, IsDecoded) {
    const struct {
        std::string_view text;
        std::string_view path;
        Query query;
    } table[] = {
        {"/", "/", {}},
        {"/boot.ipxe", "/boot.ipxe", {}},
        {"//grub//grub.cfg", "//grub//grub.cfg", {}},
        // iPXE of 2019 and gPXE
        {"/bootdirectory/52%3A54%3a00%3A12%3A34%3A01.gpxe", "/bootdirectory/52:54:00:12:34:01.gpxe", {}},
        {"/52:54:00:12:34:01/auto.ipxe", "/52:54:00:12:34:01/auto.ipxe", {}},
        {"/My%20Image.nbi/a+b", "/My Image.nbi/a+b", {}},
        {"/My Image.nbi", "/My Image.nbi", {}},
        {"/%2e%2e/secret", "/../secret", {}},
        {"/a%2Fb%5Cc", "/a/b\\c", {}},
        {"/100%25", "/100%", {}},
        {"/caf%C3%A9", "/caf\xc3\xa9", {}},
        {"/ipxe?mac=52:54:00:12:34:01&product=iMac9%2C1",
         "/ipxe",
         {{"mac", "52:54:00:12:34:01"}, {"product", "iMac9,1"}}},
        {"/x?a+b=c+d&&flag&=v&e=f=g", "/x", {{"a b", "c d"}, {"flag", ""}, {"", "v"}, {"e", "f=g"}}},
        {"/x?", "/x", {}},
        {"/x#y", "/x", {}},
        {"http://10.0.1.11:8080/a/b?c", "/a/b", {{"c", ""}}},
        {"http://10.0.1.11", "/", {}},
        {"http://10.0.1.11?c", "/", {{"c", ""}}},
        {"/see?http://a/b", "/see", {{"http://a/b", ""}}},
    };
    for (const auto& row : table) {
        const auto target = parse_http_target(row.text);
        ASSERT_TRUE(target) << row.text << ": " << target.error().text();
        EXPECT_EQ(target->path, row.path);
        EXPECT_EQ(target->query, row.query) << row.text;
    }
}

TEST(HttpTarget, WhatHasNoMeaningIsRefused) {
    for (const std::string_view text :
         {""sv, "boot.ipxe"sv, "*"sv, "a?b"sv, "/a%"sv, "/a%4"sv, "/a%4g"sv, "/a%g4"sv, "/%%41"sv, "/a%00b"sv,
          "/a\0b"sv, "/x?a=%"sv, "/x?%00"sv, "www.example.org:443"sv}) {
        const auto target = parse_http_target(text);
        EXPECT_FALSE(target) << text;
    }
}

TEST(HttpTarget, FindsAValueOfItsQuery) {
    const auto target = parse_http_target("/ipxe?mac=1&mac=2&empty");
    ASSERT_TRUE(target);
    EXPECT_EQ(target->value("mac"), "1");
    EXPECT_EQ(target->value("empty"), "");
    EXPECT_EQ(target->value("MAC"), std::nullopt);
}

}  // namespace
}  // namespace pomona::codec
