#include "servers/http_files.hpp"

#include <pomona/codec/http_range.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <cinttypes>
#include <cstdio>
#include <string>
#include <utility>

namespace pomona::servers {

namespace {

using namespace std::string_view_literals;
using Kind = io::FileProblem::Kind;

constexpr unsigned ok = 200;
constexpr unsigned partial_content = 206;
constexpr unsigned not_modified = 304;
constexpr unsigned bad_request = 400;
constexpr unsigned forbidden = 403;
constexpr unsigned not_found = 404;
constexpr unsigned method_not_allowed = 405;
constexpr unsigned range_not_satisfiable = 416;
constexpr unsigned service_unavailable = 503;

constexpr std::string_view any_octets = "application/octet-stream";

constexpr std::array content_types{
    std::pair{".dmg"sv, "application/x-apple-diskimage"sv},
    std::pair{".sparseimage"sv, "application/x-apple-diskimage"sv},
    std::pair{".plist"sv, "application/xml"sv},
    std::pair{".efi"sv, "application/efi"sv},
    std::pair{".ipxe"sv, "text/plain"sv},
    std::pair{".gpxe"sv, "text/plain"sv},
    std::pair{".cfg"sv, "text/plain"sv},
    std::pair{".lst"sv, "text/plain"sv},
    std::pair{".txt"sv, "text/plain"sv},
    std::pair{".json"sv, "application/json"sv},
    std::pair{".html"sv, "text/html"sv},
    std::pair{".xml"sv, "application/xml"sv},
    std::pair{".iso"sv, "application/x-iso9660-image"sv},
    std::pair{".gz"sv, "application/gzip"sv},
    std::pair{".xz"sv, "application/x-xz"sv},
    std::pair{".zip"sv, "application/zip"sv},
};

bool ends_without_case(std::string_view text, std::string_view lower) {
    return text.size() >= lower.size() &&
           std::ranges::equal(text.substr(text.size() - lower.size()), lower, {},
                              [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
}

HttpReply problem_reply(ContentProblem problem) {
    HttpReply reply;
    switch (problem.kind) {
        case Kind::missing:
            reply.status = not_found;
            break;
        case Kind::forbidden:
            reply.status = forbidden;
            break;
        case Kind::unavailable:
            reply.status = service_unavailable;
            break;
    }
    reply.name = std::move(problem.looked_for);
    reply.detail = std::move(problem.what);
    return reply;
}

/// Strong: another size, another nanosecond of change, or another address of ours that is filled in makes it
/// another file.
codec::HttpVersion version_of(const io::File& file, base::Ipv4Address asked) {
    std::array<char, 64> text{};
    const auto modified = file.modified().time_since_epoch().count();
    const int length = std::snprintf(text.data(), text.size(), "\"%" PRIx64 "-%" PRIx64 "-%" PRIx32 "\"",
                                     static_cast<std::uint64_t>(modified), file.size(), asked.value());
    return {std::string(text.data(), static_cast<std::size_t>(length)),
            std::chrono::floor<std::chrono::seconds>(file.modified())};
}

/// The body is made of parts, with the boundary that the version gives.
void add_parts(HttpReply& reply, const std::vector<codec::HttpRange>& ranges, std::string_view content_type,
               std::uint64_t size, const codec::HttpVersion& version) {
    // Nothing of a boot file begins a line with this, and the receivers go by the lengths.
    const std::string boundary = "pomona-part-" + version.etag.substr(1, version.etag.size() - 2) + "-" +
                                 std::to_string(ranges.size());
    for (const codec::HttpRange& range : ranges) {
        reply.body.emplace_back(codec::http_part_head(boundary, content_type, range, size));
        reply.body.emplace_back(HttpFilePart{range.first, range.length()});
    }
    reply.body.emplace_back(codec::http_parts_end(boundary));
    reply.headers.emplace_back("Content-Type", "multipart/byteranges; boundary=" + boundary);
}

}  // namespace

std::string_view http_content_type(std::string_view path) {
    const auto* const found = std::ranges::find_if(
        content_types, [&](const auto& type) { return ends_without_case(path, type.first); });
    return found == content_types.end() ? any_octets : found->second;
}

HttpHandler first_of(std::vector<HttpRoute> routes) {
    return [routes = std::move(routes)](const HttpRequest& request) {
        HttpReply reply;
        reply.status = not_found;
        reply.name = request.target.path;
        reply.detail = "no route serves this path";
        for (const HttpRoute& route : routes) {
            if (auto answer = route(request)) {
                reply = *std::move(answer);
                break;
            }
        }
        if (reply.status >= bad_request) {
            reply.body.clear();
            reply.file.reset();
        }
        return reply;
    };
}

HttpFiles::HttpFiles(std::shared_ptr<const Content> content) : content_(std::move(content)) {}

HttpReply HttpFiles::operator()(const HttpRequest& request) const {
    if (request.method != "GET" && request.method != "HEAD") {
        HttpReply reply;
        reply.status = method_not_allowed;
        reply.headers.emplace_back("Allow", "GET, HEAD");
        reply.name = request.target.path;
        reply.detail = "this server is read-only";
        return reply;
    }
    auto found = content_->open_for(request.local, request.target.path);
    if (!found) return problem_reply(std::move(found.error()));

    const std::uint64_t size = found->file.size();
    const codec::HttpVersion version = version_of(found->file, request.local);
    const std::string_view content_type = http_content_type(found->path);
    HttpReply reply;
    reply.name = std::move(found->path);
    reply.headers.emplace_back("ETag", version.etag);
    reply.headers.emplace_back("Last-Modified", codec::http_date(version.modified));
    if (codec::http_not_modified(request.if_none_match, request.if_modified_since, version)) {
        reply.status = not_modified;
        return reply;
    }
    reply.headers.emplace_back("Accept-Ranges", "bytes");
    codec::HttpRangeChoice choice;
    // A Range is for GET alone (RFC 9110, 14.2).
    if (request.method == "GET" && codec::http_if_range_holds(request.if_range, version)) {
        choice = codec::choose_http_ranges(request.range, size);
    }
    using Choice = codec::HttpRangeChoice::Kind;
    if (choice.kind == Choice::unsatisfiable) {
        reply.status = range_not_satisfiable;
        reply.headers.emplace_back("Content-Range", codec::http_unsatisfied_range(size));
        reply.detail = "the range lies behind the end";
        return reply;
    }
    reply.file = std::move(found->file);
    if (choice.ranges.size() > 1) {
        reply.status = partial_content;
        add_parts(reply, choice.ranges, content_type, size, version);
        return reply;
    }
    reply.headers.emplace_back("Content-Type", content_type);
    if (choice.kind == Choice::parts) {
        reply.status = partial_content;
        reply.headers.emplace_back("Content-Range", codec::http_content_range(choice.ranges[0], size));
        reply.body.emplace_back(HttpFilePart{choice.ranges[0].first, choice.ranges[0].length()});
    } else {
        reply.status = ok;
        reply.body.emplace_back(HttpFilePart{0, size});
    }
    return reply;
}

}  // namespace pomona::servers
