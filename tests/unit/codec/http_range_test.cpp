#include <pomona/codec/http_range.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace pomona::codec {

void PrintTo(const HttpRangeChoice& choice, std::ostream* out) {
    *out << "kind " << static_cast<int>(choice.kind);
    for (const HttpRange& range : choice.ranges) *out << ' ' << range.first << '-' << range.last;
}

namespace {

using Kind = HttpRangeChoice::Kind;
using namespace std::chrono_literals;

const std::chrono::sys_seconds example =
    std::chrono::sys_days(std::chrono::year(1994) / 11 / 6) + 8h + 49min + 37s;

TEST(HttpRanges, AreWhatTheHeaderSays) {
    constexpr std::uint64_t three_gb = 3'000'000'000;
    const struct {
        std::string_view header;
        std::uint64_t size;
        Kind kind;
        std::vector<HttpRange> ranges;
    } table[] = {
        {"", 1000, Kind::whole, {}},
        {"bytes=0-99", 1000, Kind::parts, {{0, 99}}},
        {"bytes=100-", 1000, Kind::parts, {{100, 999}}},  // GRUB, when it seeks
        {"bytes=-500", 1000, Kind::parts, {{500, 999}}},
        {"bytes=-5000", 1000, Kind::parts, {{0, 999}}},
        {"bytes=0-5000", 1000, Kind::parts, {{0, 999}}},
        {"bytes=999-", 1000, Kind::parts, {{999, 999}}},
        {"Bytes = 1 - 2 , , 5-6", 1000, Kind::parts, {{1, 2}, {5, 6}}},
        {"bytes=2999999999-", three_gb, Kind::parts, {{2'999'999'999, 2'999'999'999}}},
        {"bytes=500-599,0-9", 1000, Kind::parts, {{500, 599}, {0, 9}}},
        {"bytes=0-9,10-19", 1000, Kind::parts, {{0, 9}, {10, 19}}},
        {"bytes=50-149,0-99,149-,-1", 1000, Kind::parts, {{0, 999}}},
        {"bytes=500-599,0-9,5-20", 1000, Kind::parts, {{0, 20}, {500, 599}}},
        {"bytes=0-9,2000-", 1000, Kind::parts, {{0, 9}}},
        {"bytes=1000-", 1000, Kind::unsatisfiable, {}},
        {"bytes=-0", 1000, Kind::unsatisfiable, {}},
        {"bytes=0-", 0, Kind::unsatisfiable, {}},
        {"bytes=-1", 0, Kind::unsatisfiable, {}},
        {"bytes=99999999999999999999-", 1000, Kind::unsatisfiable, {}},
        {"bytes=5-99999999999999999999", 1000, Kind::parts, {{5, 999}}},
        // What cannot be read is as if it were not there.
        {"bytes=9-3", 1000, Kind::whole, {}},
        {"bytes=0-9,9-3", 1000, Kind::whole, {}},
        {"bytes=", 1000, Kind::whole, {}},
        {"bytes=,", 1000, Kind::whole, {}},
        {"bytes=-", 1000, Kind::whole, {}},
        {"bytes=a-b", 1000, Kind::whole, {}},
        {"bytes=+1-2", 1000, Kind::whole, {}},
        {"bytes=1", 1000, Kind::whole, {}},
        {"bytes=1-2-3", 1000, Kind::whole, {}},
        {"bytes", 1000, Kind::whole, {}},
        {"bytes 0-9/10", 1000, Kind::whole, {}},
        {"lines=0-9", 1000, Kind::whole, {}},
    };
    for (const auto& row : table) {
        EXPECT_EQ(choose_http_ranges(row.header, row.size), (HttpRangeChoice{row.kind, row.ranges}))
            << row.header;
    }
}

TEST(HttpRanges, TooManyAreIgnored) {
    std::string header = "bytes=0-0";
    for (std::size_t i = 1; i < http_most_ranges; ++i)
        header += "," + std::to_string(2 * i) + "-" + std::to_string(2 * i);
    EXPECT_EQ(choose_http_ranges(header, 1000).ranges.size(), http_most_ranges);
    EXPECT_EQ(choose_http_ranges(header + ",900-", 1000).kind, Kind::whole);
}

TEST(HttpRanges, AreNamedInAnswers) {
    EXPECT_EQ(http_content_range({0, 99}, 1234), "bytes 0-99/1234");
    EXPECT_EQ(http_unsatisfied_range(1234), "bytes */1234");
    EXPECT_EQ(http_part_head("b", "text/plain", {5, 6}, 9),
              "\r\n--b\r\nContent-Type: text/plain\r\nContent-Range: bytes 5-6/9\r\n\r\n");
    EXPECT_EQ(http_parts_end("b"), "\r\n--b--\r\n");
}

TEST(HttpDates, AreWrittenInTheOneForm) {
    EXPECT_EQ(http_date(example), "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_EQ(http_date(std::chrono::sys_days(std::chrono::year(2026) / 2 / 28)),
              "Sat, 28 Feb 2026 00:00:00 GMT");
}

TEST(HttpDates, AreReadInAllThreeForms) {
    for (const std::string_view text :
         {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"}) {
        EXPECT_EQ(parse_http_date(text), example) << text;
    }
    EXPECT_EQ(parse_http_date("Friday, 01-Jan-27 00:00:00 GMT"),
              std::chrono::sys_days(std::chrono::year(2027) / 1 / 1));
    for (const std::string_view text :
         {"", "now", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET GMT",
          "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nom 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
          "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 99999 08:49:37 GMT", "Sun, -6 Nov x 08:49:37 GMT"}) {
        EXPECT_EQ(parse_http_date(text), std::nullopt) << text;
    }
}

TEST(HttpConditions, IfRange) {
    const HttpVersion version{"\"abc\"", example};
    EXPECT_TRUE(http_if_range_holds("", version));
    EXPECT_TRUE(http_if_range_holds("\"abc\"", version));
    EXPECT_TRUE(http_if_range_holds("Sun, 06 Nov 1994 08:49:37 GMT", version));
    EXPECT_FALSE(http_if_range_holds("\"abd\"", version));
    EXPECT_FALSE(http_if_range_holds("W/\"abc\"", version));
    EXPECT_FALSE(http_if_range_holds("Sun, 06 Nov 1994 08:49:38 GMT", version));
    EXPECT_FALSE(http_if_range_holds("abc", version));
}

TEST(HttpConditions, NotModified) {
    const HttpVersion version{"\"abc\"", example};
    const std::string_view then = "Sun, 06 Nov 1994 08:49:37 GMT";
    const std::string_view before = "Sun, 06 Nov 1994 08:49:36 GMT";
    EXPECT_FALSE(http_not_modified("", "", version));
    EXPECT_TRUE(http_not_modified("\"abc\"", "", version));
    EXPECT_TRUE(http_not_modified("\"x\", W/\"abc\"", "", version));
    EXPECT_TRUE(http_not_modified("*", "", version));
    EXPECT_FALSE(http_not_modified("\"x\"", then, version));
    EXPECT_TRUE(http_not_modified("", then, version));
    EXPECT_FALSE(http_not_modified("", before, version));
    EXPECT_FALSE(http_not_modified("", "yesterday", version));
}

}  // namespace
}  // namespace pomona::codec
