#include "servers/content.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace pomona::servers {

namespace {

using Kind = io::FileProblem::Kind;

/// Longer than any path of the file system.
constexpr std::size_t longest_request = 4096;

std::vector<std::string_view> split(std::string_view path) {
    std::vector<std::string_view> parts;
    while (!path.empty()) {
        const std::size_t end = std::min(path.find('/'), path.size());
        const std::string_view part = path.substr(0, end);
        if (!part.empty() && part != ".") parts.push_back(part);
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return parts;
}

std::string join(std::span<const std::string_view> parts) {
    std::string path;
    for (const std::string_view part : parts) {
        if (!path.empty()) path += '/';
        path += part;
    }
    return path;
}

}  // namespace

Content::Content(std::vector<ContentRoot> shares, std::string plain_root,
                 std::optional<std::uint16_t> http_port)
    : shares_(std::move(shares)),
      plain_root_(std::move(plain_root)),
      programs_(std::make_shared<FilledPrograms>(http_port)) {
    const auto trim = [](std::string& path) {
        while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    };
    for (ContentRoot& share : shares_) trim(share.path);
    trim(plain_root_);
}

std::vector<Content::Place> Content::places(const std::vector<std::string_view>& parts) const {
    std::vector<Place> found;
    const std::span<const std::string_view> whole(parts);
    // Apple's server runs in a chroot at /private/tftpboot and its clients use the path as seen from outside.
    const bool apple = parts.size() > 2 && parts[0] == "private" && parts[1] == "tftpboot";
    const auto inner = apple ? whole.subspan(2) : whole;
    if (inner.size() > 2 && (inner[0] == "nbi" || inner[0] == "NetBoot")) {
        const auto share = std::ranges::find(shares_, inner[1], &ContentRoot::name);
        if (share != shares_.end()) {
            found.push_back({&share->path, join(inner.subspan(2)), "nbi/" + join(inner.subspan(1))});
            return found;
        }
    }
    if (plain_root_.empty()) return found;
    found.push_back({&plain_root_, join(whole), join(whole)});
    if (apple) found.push_back({&plain_root_, join(inner), join(inner)});
    return found;
}

std::expected<ContentFile, ContentProblem> Content::open_cleaned(std::string_view requested) const {
    const std::vector<std::string_view> parts = split(requested);
    if (std::ranges::find(parts, "..") != parts.end()) {
        return std::unexpected(
            ContentProblem{Kind::forbidden, "`..` is not allowed in a path", std::string(requested)});
    }
    if (parts.empty()) {
        return std::unexpected(ContentProblem{Kind::missing, "no such file", std::string(requested)});
    }
    ContentProblem problem{Kind::missing, "no root folder serves this path", std::string(requested)};
    bool first = true;
    for (const Place& place : places(parts)) {
        std::string path = *place.root + '/' + place.rest;
        auto file = io::File::open_beneath(*place.root, place.rest);
        if (file) return ContentFile{std::move(*file), std::move(path), place.name};
        if (first || problem.kind == Kind::missing) {
            problem.kind = file.error().kind;
            problem.what = file.error().what;
        }
        problem.looked_for = first ? std::move(path) : problem.looked_for + ", " + path;
        first = false;
    }
    return std::unexpected(std::move(problem));
}

std::expected<ContentFile, ContentProblem> Content::open(std::string_view requested) const {
    if (requested.size() > longest_request) {
        return std::unexpected(ContentProblem{Kind::missing, "the name is too long",
                                              std::string(requested.substr(0, 100)) + "..."});
    }
    auto file = open_cleaned(requested);
    if (file || file.error().kind != Kind::missing || !requested.contains('\\')) return file;
    std::string with_slashes(requested);
    std::ranges::replace(with_slashes, '\\', '/');
    auto second = open_cleaned(with_slashes);
    if (!second && second.error().looked_for != file.error().looked_for) {
        second.error().looked_for = file.error().looked_for + ", " + second.error().looked_for;
    }
    return second;
}

std::expected<ContentFile, ContentProblem> Content::open_for(base::Ipv4Address asked,
                                                             std::string_view requested) const {
    auto content = open(requested);
    if (!content) return content;
    auto filled = programs_->fill(std::move(content->file), asked, content->name);
    if (!filled) {
        return std::unexpected(ContentProblem{filled.error().kind, filled.error().what, content->path});
    }
    content->file = std::move(*filled);
    return content;
}

}  // namespace pomona::servers
