// The packets of a simulated Mac, as few octets as the measurements need; laid out after Apple's BSDP
// document 1.0.8. On purpose without the codec of the server: a mistake shared by both would stay unseen.
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

/// ACKs as a server with one image answers them, with empty xid, ciaddr and chaddr.
Packet list_answer(std::uint32_t server);
Packet select_answer(std::uint32_t server);

}  // namespace pomona::bench
