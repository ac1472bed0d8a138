// ARP over Ethernet (RFC 826) as far as it tells who uses an address (RFC 5227): the probe, and the answer.
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/base/bytes.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace pomona::codec {

/// Somebody says that an address is theirs: an ARP reply, or a request or announcement sent from that
/// address.
struct ArpClaim {
    base::Ipv4Address address;
    base::MacAddress owner;

    friend bool operator==(const ArpClaim&, const ArpClaim&) = default;
};

/// A frame with a VLAN tag belongs to another interface and is none of ours. nullopt for what is no ARP over
/// Ethernet and for probes, which claim nothing.
[[nodiscard]] std::optional<ArpClaim> parse_arp(base::Bytes frame);

inline constexpr std::size_t arp_frame_size = 42;

/// A broadcast that asks for the owner of `address` and claims nothing for its sender (RFC 5227, 2.1.1).
[[nodiscard]] std::array<std::uint8_t, arp_frame_size> write_arp_probe(base::MacAddress from,
                                                                       base::Ipv4Address address);

}  // namespace pomona::codec
