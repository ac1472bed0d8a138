// Port 68 of thousands of Macs at once. Requests leave as ready-made broadcast frames by a packet socket,
// which is the cheapest way out, so that the generator stays ahead of what it measures. Answers to Macs that
// have an address arrive by the kernel's ordinary way at one UDP socket: a local route of the whole network
// (AnyIP) makes every address of theirs our own. Answers to Macs without one go to MAC addresses that no card
// here has, and are read from the link.
#pragma once

#include "mac_packets.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace pomona::bench {

class MacPort {
  public:
    enum class Ear : std::uint8_t { udp, link };

    /// Throws std::system_error with what failed.
    MacPort(const std::string& interface, Ear ear);
    MacPort(const MacPort&) = delete;
    MacPort& operator=(const MacPort&) = delete;
    ~MacPort();

    /// Broadcasts later, with the next flush, from port 68 of `source` (host order); with Ear::link from the
    /// MAC address of the packet's chaddr.
    void queue(const Packet& packet, std::uint32_t source);
    /// Sends all that is queued by as few system calls as possible.
    void flush();

    /// Hands what waits, at most one batch, to take(std::span<const std::uint8_t>); returns how many.
    template <typename Take>
    int receive(Take&& take) {
        const int count = receive_batch();
        for (int i = 0; i < count; ++i) take(received(i));
        return count;
    }

  private:
    static constexpr std::size_t batch = 64;
    static constexpr std::size_t headers_bytes = 14 + 20 + 8;
    using Frame = std::array<std::uint8_t, headers_bytes + packet_bytes>;

    void open_sender(const std::string& interface);
    void open_udp_receiver();
    void open_link_receiver(const std::string& interface);
    int receive_batch();
    [[nodiscard]] std::span<const std::uint8_t> received(int index) const;
    void send_batch(std::span<Frame> frames);

    const Ear ear_;
    int sender_ = -1;
    int receiver_ = -1;
    Frame template_ = {};
    std::vector<Frame> queued_;
    std::array<std::array<std::uint8_t, 2048>, batch> buffers_ = {};
    std::array<mmsghdr, batch> incoming_ = {};
    std::array<iovec, batch> incoming_pieces_ = {};
};

}  // namespace pomona::bench
