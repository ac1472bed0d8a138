// HeldUdpPort and RoutedSender over Linux sockets (packet(7), raw(7), udp(7)).
#include "io/udp_port.hpp"

#include <pomona/base/addresses.hpp>

#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

namespace pomona::io {

namespace {

std::string reason(int error) {
    return std::generic_category().message(error);
}

constexpr std::size_t ipv4_header_bytes = 20;
constexpr std::size_t ipv4_destination = 16;

}  // namespace

base::Result<HeldUdpPort> HeldUdpPort::hold(std::uint16_t port) {
    const std::string where = "UDP port " + std::to_string(port);
    Descriptor held(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!held) return base::fail("Cannot open a socket: " + reason(errno), where);

    // Before bind, so that not one datagram is ever queued.
    sock_filter drop_all[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    const sock_fprog program{.len = 1, .filter = drop_all};
    if (setsockopt(held.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) {
        return base::fail("Cannot filter a socket: " + reason(errno), where);
    }

    // Bound without SO_REUSEADDR: beside a program that allows sharing, the newer socket would get, and here
    // lose, the unicast datagrams of the older one.
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (bind(held.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        if (errno == EADDRINUSE) return base::fail("Another program holds the port", where);
        if (errno == EACCES) {
            return base::fail("Not allowed to hold the port", where,
                              "start as root or give the program CAP_NET_BIND_SERVICE");
        }
        return base::fail("Cannot hold the port: " + reason(errno), where);
    }
    // Allowed from now on: whoever comes later is the newer one, and gets everything.
    const int on = 1;
    (void)setsockopt(held.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return HeldUdpPort(std::move(held));
}

base::Result<RoutedSender> RoutedSender::open() {
    // IPPROTO_RAW: the caller writes the IPv4 header (IP_HDRINCL), and nothing is ever received.
    Descriptor raw(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW));
    if (!raw) {
        if (errno == EPERM || errno == EACCES) {
            return base::fail("Not allowed to open a raw socket", "routed sending",
                              "start as root or give the program CAP_NET_RAW");
        }
        return base::fail("Cannot open a raw socket: " + reason(errno), "routed sending");
    }
    return RoutedSender(std::move(raw));
}

base::Result<void> RoutedSender::send(base::Bytes packet) {
    return send_with(packet, nullptr, 0);
}

base::Result<void> RoutedSender::send_on(unsigned interface_index, base::Bytes packet) {
    alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof(in_pktinfo))> control{};
    auto* const part = reinterpret_cast<cmsghdr*>(control.data());
    part->cmsg_level = IPPROTO_IP;
    part->cmsg_type = IP_PKTINFO;
    part->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
    in_pktinfo info{};
    info.ipi_ifindex = static_cast<int>(interface_index);
    std::memcpy(CMSG_DATA(part), &info, sizeof info);
    // Only here: elsewhere a broadcast is a mistake that the kernel should name.
    int broadcast = 1;
    (void)setsockopt(descriptor_.get(), SOL_SOCKET, SO_BROADCAST, &broadcast, sizeof broadcast);
    auto sent = send_with(packet, control.data(), control.size());
    broadcast = 0;
    (void)setsockopt(descriptor_.get(), SOL_SOCKET, SO_BROADCAST, &broadcast, sizeof broadcast);
    return sent;
}

base::Result<void> RoutedSender::send_with(base::Bytes packet, const void* control,
                                           std::size_t control_size) {
    if (packet.size() < ipv4_header_bytes || packet[0] >> 4 != 4) {
        return base::fail("Not an IPv4 packet", "routed sending");
    }
    sockaddr_in to{};
    to.sin_family = AF_INET;
    std::memcpy(&to.sin_addr, packet.data() + ipv4_destination, sizeof to.sin_addr);
    iovec part{const_cast<std::uint8_t*>(packet.data()), packet.size()};
    msghdr message{};
    message.msg_name = &to;
    message.msg_namelen = sizeof to;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = const_cast<void*>(control);
    message.msg_controllen = control_size;
    ssize_t sent = -1;
    do {
        sent = sendmsg(descriptor_.get(), &message, 0);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) return {};

    const int error = errno;
    const std::string where = "sending to " + base::Ipv4Address(ntohl(to.sin_addr.s_addr)).text();
    switch (error) {
        case ENETUNREACH:
        case EHOSTUNREACH:
            return base::fail("There is no route", where, "add one on this host: `ip route add ...`");
        case EMSGSIZE:
            return base::fail("The packet is longer than the way's MTU", where);
        case EPERM:
            return base::fail("A packet filter of this host forbids it", where, "see `nft list ruleset`");
        case EACCES:
            return base::fail("The destination is a broadcast address", where);
        case ENETDOWN:
            return base::fail("The interface of the route is down", where);
        default:
            return base::fail(reason(error), where);
    }
}

}  // namespace pomona::io
