// Port 68 of thousands of Macs at once; see mac_port.hpp.
#include "mac_port.hpp"

#include <net/if.h>
#include <netpacket/packet.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace pomona::bench {
namespace {

// Room for every answer to a burst while the sender is still sending.
constexpr int buffer_bytes = 64 << 20;

constexpr std::size_t ip_at = 14;
constexpr std::size_t udp_at = 34;

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

void check(int result, const char* what) {
    if (result < 0) fail(what);
}

void put16(std::span<std::uint8_t> at, std::uint32_t value) {
    at[0] = static_cast<std::uint8_t>(value >> 8U);
    at[1] = static_cast<std::uint8_t>(value);
}

/// RFC 1071, over an even number of octets.
std::uint32_t sum_words(std::span<const std::uint8_t> octets) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i + 1 < octets.size(); i += 2)
        sum += (std::uint32_t{octets[i]} << 8U) | octets[i + 1];
    return sum;
}

std::uint32_t fold(std::uint32_t sum) {
    while (sum > 0xffff) sum = (sum & 0xffffU) + (sum >> 16U);
    return ~sum & 0xffffU;
}

}  // namespace

MacPort::MacPort(const std::string& interface) {
    try {
        open_sender(interface);
        open_receiver();
    } catch (...) {
        if (sender_ >= 0) close(sender_);
        if (receiver_ >= 0) close(receiver_);
        throw;
    }
    for (std::size_t i = 0; i < batch; ++i) {
        incoming_pieces_[i] = {buffers_[i].data(), buffers_[i].size()};
        incoming_[i].msg_hdr.msg_iov = &incoming_pieces_[i];
        incoming_[i].msg_hdr.msg_iovlen = 1;
    }
}

MacPort::~MacPort() {
    close(sender_);
    close(receiver_);
}

void MacPort::open_sender(const std::string& interface) {
    // Protocol 0: the socket sends only, nothing that arrives is copied for it.
    check(sender_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), "packet socket");
    const int on = 1;
    check(setsockopt(sender_, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on), "PACKET_QDISC_BYPASS");
    check(setsockopt(sender_, SOL_SOCKET, SO_SNDBUFFORCE, &buffer_bytes, sizeof buffer_bytes),
          "SO_SNDBUFFORCE");
    sockaddr_ll link = {};
    link.sll_family = AF_PACKET;
    link.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
    if (link.sll_ifindex == 0) fail(interface.c_str());
    check(bind(sender_, reinterpret_cast<const sockaddr*>(&link), sizeof link), interface.c_str());
    ifreq request = {};
    interface.copy(request.ifr_name, sizeof request.ifr_name - 1);
    check(ioctl(sender_, SIOCGIFHWADDR, &request), interface.c_str());

    std::fill_n(template_.begin(), 6, std::uint8_t{0xff});
    std::memcpy(&template_[6], request.ifr_hwaddr.sa_data, 6);
    const std::span frame(template_);
    put16(frame.subspan(12), 0x0800);
    template_[ip_at] = 0x45;
    put16(frame.subspan(ip_at + 2), 20 + 8 + packet_bytes);
    template_[ip_at + 8] = 64;
    template_[ip_at + 9] = IPPROTO_UDP;
    std::fill_n(template_.begin() + ip_at + 16, 4, std::uint8_t{0xff});
    put16(frame.subspan(udp_at), 68);
    put16(frame.subspan(udp_at + 2), 67);
    put16(frame.subspan(udp_at + 4), 8 + packet_bytes);
}

void MacPort::open_receiver() {
    check(receiver_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
    check(setsockopt(receiver_, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof buffer_bytes),
          "SO_RCVBUFFORCE");
    sockaddr_in any = {};
    any.sin_family = AF_INET;
    any.sin_port = htons(68);
    check(bind(receiver_, reinterpret_cast<const sockaddr*>(&any), sizeof any), "UDP port 68");
}

void MacPort::queue(const Packet& packet, std::uint32_t source) {
    Frame& frame = queued_.emplace_back(template_);
    std::copy(packet.begin(), packet.end(), frame.begin() + headers_bytes);
    const std::span octets(frame);
    put16(octets.subspan(ip_at + 12), source >> 16U);
    put16(octets.subspan(ip_at + 14), source & 0xffffU);
    put16(octets.subspan(ip_at + 10), fold(sum_words(octets.subspan(ip_at, 20))));
    const auto pseudo_header = sum_words(octets.subspan(ip_at + 12, 8)) + IPPROTO_UDP + 8 + packet_bytes;
    put16(octets.subspan(udp_at + 6),
          fold(static_cast<std::uint32_t>(pseudo_header) + sum_words(octets.subspan(udp_at))));
}

void MacPort::flush() {
    std::span<Frame> rest = queued_;
    while (!rest.empty()) {
        const auto count = std::min(rest.size(), batch);
        send_batch(rest.first(count));
        rest = rest.subspan(count);
    }
    queued_.clear();
}

void MacPort::send_batch(std::span<Frame> frames) {
    std::array<mmsghdr, batch> messages = {};
    std::array<iovec, batch> pieces = {};
    for (std::size_t i = 0; i < frames.size(); ++i) {
        pieces[i] = {frames[i].data(), frames[i].size()};
        messages[i].msg_hdr.msg_iov = &pieces[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    std::size_t done = 0;
    while (done < frames.size()) {
        const int count = sendmmsg(sender_, &messages[done], static_cast<unsigned>(frames.size() - done), 0);
        check(count, "sendmmsg");
        done += static_cast<std::size_t>(count);
    }
}

int MacPort::receive_batch() {
    const int count = recvmmsg(receiver_, incoming_.data(), batch, MSG_DONTWAIT, nullptr);
    if (count < 0 && errno != EAGAIN && errno != EINTR) fail("recvmmsg");
    return std::max(count, 0);
}

std::span<const std::uint8_t> MacPort::received(int index) const {
    const auto at = static_cast<std::size_t>(index);
    return std::span(buffers_[at]).first(incoming_[at].msg_len);
}

}  // namespace pomona::bench
