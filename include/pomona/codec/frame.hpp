// Ethernet, 802.1Q, IPv4 (RFC 791) and UDP (RFC 768): a captured frame becomes a Datagram, a payload becomes
// one frame or, above the MTU, several IP fragments.
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/base/bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

namespace pomona::codec {

/// A UDP datagram as it came over a link. `payload` is a view into the frame.
struct Datagram {
    base::MacAddress link_source;
    base::MacAddress link_destination;
    /// VLAN of an 802.1Q tag; absent without a tag and for a priority tag (VLAN 0).
    std::optional<std::uint16_t> vlan;
    base::Endpoint source;
    base::Endpoint destination;
    base::Bytes payload;
};

enum class FrameFault : std::uint8_t {
    not_ipv4_udp,  ///< another protocol
    fragment,      ///< a piece of a fragmented datagram; nothing that we answer is ever sent in pieces
    bad_header,    ///< a length or the IP header checksum is wrong
};

[[nodiscard]] std::string_view text(FrameFault fault);

/// The UDP checksum is not looked at: between virtual machines and namespaces of one host it is not filled in
/// when the frame is captured (checksum offload), and the link has a check of its own.
std::expected<Datagram, FrameFault> parse_frame(base::Bytes frame);

/// Everything in front of a payload.
struct DatagramHeader {
    base::MacAddress link_source;
    base::MacAddress link_destination;
    base::Endpoint source;
    base::Endpoint destination;
    /// Names the datagram among those between two hosts; all fragments carry it.
    std::uint16_t ip_id = 0;
};

inline constexpr std::size_t ethernet_header_size = 14;
inline constexpr std::size_t ip_header_size = 20;
inline constexpr std::size_t udp_header_size = 8;
/// The longest UDP payload that these functions send.
inline constexpr std::size_t longest_payload = 65'507;

/// Writes the datagram's packets one after the other through `next`, which takes each whole packet in `room`
/// (a view that is valid during the call) and returns false to stop. `mtu` bounds each IP packet; `room` must
/// hold one packet of that size and the Ethernet header. False if stopped, or if payload, mtu or room do not
/// fit. Asked again, it begins again.
class PacketWriter {
  public:
    PacketWriter(const DatagramHeader& header, base::Bytes payload, std::size_t mtu)
        : header_(header), payload_(payload), mtu_(mtu) {}

    /// Ethernet frames: for_each_frame(room, [](base::Bytes frame) { return true; }).
    template <typename Next>
    bool for_each_frame(base::MutableBytes room, Next&& next) {
        return for_each(room, true, next);
    }
    /// IPv4 packets without a link header.
    template <typename Next>
    bool for_each_packet(base::MutableBytes room, Next&& next) {
        return for_each(room, false, next);
    }

  private:
    template <typename Next>
    bool for_each(base::MutableBytes room, bool with_link, Next& next) {
        offset_ = 0;
        do {
            const base::Bytes packet = write_next(room, with_link);
            if (packet.empty() || !next(packet)) return false;
        } while (offset_ < udp_header_size + payload_.size());
        return true;
    }
    base::Bytes write_next(base::MutableBytes room, bool with_link);

    DatagramHeader header_;
    base::Bytes payload_;
    std::size_t mtu_;
    /// Of the next fragment within UDP header and payload.
    std::size_t offset_ = 0;
};

/// The Internet checksum (RFC 1071) of `bytes` on top of `sum`; the result still has to be folded and
/// inverted.
std::uint32_t checksum_add(std::uint32_t sum, base::Bytes bytes);
std::uint16_t checksum_finish(std::uint32_t sum);

}  // namespace pomona::codec
