// Fuzz target: targets, ranges and dates of HTTP. What was decoded is encoded and decoded again; ranges lie
// within the file and are no more than it has; a date that was read is written and read again.
#include "fuzz/require.hpp"

#include <pomona/base/bytes.hpp>
#include <pomona/codec/http_range.hpp>
#include <pomona/codec/http_target.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace {

using namespace pomona;
using fuzz::require;

std::string encoded(std::string_view text) {
    std::string escaped;
    for (const char c : text) {
        char octet[4];
        std::snprintf(octet, sizeof octet, "%%%02X", static_cast<unsigned char>(c));
        escaped += octet;
    }
    return escaped;
}

void read_target(std::string_view text) {
    const auto target = codec::parse_http_target(text);
    if (!target) return;
    require(target->path.starts_with('/'), "a path begins with a slash");
    require(!target->path.contains('\0'), "a path holds no NUL");
    std::string again = "/" + encoded(std::string_view(target->path).substr(1)) + "?";
    for (const auto& [name, value] : target->query) again += encoded(name) + "=" + encoded(value) + "&";
    require(codec::parse_http_target(again) == target, "what was encoded decodes to the same");
}

void read_range(std::uint64_t size, std::string_view text) {
    const codec::HttpRangeChoice choice = codec::choose_http_ranges(text, size);
    require((choice.kind == codec::HttpRangeChoice::Kind::parts) == !choice.ranges.empty(),
            "parts have ranges");
    std::uint64_t total = 0;
    for (const codec::HttpRange& range : choice.ranges) {
        require(range.first <= range.last && range.last < size, "a range lies within the file");
        require(range.length() <= size - total, "all ranges together are no more than the file");
        total += range.length();
        require(codec::choose_http_ranges(codec::http_content_range(range, size), size).kind ==
                    codec::HttpRangeChoice::Kind::whole,
                "an answer's header is no request's");
    }
}

void read_date(std::string_view text) {
    const auto date = codec::parse_http_date(text);
    const codec::HttpVersion version{"\"16f2-80\"", date.value_or(std::chrono::sys_seconds())};
    (void)codec::http_if_range_holds(text, version);
    (void)codec::http_not_modified(text, text, version);
    if (!date) return;
    require(codec::parse_http_date(codec::http_date(*date)) == date, "a date survives");
    require(codec::http_not_modified({}, text, version), "what was not changed since is the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    base::ByteReader from(base::Bytes(data, size));
    const std::uint8_t kind = from.u8();
    if (kind == 'r') {
        const std::uint64_t high = from.u32();
        const std::uint64_t low = from.u32();
        read_range(high << 32 | low, base::as_text(from.bytes(from.remaining())));
    } else if (kind == 'd') {
        read_date(base::as_text(from.bytes(from.remaining())));
    } else {
        read_target(base::as_text(from.bytes(from.remaining())));
    }
    return 0;
}
