// Parts of a file over HTTP: Range, If-Range and the conditions that spare a transfer (RFC 9110, 8.8, 13,
// 14).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pomona::codec {

/// Octets of a file, both ends included.
struct HttpRange {
    std::uint64_t first = 0;
    std::uint64_t last = 0;

    [[nodiscard]] std::uint64_t length() const { return last - first + 1; }

    friend bool operator==(const HttpRange&, const HttpRange&) = default;
};

/// What a Range header means for a file of a certain size.
struct HttpRangeChoice {
    enum class Kind : std::uint8_t {
        whole,         ///< there is no Range, or one that is to be ignored: status 200
        parts,         ///< status 206
        unsatisfiable  ///< nothing of it lies within the file: status 416
    };
    Kind kind = Kind::whole;
    /// For `parts`, within the file, in the order asked for. Those that overlap are one, and then all are in
    /// the order of the file: so no header makes an answer longer than the file.
    std::vector<HttpRange> ranges;

    friend bool operator==(const HttpRangeChoice&, const HttpRangeChoice&) = default;
};

/// A header with more ranges is ignored.
inline constexpr std::size_t http_most_ranges = 64;

/// `header` is the value of Range, empty if there is none.
HttpRangeChoice choose_http_ranges(std::string_view header, std::uint64_t size);

/// "bytes 0-99/1234"
std::string http_content_range(const HttpRange& range, std::uint64_t size);
/// "bytes */1234", of an answer 416.
std::string http_unsatisfied_range(std::uint64_t size);

/// What stands before a part in a body of type multipart/byteranges, with the line end of the part before it.
std::string http_part_head(std::string_view boundary, std::string_view content_type, const HttpRange& range,
                           std::uint64_t size);
/// What stands behind the last part.
std::string http_parts_end(std::string_view boundary);

/// What a version of a file is known by.
struct HttpVersion {
    std::string etag;  ///< strong, with its quotes
    std::chrono::sys_seconds modified;
};

/// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string http_date(std::chrono::sys_seconds time);
/// That, or one of the two older forms of RFC 9110, 5.6.7: "Sunday, 06-Nov-94 08:49:37 GMT" and
/// "Sun Nov  6 08:49:37 1994".
std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text);

/// Whether the condition of If-Range lets a Range count: true without one, for the very etag, and for the
/// very time of the last change.
bool http_if_range_holds(std::string_view header, const HttpVersion& version);

/// Whether the client has this version already: status 304. If-Modified-Since counts only without
/// If-None-Match. Empty means that there is no such header.
bool http_not_modified(std::string_view if_none_match, std::string_view if_modified_since,
                       const HttpVersion& version);

}  // namespace pomona::codec
