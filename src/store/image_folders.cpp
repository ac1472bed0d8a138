#include "store/image_folders.hpp"

#include "store/root_folder.hpp"

#include <pomona/codec/plist.hpp>
#include <pomona/model/image_rules.hpp>

#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <set>

namespace pomona::store {

namespace {

using model::ImageProblem;
using Severity = model::ImageProblem::Severity;

constexpr std::string_view suffix = ".nbi";

/// The search for images that lie too deep looks at no more names than this.
constexpr int nested_search_names = 2000;
constexpr int nested_search_depth = 2;

bool ends_with_any_case(std::string_view name) {
    if (name.size() < suffix.size()) return false;
    return std::ranges::equal(name.substr(name.size() - suffix.size()), suffix, [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
    });
}

/// Absolute, without "." and doubled or trailing slashes; links are kept.
std::string cleaned_path(const std::string& path) {
    std::error_code ignored;
    std::string clean = std::filesystem::absolute(path, ignored).lexically_normal().string();
    while (clean.size() > 1 && clean.ends_with('/')) clean.pop_back();
    return clean;
}

/// Names are asked for once per reading, however many images use them.
ResolveHost remembering(const ResolveHost& resolve) {
    auto known = std::make_shared<std::map<std::string, std::optional<base::Ipv4Address>>>();
    return [resolve, known](const std::string& host) {
        const auto found = known->find(host);
        if (found != known->end()) return found->second;
        return known->emplace(host, resolve(host)).first->second;
    };
}

class RootReader {
  public:
    RootReader(const ImageFolderSettings& settings, const ImageRoot& root, const ResolveHost& resolve,
               ImageReading& reading, std::vector<model::NetBootImage>& images)
        : settings_(settings),
          name_(root.name),
          path_(cleaned_path(root.path)),
          resolve_(resolve),
          reading_(reading),
          images_(images) {}

    void read() {
        const auto root = RootFolder::open(path_);
        if (!root) {
            return add(Severity::error, path_, "the image root cannot be read: " + root.error().what,
                       root.error().remedy);
        }
        const auto entries = root->entries(".");
        if (!entries) {
            return add(Severity::error, path_, "the image root cannot be read: " + entries.error().what,
                       "check the disk");
        }
        if (!settings_.only_folder &&
            root->facts(model::image_info_file).kind == model::FileFacts::Kind::regular) {
            const bool is_named_well = path_.ends_with(suffix);
            add(Severity::error, path_,
                is_named_well ? "the image root is an image folder itself"
                              : "this is an image folder, but its name does not end in .nbi",
                is_named_well ? "name the folder above it as the root"
                              : "rename it, and name the folder above it as the root");
        }
        if (settings_.external_tftp_root && !find_external_prefix()) return;
        const auto is_wanted = [&](const FolderEntry& entry) {
            return !settings_.only_folder || entry.name == *settings_.only_folder;
        };
        if (settings_.only_folder && std::ranges::none_of(*entries, is_wanted)) {
            add(Severity::error, path_ + "/" + *settings_.only_folder, "there is no such folder",
                "correct the name");
        }
        for (const FolderEntry& entry : *entries) {
            if (!is_wanted(entry)) continue;
            if (entry.name.ends_with(suffix)) {
                ++reading_.folders;
                read_folder(*root, entry);
            } else {
                look_at_other(*root, entry);
            }
        }
    }

  private:
    void add(Severity severity, std::string path, std::string what, std::string remedy) {
        reading_.problems.push_back({.severity = severity,
                                     .path = std::move(path),
                                     .key = {},
                                     .what = std::move(what),
                                     .remedy = std::move(remedy)});
    }

    /// The other TFTP server names files from its own root; links are resolved as it would see them.
    bool find_external_prefix() {
        std::error_code error;
        const auto outer = std::filesystem::canonical(*settings_.external_tftp_root, error);
        if (error) {
            add(Severity::error, *settings_.external_tftp_root,
                "the root of the external TFTP server cannot be read: " + error.message(),
                "correct the setting");
            return false;
        }
        const auto relative = std::filesystem::canonical(path_, error).lexically_relative(outer);
        if (error || relative.empty() || *relative.begin() == "..") {
            add(Severity::error, path_,
                "the image root does not lie beneath the root of the external TFTP server, " + outer.string(),
                "move the images there, or mount them there");
            return false;
        }
        external_prefix_ = relative == "." ? "" : relative.string() + "/";
        return true;
    }

