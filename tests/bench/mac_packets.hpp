// The packets of a simulated Mac, as few octets as the measurements need; laid out after Apple's BSDP
// document 1.0.8 and RFC 951; those of its loader after what GRUB sends. On purpose without the codec of the
// server: a mistake shared by both would stay unseen.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace pomona::bench {

inline constexpr std::size_t packet_bytes = 300;
using Packet = std::array<std::uint8_t, packet_bytes>;

enum class Message : std::uint8_t { list = 1, select = 2, failed = 3 };

/// Where a request of ours says LIST or SELECT, for the floor, which does not parse.
inline constexpr std::size_t message_offset = 280;

/// What stands in the fields of a Mac. Addresses and numbers are in host order.
struct Mac {
    std::uint32_t number = 0;
    std::uint32_t address = 0;
};

/// INFORM[LIST] of a firmware: class AAPLBSDPC/i386/iMac12,1, version 1.1, no reply port.
Packet list_request(const Mac& mac, std::uint32_t xid);

/// INFORM[SELECT] for `image` of the server that calls itself `server`.
Packet select_request(const Mac& mac, std::uint32_t xid, std::uint32_t server, std::uint32_t image);

/// DISCOVER of a PC that wants PXE: what a busy network is full of. ciaddr is 0.
Packet foreign_request(std::uint32_t number, std::uint32_t xid);

/// An answer that a Mac would take: BOOTREPLY, ACK, class AAPLBSDPC, a BSDP message.
struct Answer {
    std::uint32_t xid = 0;
    Message message = Message::failed;
    std::uint32_t server = 0;
    /// The default of an ACK[LIST], the confirmed image of an ACK[SELECT]; 0 when it is missing.
    std::uint32_t image = 0;
    bool has_list = false;
    bool has_file = false;
};
std::optional<Answer> parse_answer(std::span<const std::uint8_t> payload);

/// How a boot loader asks for its address: by BOOTP with the cookie of RFC 1497, which some servers insist
/// on; as GRUB up to 2.02, with an empty vendor area; or as GRUB from 2.04 on, by a DISCOVER that says
/// nothing else.
enum class LoaderForm : std::uint8_t { with_cookie, grub_2_02, grub_2_06 };
Packet loader_request(const Mac& mac, std::uint32_t xid, LoaderForm form);

/// GRUB's answer to an OFFER of `address` by `server`.
Packet loader_dhcp_request(const Mac& mac, std::uint32_t xid, std::uint32_t server, std::uint32_t address);

enum class DhcpType : std::uint8_t { none = 0, offer = 2, ack = 5 };

/// A BOOTREPLY, with or without a DHCP message type, that a loader takes. Host order.
struct LoaderAnswer {
    std::uint32_t xid = 0;
    std::uint32_t mac_number = 0;
    std::uint32_t address = 0;
    std::uint32_t server = 0;
    DhcpType type = DhcpType::none;
};
std::optional<LoaderAnswer> parse_loader_answer(std::span<const std::uint8_t> payload);

/// Where chaddr says which Mac it is, for the floor.
inline constexpr std::size_t mac_number_offset = 30;

/// BOOTREPLY with a mask, with empty xid, yiaddr and chaddr.
Packet bootp_answer(std::uint32_t server);

/// ACKs as a server with one image answers them, with empty xid, ciaddr and chaddr.
Packet list_answer(std::uint32_t server);
Packet select_answer(std::uint32_t server);

}  // namespace pomona::bench
