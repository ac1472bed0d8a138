// What stands behind the method in a request line of HTTP (RFC 9112, 3.2): the path and the query, decoded.
#pragma once

#include <pomona/base/error.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pomona::codec {

struct HttpTarget {
    std::string path;  ///< decoded: any octets but NUL; begins with '/'
    /// Names and values in the order of the query, decoded; "a" has the same meaning as "a=".
    std::vector<std::pair<std::string, std::string>> query;

    /// The first value of that name.
    [[nodiscard]] std::optional<std::string_view> value(std::string_view name) const;

    friend bool operator==(const HttpTarget&, const HttpTarget&) = default;
};

/// Reads "/path?name=value", or the same behind "http://host". Octets that a URI may not hold are taken as
/// they are: loaders send paths with spaces in them escaped or not at all. Refused: a '%' without two hex
/// digits behind it, an encoded or plain NUL, and what begins neither with '/' nor with a scheme. '+' stays
/// what it is in the path, and is a space in the query, as forms write it.
base::Result<HttpTarget> parse_http_target(std::string_view text);

}  // namespace pomona::codec