    void read_folder(const RootFolder& root, const FolderEntry& entry) {
        const std::string path = path_ + "/" + entry.name;
        if (!entry.is_folder) return explain_no_folder(root, entry.name, path);
        const std::string plist_name = entry.name + "/" + model::image_info_file;
        const model::FileFacts facts = root.facts(plist_name);
        switch (facts.kind) {
            case model::FileFacts::Kind::regular:
                break;
            case model::FileFacts::Kind::missing:
                return explain_no_plist(root, entry.name, path);
            case model::FileFacts::Kind::outside:
                return add(Severity::error, path_ + "/" + plist_name,
                           "a link leads out of the image root; it is not followed",
                           "copy the file instead, or write a relative link beneath the root");
            case model::FileFacts::Kind::inaccessible:
                return add(Severity::error, path_ + "/" + plist_name,
                           "the file cannot be read: " + facts.reason,
                           "let this server's user read the folder and its files");
            case model::FileFacts::Kind::other:
                return add(Severity::error, path_ + "/" + plist_name, "this is no regular file",
                           "put a property list there");
        }
        // One octet more than allowed, so that a larger file is told from one of the largest size.
        const auto octets = root.read(plist_name, codec::largest_plist + 1);
        if (!octets) {
            return add(Severity::error, path_ + "/" + plist_name,
                       "the file cannot be read: " + octets.error().what, octets.error().remedy);
        }
        const auto plist = codec::parse_plist(*octets);
        if (!plist) {
            const base::Error& error = plist.error();
            return add(Severity::error, path_ + "/" + plist_name,
                       error.where.empty() ? error.what : error.where + ": " + error.what, error.remedy);
        }
        make_image(root, entry.name, *plist);
    }

    void make_image(const RootFolder& root, const std::string& name, const codec::PlistValue& plist) {
        if (const auto* const dict = plist.get<codec::PlistDict>()) {
            const codec::PlistValue* const index = dict->find("Index");
            const auto* const number = index == nullptr ? nullptr : index->get<std::int64_t>();
            if (number != nullptr) reading_.indexes.push_back({.index = *number, .path = path_ + "/" + name});
        }
        model::ImageFolder folder{
            .share = name_,
            .share_path = path_,
            .folder = name,
            .external_tftp_folder = {},
            .honour_disabled_list = std::ranges::find(settings_.honour_disabled_list, name) !=
                                    settings_.honour_disabled_list.end()};
        if (settings_.external_tftp_root) folder.external_tftp_folder = external_prefix_ + name;
        const model::ImageFacts facts{
            .file = [&](const std::string& path) { return root.facts(name + "/" + path); },
            .efi = [&](const std::string& path) { return root.efi(name + "/" + path); },
            .resolve = resolve_,
            .models = settings_.models};
        if (auto image = model::netboot_image_from(plist, folder, facts, reading_.problems)) {
            images_.push_back(std::move(*image));
        }
    }

    void explain_no_folder(const RootFolder& root, const std::string& name, const std::string& path) {
        const model::FileFacts facts = root.facts(name);
        switch (facts.kind) {
            case model::FileFacts::Kind::missing:
                return add(Severity::error, path, "the link leads nowhere", "repair or remove it");
            case model::FileFacts::Kind::outside:
                return add(Severity::error, path,
                           "the link leads out of the image root, where TFTP does not follow",
                           "move the folder here, write a relative link beneath the root, or make the folder "
                           "it lies in "
                           "an image root too");
            case model::FileFacts::Kind::inaccessible:
                return add(Severity::error, path, "the folder cannot be opened: " + facts.reason,
                           "let this server's user read the folder");
            default:
                return add(Severity::warning, path, "this is a file, not an image folder",
                           "remove it, or unpack it if it is an archive");
        }
    }

