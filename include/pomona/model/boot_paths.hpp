// The names under which a client fetches the files of an image: the TFTP path for the file field and the root
// path for option 17 (Apple's BSDP document 1.0.8, "ACK[SELECT]"; the kernel's parser of root paths).
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/model/netboot_image.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace pomona::model {

/// The file field holds 127 bytes and a terminator; option 17 has one length octet.
inline constexpr std::size_t longest_tftp_path = 127;
inline constexpr std::size_t longest_root_path = 255;

/// "nbi/NetBootSP0/grub.nbi/i386/booter", relative and unescaped; with an external TFTP server the path below
/// that server's root. A published image keeps it within longest_tftp_path.
[[nodiscard]] std::string tftp_path(const NetBootImage& image, const BootFile& boot_file);
/// The same for any file of the image's folder.
[[nodiscard]] std::string tftp_path(const NetBootImage& image, std::string_view file);

/// The value of option 17: "nfs:10.0.1.5:/srv/images:Lion.nbi/NetBoot.dmg" or
/// "http://10.0.1.5/NetBoot/NetBootSP0/Lion.nbi/NetBoot.dmg"; empty for an image without a root.
/// `server` is the address that goes into option 54; LoadBalanceServer takes its place. A published image
/// keeps it within longest_root_path for every server address.
[[nodiscard]] std::string root_path_option(const NetBootImage& image, base::Ipv4Address server);

/// Percent-encodes all that is not allowed in the path of a URL; slashes stay.
[[nodiscard]] std::string escaped_url_path(std::string_view path);

/// Writes each colon with a backslash before it, as the kernel's NFS root path wants. A backslash stays as it
/// is: the kernel takes one away before a colon only, so a path that ends in one cannot be told.
[[nodiscard]] std::string escaped_nfs_path(std::string_view path);

}  // namespace pomona::model
