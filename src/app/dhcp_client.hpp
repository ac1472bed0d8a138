// The client side of DHCP (RFC 2131), without a network, as far as a Mac's firmware needs it before BSDP.
#pragma once

#include "app/bsdp_client.hpp"

#include <pomona/base/addresses.hpp>
#include <pomona/codec/dhcp.hpp>
#include <pomona/codec/frame.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pomona::app {

/// OFFER, ACK or NAK.
struct DhcpAnswer {
    codec::DhcpType type = codec::DhcpType::offer;
    base::Ipv4Address server;
    /// yiaddr and option 1; /32 without a mask.
    base::Ipv4Network address;
    std::optional<base::Ipv4Address> router;
    std::optional<std::uint32_t> lease_seconds;
    /// Class AAPLBSDPC and no address: boot data of a BSDP server (sub-option 8 of a remembered choice).
    bool boot_offer = false;
    /// Class AAPLBSDPC together with an address: an old recipe that keeps some Macs from
    /// ever asking a boot server.
    bool poses_as_bsdp = false;
};

/// UDP payloads; the MAC and the class string are the played Mac's.
[[nodiscard]] Message dhcp_discover(const PlayedMac& mac, std::uint32_t xid);
[[nodiscard]] Message dhcp_request(const PlayedMac& mac, std::uint32_t xid, const DhcpAnswer& offer);
[[nodiscard]] Message dhcp_release(const PlayedMac& mac, std::uint32_t xid, base::Ipv4Address server);

/// nullopt for everything that is not an answer to us.
[[nodiscard]] std::optional<DhcpAnswer> read_dhcp_answer(const codec::Datagram& datagram,
                                                         const PlayedMac& mac, std::uint32_t xid);

}  // namespace pomona::app
