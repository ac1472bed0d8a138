#include <pomona/codec/http_range.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <system_error>

namespace pomona::codec {

namespace {

using namespace std::string_view_literals;

constexpr std::array months{"Jan"sv, "Feb"sv, "Mar"sv, "Apr"sv, "May"sv, "Jun"sv,
                            "Jul"sv, "Aug"sv, "Sep"sv, "Oct"sv, "Nov"sv, "Dec"sv};
constexpr std::array weekdays{"Sun"sv, "Mon"sv, "Tue"sv, "Wed"sv, "Thu"sv, "Fri"sv, "Sat"sv};

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Cuts the text before `separator` off, and the separator.
std::string_view cut(std::string_view& text, char separator) {
    const std::size_t end = std::min(text.find(separator), text.size());
    const std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return part;
}

/// Digits and nothing else; a number too large for 64 bits is the largest one.
std::optional<std::uint64_t> number(std::string_view text) {
    if (text.empty()) return std::nullopt;
    if (!std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
    std::uint64_t value = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    if (result.ec == std::errc::result_out_of_range) return ~std::uint64_t{0};
    return value;
}

std::string decimal(std::uint64_t value) {
    return std::to_string(value);
}

bool starts_without_case(std::string_view text, std::string_view lower) {
    return text.size() >= lower.size() &&
           std::ranges::equal(text.substr(0, lower.size()), lower, {},
                              [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
}

/// One of "0-99", "100-", "-50". The outer optional is empty for what is none of them, the inner one for a
/// range that holds no octet of the file.
std::optional<std::optional<HttpRange>> parse_range(std::string_view text, std::uint64_t size) {
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos) return std::nullopt;
    const std::string_view first_text = trimmed(text.substr(0, dash));
    const std::string_view last_text = trimmed(text.substr(dash + 1));
    const auto last = number(last_text);
    if (first_text.empty()) {
        if (!last) return std::nullopt;
        if (*last == 0 || size == 0) return std::optional<HttpRange>();
        return HttpRange{size - std::min(*last, size), size - 1};
    }
    const auto first = number(first_text);
    if (!first || (!last_text.empty() && (!last || *last < *first))) return std::nullopt;
    if (*first >= size) return std::optional<HttpRange>();
    return HttpRange{*first, last ? std::min(*last, size - 1) : size - 1};
}

void merge_overlapping(std::vector<HttpRange>& ranges) {
    std::vector<HttpRange> sorted = ranges;
    std::ranges::sort(sorted, {}, &HttpRange::first);
    std::vector<HttpRange> merged;
    bool overlap = false;
    for (const HttpRange& range : sorted) {
        if (!merged.empty() && range.first <= merged.back().last) {
            merged.back().last = std::max(merged.back().last, range.last);
            overlap = true;
        } else {
            merged.push_back(range);
        }
    }
    if (overlap) ranges = std::move(merged);
}

/// The words of a date: what stands between blanks, commas, colons and dashes.
std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    constexpr std::size_t most = 9;
    while (words.size() < most) {
        const std::size_t first = text.find_first_not_of(" ,:-");
        if (first == std::string_view::npos) break;
        text.remove_prefix(first);
        const std::size_t end = std::min(text.find_first_of(" ,:-"), text.size());
        words.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
    return words;
}

/// RFC 9110, 5.6.7: a year of two digits that seems to be more than 50 years ahead is of the past. Without a
/// clock here the border is the one of the other end of its use: nothing is older than 1970.
int full_year(std::string_view text, std::uint64_t year) {
    constexpr std::uint64_t border = 70;
    if (text.size() > 2) return static_cast<int>(year);
    return static_cast<int>(year < border ? 2000 + year : 1900 + year);
}

}  // namespace

HttpRangeChoice choose_http_ranges(std::string_view header, std::uint64_t size) {
    using Kind = HttpRangeChoice::Kind;
    std::string_view text = trimmed(header);
    if (!starts_without_case(text, "bytes"sv)) return {};
    text = trimmed(text.substr("bytes"sv.size()));
    if (!text.starts_with('=')) return {};
    text.remove_prefix(1);

    HttpRangeChoice choice{Kind::parts, {}};
    std::size_t asked = 0;
    while (!text.empty()) {
        const std::string_view part = trimmed(cut(text, ','));
        if (part.empty()) continue;  // a list may have empty elements
        const auto range = parse_range(part, size);
        if (!range || ++asked > http_most_ranges) return {};
        if (*range) choice.ranges.push_back(**range);
    }
    if (asked == 0) return {};
    if (choice.ranges.empty()) return {Kind::unsatisfiable, {}};
    merge_overlapping(choice.ranges);
    return choice;
}

std::string http_content_range(const HttpRange& range, std::uint64_t size) {
    return "bytes " + decimal(range.first) + "-" + decimal(range.last) + "/" + decimal(size);
}

std::string http_unsatisfied_range(std::uint64_t size) {
    return "bytes */" + decimal(size);
}

std::string http_part_head(std::string_view boundary, std::string_view content_type, const HttpRange& range,
                           std::uint64_t size) {
    std::string head = "\r\n--";
    head += boundary;
    head += "\r\nContent-Type: ";
    head += content_type;
    head += "\r\nContent-Range: " + http_content_range(range, size) + "\r\n\r\n";
    return head;
}

std::string http_parts_end(std::string_view boundary) {
    return "\r\n--" + std::string(boundary) + "--\r\n";
}

std::string http_date(std::chrono::sys_seconds time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    const auto weekday = weekdays[std::chrono::weekday(day).c_encoding()];
    const auto month = months[static_cast<unsigned>(date.month()) - 1];
    std::array<char, 64> text{};
    const int length =
        std::snprintf(text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT", weekday.data(),
                      static_cast<unsigned>(date.day()), month.data(), static_cast<int>(date.year()),
                      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                      static_cast<int>(clock.seconds().count()));
    return {text.data(), static_cast<std::size_t>(length)};
}

std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text) {
    // Weekday, then day and month in either order, then year and time in either order.
    std::vector<std::string_view> words = words_of(text);
    constexpr std::size_t with_zone = 8;
    if (words.size() < with_zone - 1) return std::nullopt;
    const bool asctime = std::ranges::find(months, words[1]) != months.end();
    if (words.size() != (asctime ? with_zone - 1 : with_zone)) return std::nullopt;
    if (!asctime && words.back() != "GMT") return std::nullopt;
    const std::string_view month_word = words[asctime ? 1 : 2];
    const std::string_view year_word = words[asctime ? 6 : 3];
    const auto month = std::ranges::find(months, month_word);
    const auto day = number(words[asctime ? 2 : 1]);
    const auto year = number(year_word);
    const std::size_t clock = asctime ? 3 : 4;
    const auto hour = number(words[clock]);
    const auto minute = number(words[clock + 1]);
    const auto second = number(words[clock + 2]);
    // A second 60 is a leap second.
    if (month == months.end() || !day || !year || !hour || !minute || !second || *day > 31 || *year > 9999 ||
        *hour > 23 || *minute > 59 || *second > 60) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date(
        std::chrono::year(full_year(year_word, *year)),
        std::chrono::month(static_cast<unsigned>(month - months.begin()) + 1),
        std::chrono::day(static_cast<unsigned>(*day)));
    if (!date.ok()) return std::nullopt;
    return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
           std::chrono::seconds(*second);
}

bool http_if_range_holds(std::string_view header, const HttpVersion& version) {
    const std::string_view condition = trimmed(header);
    if (condition.empty()) return true;
    // A weak tag never holds here (RFC 9110, 13.1.5).
    if (condition.starts_with('"') || condition.starts_with("W/")) return condition == version.etag;
    return parse_http_date(condition) == version.modified;
}

bool http_not_modified(std::string_view if_none_match, std::string_view if_modified_since,
                       const HttpVersion& version) {
    std::string_view tags = trimmed(if_none_match);
    if (tags == "*") return true;
    if (!tags.empty()) {
        // Weak comparison; our tags hold no comma.
        while (!tags.empty()) {
            std::string_view tag = trimmed(cut(tags, ','));
            if (tag.starts_with("W/")) tag.remove_prefix(2);
            if (tag == version.etag) return true;
        }
        return false;
    }
    const auto since = parse_http_date(trimmed(if_modified_since));
    return since && version.modified <= *since;
}

}  // namespace pomona::codec
