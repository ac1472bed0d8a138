// Catalogue: the immutable, ordered list of published images, and which of them a client may see.
// Order and matching follow Apple's server; see docs/images.md.
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/base/boot_image_id.hpp>
#include <pomona/model/known_models.hpp>
#include <pomona/model/netboot_image.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace pomona::model {

/// What decides which images a client sees. Views: valid only while the request is.
struct ClientTraits {
    base::MacAddress mac;
    /// From the class string: "i386", "ppc".
    std::string_view architecture;
    std::string_view model;
};

/// Upper 16 bits of image ids (sub-option 11). nullopt: the client sent no filter.
using AttributesFilter = std::optional<std::vector<std::uint16_t>>;

/// Something about an image or the list that an administrator should know.
struct ImageProblem {
    /// error: the image (or root) is not published; warning: it is, but look; note: it is not, on purpose
    /// (IsEnabled is false).
    enum class Severity : std::uint8_t { note, warning, error };
    Severity severity = Severity::error;
    /// The image folder or plist on disk.
    std::string path;
    /// The key of NBImageInfo.plist, or empty.
    std::string key;
    std::string what;
    std::string remedy;

    /// "error: /srv/images/x.nbi/NBImageInfo.plist: Index: 70000 is out of range; write 1 to 65535"
    [[nodiscard]] std::string text() const;
    friend bool operator==(const ImageProblem&, const ImageProblem&) = default;
};

class Catalogue {
  public:
    Catalogue() = default;

    /// Orders the images (defaults with a model list, defaults without, the rest; inside each group as
    /// given), drops later ones whose id is taken, and reports those and other clashes. `pinned_order` names
    /// folders ("grub.nbi" or "NetBootSP0/grub.nbi") that come first, in that order, whatever their group.
    /// `models` says which firmware the clients have.
    static Catalogue build(std::vector<NetBootImage> images, std::vector<ImageProblem>& problems,
                           std::span<const std::string> pinned_order = {},
                           KnownModels models = KnownModels::built_in());

    [[nodiscard]] std::span<const NetBootImage> images() const { return images_; }
    [[nodiscard]] bool empty() const { return images_.empty(); }
    /// All 32 bits must be equal.
    [[nodiscard]] const NetBootImage* find(base::BootImageId id) const;

    /// Architecture, model and MAC rules, in this order (tests 1 to 4 of the matching rules); and there must
    /// be a boot file that the firmware of the client's model can start.
    [[nodiscard]] bool matches(const NetBootImage& image, const ClientTraits& client) const;
    /// The boot file for the client's architecture that its firmware can start; nullptr if there is none.
    [[nodiscard]] const BootFile* boot_file_for(const NetBootImage& image, const ClientTraits& client) const;
    [[nodiscard]] const KnownModels& models() const { return models_; }
    /// The attributes filter: with one, the upper 16 bits of the id must equal an element; without, the image
    /// must not be FilterOnly (test 5).
    [[nodiscard]] static bool passes(const NetBootImage& image, const AttributesFilter& filter);

    /// The first image in list order that the client may see; nullptr if there is none.
    [[nodiscard]] const NetBootImage* default_for(const ClientTraits& client,
                                                  const AttributesFilter& filter) const;

  private:
    std::vector<NetBootImage> images_;
    std::unordered_map<base::BootImageId, std::size_t> by_id_;
    KnownModels models_ = KnownModels::built_in();
};

}  // namespace pomona::model
