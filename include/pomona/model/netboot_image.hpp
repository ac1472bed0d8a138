// NetBootImage: one published .nbi folder as its NBImageInfo.plist describes it, already checked. Made by
// netboot_image_from(...), which holds every rule of the format; immutable afterwards.
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/base/boot_image_id.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pomona::model {

enum class ImageType : std::uint8_t { nfs, http, boot_file_only };

/// Width of an EFI program; `universal` is Apple's container with both, `other` is no EFI program (PowerPC).
enum class EfiWidth : std::uint8_t { ia32, x64, universal, other };

/// What to load for one class architecture ("i386", "ppc").
struct BootFile {
    std::string architecture;
    /// Below the image folder: "i386/booter", or "booter" for an old PowerPC layout.
    std::string path;
    EfiWidth width = EfiWidth::other;
    std::uint64_t size = 0;

    friend bool operator==(const BootFile&, const BootFile&) = default;
};

/// Where the root image (option 17) lies: a file of this folder, or a finished place elsewhere.
struct RootPath {
    /// Below the image folder, unescaped; empty when elsewhere.
    std::string local_file;
    /// The finished value of option 17 when the root lies elsewhere (host already resolved); empty when
    /// local.
    std::string elsewhere;

    friend bool operator==(const RootPath&, const RootPath&) = default;
};

struct NetBootImage {
    base::BootImageId id;
    /// UTF-8, 1 to 229 bytes, no control characters.
    std::string name;
    ImageType type = ImageType::boot_file_only;
    bool is_default = false;
    bool supports_diskless = false;
    bool filter_only = false;

    /// Name of the image root ("NetBootSP0"), its path on this host, and the folder's name ("grub.nbi").
    std::string share;
    std::string share_path;
    std::string folder;
    /// Set when another TFTP server serves the files: the image folder relative to that server's root
    /// ("images/grub.nbi").
    std::optional<std::string> external_tftp_folder;

    /// One per listed architecture, never empty; two for "i386" when 32-bit firmware has a file of its own
    /// (our key PomonaBootFileIA32), the x64 one first.
    std::vector<BootFile> boot_files;
    std::optional<RootPath> root_path;
    /// Our own key PomonaLoaderScript: below the image folder, the script that iPXE is told to load when its
    /// own DHCP asks ("ipxe/boot.ipxe"); empty for none.
    std::string loader_script;

    /// Sorted; empty means all models. Compared byte for byte.
    std::vector<std::string> enabled_models;
    /// Sorted; filled only for folders whose disabled list is honoured (Apple's server never reads it).
    std::vector<std::string> disabled_models;
    /// Sorted; empty means all.
    std::vector<base::MacAddress> enabled_macs;
    /// Sorted; wins over enabled_macs.
    std::vector<base::MacAddress> disabled_macs;
    /// TFTP, NFS and HTTP server of this image instead of us (LoadBalanceServer, resolved).
    std::optional<base::Ipv4Address> load_balance_server;

    /// The first of the architecture; Catalogue::boot_file_for() also looks at the client's model.
    [[nodiscard]] const BootFile* boot_file_for(std::string_view architecture) const;

    friend bool operator==(const NetBootImage&, const NetBootImage&) = default;
};

}  // namespace pomona::model
