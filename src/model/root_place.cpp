#include "root_place.hpp"

#include <pomona/model/boot_paths.hpp>

#include <charconv>
#include <vector>

namespace pomona::model {

namespace {

bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// The path of a URL written by a person: what is encoded stays, what must be encoded is.
std::string completed_url_path(std::string_view path) {
    std::string done;
    for (std::size_t i = 0; i < path.size(); ++i) {
        const bool encoded =
            path[i] == '%' && i + 2 < path.size() && is_hex(path[i + 1]) && is_hex(path[i + 2]);
        done += encoded || path[i] == '?' ? std::string(1, path[i]) : escaped_url_path(path.substr(i, 1));
    }
    return done;
}

base::Result<std::string> resolved(std::string_view host, const ResolveHost& resolve) {
    if (host.empty()) return base::fail("no host is named", {}, "write the server's name or address");
    const auto address = resolve(std::string(host));
    if (!address) {
        return base::fail("the host " + std::string(host) + " does not resolve to an IPv4 address", {},
                          "write its address, or repair name resolution on this server");
    }
    return address->text();
}

/// The parts between colons. As for the kernel, a colon behind a backslash belongs to its part; both stay.
std::vector<std::string_view> parts_of(std::string_view text) {
    std::vector<std::string_view> parts;
    std::size_t start = 0;
    for (std::size_t i = 0; i <= text.size(); ++i) {
        if (i == text.size() || (text[i] == ':' && (i == start || text[i - 1] != '\\'))) {
            parts.push_back(text.substr(start, i - start));
            start = i + 1;
        }
    }
    return parts;
}

base::Result<std::string> nfs_place(std::string_view text, const ResolveHost& resolve) {
    constexpr const char* form = "write host:/mount or host:/mount:path/of/image.dmg";
    if (text.starts_with("http://")) {
        return base::fail("this is the address of an HTTP server, but Type is NFS", {},
                          "write HTTP as the Type, or an NFS place");
    }
    const auto parts = parts_of(text);
    if (parts.size() >= 2 && parts[0] == "nfs") {
        return base::fail("the place starts with nfs:, which the server puts there itself", {}, form);
    }
    if (parts.size() < 2 || parts.size() > 3 || !parts[1].starts_with('/') ||
        (parts.size() == 3 && parts[2].empty())) {
        return base::fail("this is neither a file of the image folder nor an NFS place", {}, form);
    }
    const auto host = resolved(parts[0], resolve);
    if (!host) return host;
    std::string place = "nfs:" + *host + ":" + std::string(parts[1]);
    if (parts.size() == 3) place += ":" + std::string(parts[2]);
    return place;
}

base::Result<std::string> http_place(std::string_view text, const ResolveHost& resolve) {
    constexpr const char* form = "write http://host/path, or http://user:password@host:port/path";
    constexpr std::string_view scheme = "http://";
    if (text.starts_with("https://")) {
        return base::fail("the Mac's kernel fetches its root image by plain HTTP only", {}, form);
    }
    if (!text.starts_with(scheme)) {
        return base::fail("this is neither a file of the image folder nor an HTTP address", {}, form);
    }
    text.remove_prefix(scheme.size());
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos || slash + 1 == text.size()) {
        return base::fail("the address names no file", {}, form);
    }
    std::string_view authority = text.substr(0, slash);
    std::string credentials;
    if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
        const std::string_view user = authority.substr(0, at);
        const std::size_t colon = user.find(':');
        if (colon == std::string_view::npos || colon == 0 || colon + 1 == user.size()) {
            return base::fail("user and password must be given together", {}, form);
        }
        credentials = completed_url_path(user) + "@";
        authority.remove_prefix(at + 1);
    }
    std::string port;
    if (const std::size_t colon = authority.find(':'); colon != std::string_view::npos) {
        const std::string_view digits = authority.substr(colon + 1);
        std::uint16_t number = 0;
        const auto [end, error] = std::from_chars(digits.begin(), digits.end(), number);
        if (error != std::errc{} || end != digits.end() || number == 0) {
            return base::fail("the address has an impossible port", {}, form);
        }
        port = ":" + std::to_string(number);
        authority = authority.substr(0, colon);
    }
    const auto host = resolved(authority, resolve);
    if (!host) return host;
    return "http://" + credentials + *host + port + completed_url_path(text.substr(slash));
}

}  // namespace

base::Result<std::string> root_place_elsewhere(ImageType type, std::string_view text,
                                               const ResolveHost& resolve) {
    return type == ImageType::http ? http_place(text, resolve) : nfs_place(text, resolve);
}

}  // namespace pomona::model
