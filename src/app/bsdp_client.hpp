// The client side of BSDP, without a network: the requests of a Mac, and which answers a Mac accepts (Apple's
// BSDP document 1.0.8; the acceptance rules of Apple's BSDPClient).
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/base/boot_image_id.hpp>
#include <pomona/codec/frame.hpp>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace pomona::app {

/// The Mac that is played.
struct PlayedMac {
    base::MacAddress mac;
    base::Ipv4Address address;
    std::string architecture = "i386";
    std::string model = "iMac12,1";
    /// Sub-option 5; a tool sends it, firmware does not.
    std::optional<std::uint16_t> reply_port;
    /// Sub-option 11: the upper halves of the image ids wanted; empty for none.
    std::vector<std::uint16_t> filter;

    [[nodiscard]] std::uint16_t port() const;
    /// "AAPLBSDPC/i386/iMac12,1"
    [[nodiscard]] std::string vendor_class() const;
};

using Message = std::vector<std::uint8_t>;

/// UDP payloads, for 255.255.255.255:67.
[[nodiscard]] Message list_request(const PlayedMac& mac, std::uint32_t xid);
[[nodiscard]] Message select_request(const PlayedMac& mac, std::uint32_t xid, base::Ipv4Address server,
                                     base::BootImageId image);

struct OfferedImage {
    base::BootImageId id;
    /// As it came; not necessarily printable.
    std::string name;

    friend bool operator==(const OfferedImage&, const OfferedImage&) = default;
};

/// An ACK[LIST] that a Mac accepts.
struct ListAnswer {
    /// Option 54: the server's name in SELECT.
    base::Ipv4Address server;
    /// Where it really came from.
    base::Endpoint source;
    std::optional<std::uint16_t> priority;
    std::optional<base::BootImageId> default_image;
    std::optional<base::BootImageId> selected_image;
    std::vector<OfferedImage> images;
    std::size_t payload_octets = 0;
    /// What is odd about it, one sentence each.
    std::vector<std::string> oddities;
};

/// ACK[SELECT] or ACK[FAILED].
struct SelectAnswer {
    base::Ipv4Address server;
    bool failed = false;
    std::optional<base::BootImageId> image;
    /// siaddr, sname and file: where the boot file lies on TFTP.
    base::Ipv4Address tftp_server;
    std::string server_name;
    std::string file;
    /// Option 17.
    std::string root_path;
    /// Sub-option 130.
    std::string machine_name;
    std::vector<std::string> oddities;
};

/// Why a datagram is no answer.
struct NotAccepted {
    enum class Kind : std::uint8_t {
        foreign,     ///< for somebody else, or nothing of DHCP; not worth a word
        plain_dhcp,  ///< a DHCP server answered our INFORM; Macs pass over it
        unusable,    ///< meant as BSDP, but a Mac drops it
    };
    Kind kind = Kind::foreign;
    base::Ipv4Address from;
    std::string why;
};

[[nodiscard]] std::expected<ListAnswer, NotAccepted> read_list_answer(const codec::Datagram& datagram,
                                                                      const PlayedMac& mac,
                                                                      std::uint32_t xid);
[[nodiscard]] std::expected<SelectAnswer, NotAccepted> read_select_answer(const codec::Datagram& datagram,
                                                                          const PlayedMac& mac,
                                                                          std::uint32_t xid);

}  // namespace pomona::app
