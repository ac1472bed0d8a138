// Port 68 of thousands of Macs at once; see mac_port.hpp.
#include "mac_port.hpp"

#include <linux/filter.h>
#include <net/ethernet.h>
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
/// In the packet, not in the frame.
constexpr std::size_t chaddr_at = 28;

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

MacPort::MacPort(const std::string& interface, Ear ear) : ear_(ear) {
    try {
        open_sender(interface);
        if (ear == Ear::udp) {
            open_udp_receiver();
        } else {
            open_link_receiver(interface);
        }
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

void MacPort::open_udp_receiver() {
    check(receiver_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
    check(setsockopt(receiver_, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof buffer_bytes),
          "SO_RCVBUFFORCE");
    sockaddr_in any = {};
    any.sin_family = AF_INET;
    any.sin_port = htons(68);
    check(bind(receiver_, reinterpret_cast<const sockaddr*>(&any), sizeof any), "UDP port 68");
}

void MacPort::open_link_receiver(const std::string& interface) {
    // UDP to port 68; every answer is a whole IPv4 packet.
    std::array<sock_filter, 8> program = {{
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IP, 0, 5),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ip_at + 9),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 3),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, udp_at + 2),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 68, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0xffff),
        BPF_STMT(BPF_RET | BPF_K, 0),
    }};
    const sock_fprog filter = {static_cast<unsigned short>(program.size()), program.data()};
    // Protocol 0 until the filter is in place.
    check(receiver_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), "packet socket");
    check(setsockopt(receiver_, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter), "SO_ATTACH_FILTER");
    check(setsockopt(receiver_, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof buffer_bytes),
          "SO_RCVBUFFORCE");
    const int on = 1;
    check(setsockopt(receiver_, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on),
          "PACKET_IGNORE_OUTGOING");
    sockaddr_ll link = {};
    link.sll_family = AF_PACKET;
    link.sll_protocol = htons(ETH_P_IP);
    link.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
    check(bind(receiver_, reinterpret_cast<const sockaddr*>(&link), sizeof link), interface.c_str());
}

void MacPort::queue(const Packet& packet, std::uint32_t source) {
    Frame& frame = queued_.emplace_back(template_);
    if (ear_ == Ear::link) std::copy_n(&packet[chaddr_at], 6, &frame[6]);
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
    const auto octets = std::span(buffers_[at]).first(incoming_[at].msg_len);
    if (ear_ == Ear::udp) return octets;
    return octets.subspan(std::min(octets.size(), headers_bytes));
}

}  // namespace pomona::bench