    void explain_no_plist(const RootFolder& root, const std::string& name, const std::string& path) {
        int names_left = nested_search_names;
        if (const auto nested = nested_image(root, name, nested_search_depth, names_left)) {
            return add(Severity::error, path,
                       std::string("there is no ") + model::image_info_file + ", but the image " + path_ +
                           "/" + *nested + " lies inside",
                       "move that folder up into " + path_);
        }
        add(Severity::error, path, std::string("there is no ") + model::image_info_file + " in the folder",
            "write one, or remove the folder");
    }

    /// A name that is no image folder: worth a word only if it was probably meant to be one.
    void look_at_other(const RootFolder& root, const FolderEntry& entry) {
        const std::string path = path_ + "/" + entry.name;
        if (ends_with_any_case(entry.name)) {
            return add(Severity::warning, path, "only names that end in .nbi, in lower case, are images",
                       "rename it");
        }
        if (!entry.is_folder || entry.name.starts_with('.')) return;
        int names_left = nested_search_names;
        if (const auto nested = nested_image(root, entry.name, nested_search_depth - 1, names_left)) {
            add(Severity::warning, path_ + "/" + *nested,
                "the image lies too deep: only folders directly in " + path_ + " are read",
                "move it up, or make " + (std::filesystem::path(path_) / *nested).parent_path().string() +
                    " an image root");
        }
    }

    /// The first image folder below `folder`, relative to the root.
    static std::optional<std::string> nested_image(const RootFolder& root, const std::string& folder,
                                                   int depth, int& names_left) {
        const auto entries = root.entries(folder);
        if (!entries) return std::nullopt;
        for (const FolderEntry& entry : *entries) {
            if (--names_left < 0) return std::nullopt;
            if (!entry.is_folder) continue;
            std::string below = folder + "/" + entry.name;
            const bool is_image =
                entry.name.ends_with(suffix) &&
                root.facts(below + "/" + model::image_info_file).kind == model::FileFacts::Kind::regular;
            if (is_image) return below;
            if (depth > 1) {
                if (auto deeper = nested_image(root, below, depth - 1, names_left)) return deeper;
            }
        }
        return std::nullopt;
    }

    const ImageFolderSettings& settings_;
    std::string name_;
    std::string path_;
    const ResolveHost& resolve_;
    ImageReading& reading_;
    std::vector<model::NetBootImage>& images_;
    /// The image root relative to the external TFTP server's root, empty or with a slash at the end.
    std::string external_prefix_;
};

}  // namespace

bool ImageReading::has_errors() const {
    return std::ranges::any_of(problems, [](const ImageProblem& p) { return p.severity == Severity::error; });
}

std::optional<base::Ipv4Address> resolve_host(const std::string& host) {
    if (const auto address = base::Ipv4Address::parse(host)) return address;
    ::addrinfo hints{};
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_DGRAM;
    ::addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return std::nullopt;
    const std::unique_ptr<::addrinfo, decltype(&::freeaddrinfo)> release(found, ::freeaddrinfo);
    if (found == nullptr || found->ai_family != AF_INET) return std::nullopt;
    const auto* const address = reinterpret_cast<const ::sockaddr_in*>(found->ai_addr);
    return base::Ipv4Address(ntohl(address->sin_addr.s_addr));
}

ImageReading read_image_folders(const ImageFolderSettings& settings) {
    ImageReading reading;
    std::vector<model::NetBootImage> images;
    const ResolveHost resolve = remembering(settings.resolve);
    std::set<std::string> names;
    for (const ImageRoot& root : settings.roots) {
        if (!names.insert(root.name).second) {
            reading.problems.push_back({.severity = Severity::error,
                                        .path = root.path,
                                        .key = {},
                                        .what = "two image roots are called " + root.name,
                                        .remedy = "give each image root a name of its own"});
            continue;
        }
        RootReader(settings, root, resolve, reading, images).read();
    }
    std::vector<ImageProblem> clashes;
    reading.catalogue =
        model::Catalogue::build(std::move(images), clashes, settings.pinned_order, settings.models);
    // An image that is looked at alone need not be the default, nor stand in the fixed order.
    if (!settings.only_folder) {
        reading.problems.insert(reading.problems.end(), clashes.begin(), clashes.end());
    }
    return reading;
}

}  // namespace pomona::store
