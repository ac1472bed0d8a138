// netboot_image_from: every rule by which an .nbi folder with its NBImageInfo.plist becomes a NetBootImage.
// The rules follow Apple's server where it is clear and refuse with a reason where it would fall back in
// silence; docs/images.md describes them for administrators.
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/base/error.hpp>
#include <pomona/codec/efi.hpp>
#include <pomona/codec/plist.hpp>
#include <pomona/model/catalogue.hpp>
#include <pomona/model/known_models.hpp>
#include <pomona/model/netboot_image.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace pomona::model {

/// Longer names do not fit into the smallest list answer.
inline constexpr std::size_t longest_image_name = 229;
inline constexpr const char* image_info_file = "NBImageInfo.plist";

/// Where the folder lies and how it is to be read.
struct ImageFolder {
    std::string share;
    std::string share_path;
    std::string folder;
    /// See NetBootImage::external_tftp_folder.
    std::optional<std::string> external_tftp_folder;
    /// Refuse the models of DisabledSystemIdentifiers. Apple's server never reads that list, and real images
    /// name every supported model there.
    bool honour_disabled_list = false;

    [[nodiscard]] std::string path() const { return share_path + "/" + folder; }
    [[nodiscard]] std::string plist_path() const { return path() + "/" + image_info_file; }
};

/// What is known about one file below the image folder.
struct FileFacts {
    enum class Kind : std::uint8_t {
        missing,
        regular,
        /// A folder, device, socket ...
        other,
        /// A link that leads out of the image root; servers will not follow it.
        outside,
        /// Looking at it failed; `reason` says why.
        inaccessible,
    };
    Kind kind = Kind::missing;
    std::uint64_t size = 0;
    /// This process may open it.
    bool readable = true;
    std::string reason;
};

/// The rules' view of disk and network. Paths are relative to the image folder and never hold "..".
struct ImageFacts {
    std::function<FileFacts(const std::string& path)> file;
    std::function<base::Result<codec::EfiProgram>(const std::string& path)> efi;
    /// A dotted address or a host name; nullopt when it does not resolve.
    std::function<std::optional<base::Ipv4Address>(const std::string& host)> resolve;
    KnownModels models = KnownModels::built_in();
};

/// nullopt: not published; the reasons (all of them, not only the first) are among the problems added.
[[nodiscard]] std::optional<NetBootImage> netboot_image_from(const codec::PlistValue& plist,
                                                             const ImageFolder& folder,
                                                             const ImageFacts& facts,
                                                             std::vector<ImageProblem>& problems);

}  // namespace pomona::model
