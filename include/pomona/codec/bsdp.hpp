// The vendor options of BSDP (Boot Server Discovery Protocol, Apple's document 1.0.8): sub-options inside
// DHCP option 43, the class string of option 60, and the image list packed the way Apple's server packs it.
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/base/boot_image_id.hpp>
#include <pomona/base/bytes.hpp>
#include <pomona/codec/dhcp.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pomona::codec {

/// What a server says in option 60, and the first word of what a client says.
inline constexpr std::string_view bsdp_class = "AAPLBSDPC";

/// Codes inside option 43.
enum class BsdpOption : std::uint8_t {
    pad = 0,
    message_type = 1,
    version = 2,
    server_identifier = 3,
    server_priority = 4,
    reply_port = 5,
    boot_image_list_path = 6,
    default_boot_image = 7,
    selected_boot_image = 8,
    boot_image_list = 9,
    netboot_1_0_firmware = 10,
    attributes_filter = 11,
    maximum_message_size = 12,
    shadow_mount_path = 128,
    shadow_file_path = 129,
    machine_name = 130,
    end = 255,
};

/// Values of sub-option 1.
enum class BsdpType : std::uint8_t { list = 1, select = 2, failed = 3 };

inline constexpr std::uint16_t bsdp_version_1_0 = 0x0100;
inline constexpr std::uint16_t bsdp_version_1_1 = 0x0101;
/// The longest image name that always fits, bound or not, into the smallest answer.
inline constexpr std::size_t longest_image_name = 229;

/// "AAPLBSDPC/<architecture>/<model>"; views into the option's value.
struct VendorClass {
    std::string_view architecture;
    std::string_view model;

    friend bool operator==(const VendorClass&, const VendorClass&) = default;
};

/// Apple's rule byte for byte: the bare word gives an empty architecture; otherwise a slash, an architecture
/// and a second slash must follow; no NUL or line feed anywhere.
std::optional<VendorClass> parse_vendor_class(base::Bytes value);

struct ListedImage {
    base::BootImageId id;
    std::string_view name;

    friend bool operator==(const ListedImage&, const ListedImage&) = default;
};

/// Every sub-option of a message, absent where it was missing (or, for 5, 7, 8, 11 and 12, of a wrong
/// length).
struct BsdpOptions {
    std::optional<std::uint8_t> message_type;
    std::optional<std::uint16_t> version;
    std::optional<base::Ipv4Address> server_identifier;
    std::optional<std::uint16_t> server_priority;
    std::optional<std::uint16_t> reply_port;
    std::optional<base::BootImageId> default_image;
    std::optional<base::BootImageId> selected_image;
    /// All occurrences of sub-option 9 joined in order, for parse_image_list(); absent and empty are
    /// different.
    std::optional<std::vector<std::uint8_t>> image_list;
    bool netboot_1_0 = false;
    /// Upper halves of image ids; never empty when present.
    std::optional<std::vector<std::uint16_t>> attributes_filter;
    std::optional<std::uint16_t> maximum_message_size;
    std::string_view shadow_mount_path;
    std::string_view shadow_file_path;
    std::string_view machine_name;

    friend bool operator==(const BsdpOptions&, const BsdpOptions&) = default;
};

enum class BsdpFault : std::uint8_t {
    no_vendor_options,  ///< the message has no option 43
    truncated,          ///< a sub-option runs past the end of its option 43 instance
    wrong_length,       ///< sub-option 1, 2 or 3 has a length that cannot be
};

/// Reads each instance of option 43 on its own, as Apple's code does on both sides. The views in the result
/// point into the message.
std::expected<BsdpOptions, BsdpFault> parse_bsdp(const DhcpView& message);

/// The images of a joined sub-option 9 as views into it; nullopt if one runs past the end (Apple's client
/// throws the whole list away then).
std::optional<std::vector<ListedImage>> parse_image_list(base::Bytes list);

/// The value of one option 43, put together piece by piece; add it to the message with `DhcpWriter::option`.
class BsdpWriter {
  public:
    void u8(BsdpOption code, std::uint8_t value);
    void u16(BsdpOption code, std::uint16_t value);
    void u32(BsdpOption code, std::uint32_t value);
    void address(BsdpOption code, base::Ipv4Address value) { u32(code, value.value()); }
    void image(BsdpOption code, base::BootImageId value) { u32(code, value.value()); }
    void bytes(BsdpOption code, base::Bytes value);

    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] base::Bytes value() const { return {room_.data(), size_}; }
    [[nodiscard]] std::size_t size() const { return size_; }

  private:
    std::array<std::uint8_t, 255> room_{};
    std::size_t size_ = 0;
    bool ok_ = true;
};

/// The vendor options of an ACK[LIST].
struct BsdpList {
    std::uint16_t priority = 0;
    base::BootImageId default_image;
    std::optional<base::BootImageId> selected_image;
    /// nullopt for a client of version 1.0, which takes no list. Names of at most 229 octets; an image whose
    /// name has more than 248 is left out.
    std::optional<std::span<const ListedImage>> images;
};

/// Writes one or more option 43 into `message`: whole images in list order, a new instance when one is full,
/// an end when the message is full; the default and the selected image are in even then. Returns how many
/// images are.
std::size_t write_bsdp_list(DhcpWriter& message, const BsdpList& list);

}  // namespace pomona::codec
