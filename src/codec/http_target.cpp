#include <pomona/codec/http_target.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace pomona::codec {

namespace {

std::optional<std::uint8_t> hex_digit(char c) {
    if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
    if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
    return std::nullopt;
}

enum class Plus : bool { itself, space };

base::Result<std::string> decode(std::string_view text, Plus plus) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '%') {
            const auto high = i + 1 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
            const auto low = i + 2 < text.size() ? hex_digit(text[i + 2]) : std::nullopt;
            if (!high || !low) {
                return base::fail("a percent sign without two hex digits", std::string(text.substr(i, 3)),
                                  "write it as %25");
            }
            c = static_cast<char>(*high << 4 | *low);
            i += 2;
        } else if (c == '+' && plus == Plus::space) {
            c = ' ';
        }
        if (c == '\0') return base::fail("a NUL in the address");
        decoded += c;
    }
    return decoded;
}

/// "http://host/path" -> "/path"
std::string_view without_scheme(std::string_view text) {
    const std::size_t scheme = text.find("://");
    if (scheme == std::string_view::npos || scheme > text.find_first_of("/?")) return text;
    text.remove_prefix(scheme + 3);
    const std::size_t path = text.find_first_of("/?");
    return path == std::string_view::npos ? std::string_view("/") : text.substr(path);
}

}  // namespace

std::optional<std::string_view> HttpTarget::value(std::string_view name) const {
    const auto found = std::ranges::find(query, name, &std::pair<std::string, std::string>::first);
    if (found == query.end()) return std::nullopt;
    return found->second;
}

base::Result<HttpTarget> parse_http_target(std::string_view text) {
    if (!text.starts_with('/')) text = without_scheme(text);
    // A fragment is the client's own affair; one that sends it means the file before it.
    text = text.substr(0, text.find('#'));
    const std::size_t question = std::min(text.find('?'), text.size());
    std::string_view query = text.substr(std::min(question + 1, text.size()));
    const std::string_view path = text.substr(0, question);
    if (text.empty() || (!path.empty() && path[0] != '/')) {
        return base::fail("the path does not begin with a slash");
    }

    HttpTarget target;
    auto decoded = decode(path.empty() ? std::string_view("/") : path, Plus::itself);
    if (!decoded) return std::unexpected(std::move(decoded.error()));
    target.path = *std::move(decoded);
    while (!query.empty()) {
        const std::size_t end = std::min(query.find('&'), query.size());
        const std::string_view pair = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        if (pair.empty()) continue;
        const std::size_t equals = std::min(pair.find('='), pair.size());
        auto name = decode(pair.substr(0, equals), Plus::space);
        if (!name) return std::unexpected(std::move(name.error()));
        auto value = decode(pair.substr(std::min(equals + 1, pair.size())), Plus::space);
        if (!value) return std::unexpected(std::move(value.error()));
        target.query.emplace_back(*std::move(name), *std::move(value));
    }
    return target;
}

}  // namespace pomona::codec
