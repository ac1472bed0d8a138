// Reading image roots: every `.nbi` folder directly inside becomes an image of the catalogue or a problem
// with its reason. The daemon, its reload and `pomona image check` all use this one function.
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/model/catalogue.hpp>
#include <pomona/model/known_models.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace pomona::store {

/// A folder of `.nbi` folders, and the name by which clients reach it ("NetBootSP0").
struct ImageRoot {
    std::string name;
    std::string path;

    friend bool operator==(const ImageRoot&, const ImageRoot&) = default;
};

using ResolveHost = std::function<std::optional<base::Ipv4Address>(const std::string& host)>;

/// A dotted address, or the first IPv4 address that this host's resolver knows. May wait for name servers.
[[nodiscard]] std::optional<base::Ipv4Address> resolve_host(const std::string& host);

struct ImageFolderSettings {
    std::vector<ImageRoot> roots;
    /// See Catalogue::build.
    std::vector<std::string> pinned_order;
    /// Folder names ("grub.nbi") whose DisabledSystemIdentifiers is honoured.
    std::vector<std::string> honour_disabled_list;
    /// Another TFTP server sends the files, and this is its root; every image root must lie beneath it.
    std::optional<std::string> external_tftp_root;
    /// Look at this folder name only; for checking a single image.
    std::optional<std::string> only_folder;
    ResolveHost resolve = resolve_host;
    model::KnownModels models = model::KnownModels::built_in();
};

/// The Index of a property list, whether its image is published or not.
struct TakenIndex {
    std::int64_t index = 0;
    /// The image folder.
    std::string path;

    friend bool operator==(const TakenIndex&, const TakenIndex&) = default;
};

struct ImageReading {
    model::Catalogue catalogue;
    std::vector<model::ImageProblem> problems;
    /// `.nbi` folders seen, published or not.
    std::size_t folders = 0;
    std::vector<TakenIndex> indexes;

    [[nodiscard]] bool has_errors() const;
};

/// Roots in the order given, folders by name, bytewise. Never fails as a whole: what cannot be read is among
/// the problems.
[[nodiscard]] ImageReading read_image_folders(const ImageFolderSettings& settings);

}  // namespace pomona::store
