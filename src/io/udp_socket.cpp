#include "io/udp_socket.hpp"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>

namespace pomona::io {

namespace {

sockaddr_in socket_address(const base::Endpoint& endpoint) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(endpoint.port);
    address.sin_addr.s_addr = htonl(endpoint.address.value());
    return address;
}

base::Ipv4Address address_of(const in_addr& address) {
    return base::Ipv4Address(ntohl(address.s_addr));
}

/// The parts of one sendmsg: where to, from which address, cut into which size.
class Message {
  public:
    Message(const UdpRoute* route, std::size_t segment) {
        if (route != nullptr) {
            name_ = socket_address(route->to);
            header_.msg_name = &name_;
            header_.msg_namelen = sizeof name_;
            in_pktinfo info{};
            info.ipi_spec_dst.s_addr = htonl(route->from.value());
            add_control(IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
        }
        if (segment != 0) {
            const auto size = static_cast<std::uint16_t>(segment);
            add_control(IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size);
        }
    }
    Message(const Message&) = delete;
    Message& operator=(const Message&) = delete;
    Message(Message&&) = delete;
    Message& operator=(Message&&) = delete;
    ~Message() = default;

    msghdr& header() { return header_; }

  private:
    void add_control(int level, int type, const void* data, std::size_t size) {
        header_.msg_control = control_.data();
        auto* const to = reinterpret_cast<cmsghdr*>(control_.data() + header_.msg_controllen);
        to->cmsg_level = level;
        to->cmsg_type = type;
        to->cmsg_len = CMSG_LEN(size);
        std::memcpy(CMSG_DATA(to), data, size);
        header_.msg_controllen += CMSG_SPACE(size);
    }

    sockaddr_in name_{};
    msghdr header_{};
    alignas(cmsghdr)
        std::array<char, CMSG_SPACE(sizeof(in_pktinfo)) + CMSG_SPACE(sizeof(std::uint16_t))> control_{};
};

template <typename Call>
ssize_t uninterrupted(Call call) {
    for (;;) {
        const ssize_t result = call();
        if (result >= 0 || errno != EINTR) return result;
    }
}

}  // namespace

std::expected<UdpSocket, int> UdpSocket::bind(const base::Endpoint& local) {
    Descriptor descriptor(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!descriptor) return std::unexpected(errno);
    const int on = 1;
    // No DF: a route with a smaller MTU gets fragments. Boot programs never send the ICMP that would be
    // needed.
    const int fragments = IP_PMTUDISC_DONT;
    ::setsockopt(descriptor.get(), IPPROTO_IP, IP_MTU_DISCOVER, &fragments, sizeof fragments);
    ::setsockopt(descriptor.get(), IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    const sockaddr_in address = socket_address(local);
    if (::bind(descriptor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return std::unexpected(errno);
    }
    return UdpSocket(std::move(descriptor));
}

int UdpSocket::connect(const base::Endpoint& peer) {
    const int off = 0;
    ::setsockopt(descriptor_.get(), IPPROTO_IP, IP_PKTINFO, &off, sizeof off);
    const sockaddr_in address = socket_address(peer);
    const auto* const name = reinterpret_cast<const sockaddr*>(&address);
    return ::connect(descriptor_.get(), name, sizeof address) == 0 ? 0 : errno;
}

void UdpSocket::set_buffers(int octets) {
    // The first of each pair needs privilege and ignores the system's limit.
    if (::setsockopt(descriptor_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof octets) != 0) {
        ::setsockopt(descriptor_.get(), SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets);
    }
    if (::setsockopt(descriptor_.get(), SOL_SOCKET, SO_SNDBUFFORCE, &octets, sizeof octets) != 0) {
        ::setsockopt(descriptor_.get(), SOL_SOCKET, SO_SNDBUF, &octets, sizeof octets);
    }
}

std::uint16_t UdpSocket::port() const {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    if (::getsockname(descriptor_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
    return ntohs(address.sin_port);
}

std::expected<UdpArrival, int> UdpSocket::receive(base::MutableBytes buffer) {
    sockaddr_in from{};
    iovec part{buffer.data(), buffer.size()};
    alignas(cmsghdr) std::array<char, 128> control{};
    msghdr header{};
    header.msg_name = &from;
    header.msg_namelen = sizeof from;
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const ssize_t size = uninterrupted([&] { return ::recvmsg(descriptor_.get(), &header, 0); });
    if (size < 0) return std::unexpected(errno);

    UdpArrival arrival;
    arrival.size = static_cast<std::size_t>(size);
    arrival.truncated = (header.msg_flags & MSG_TRUNC) != 0;
    arrival.from = {address_of(from.sin_addr), ntohs(from.sin_port)};
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO) continue;
        in_pktinfo info{};
        std::memcpy(&info, CMSG_DATA(c), sizeof info);
        arrival.to = address_of(info.ipi_spec_dst);
        // For broadcast and multicast the kernel puts the interface's own address into ipi_spec_dst.
        arrival.to_us_alone = info.ipi_spec_dst.s_addr == info.ipi_addr.s_addr;
    }
    return arrival;
}

std::expected<std::size_t, int> UdpSocket::receive_plain(base::MutableBytes buffer) {
    const ssize_t size =
        uninterrupted([&] { return ::recv(descriptor_.get(), buffer.data(), buffer.size(), 0); });
    if (size < 0) return std::unexpected(errno);
    return static_cast<std::size_t>(size);
}

UdpSent UdpSocket::send(base::Bytes octets, std::size_t segment, const UdpRoute* route, bool as_train) {
    const std::size_t count = octets.size() <= segment ? 1 : (octets.size() + segment - 1) / segment;
    assert(count <= most_in_train);
    auto* const data = const_cast<std::uint8_t*>(octets.data());
    if (count == 1 && route == nullptr) {
        const ssize_t sent = uninterrupted([&] { return ::send(descriptor_.get(), data, octets.size(), 0); });
        return sent < 0 ? UdpSent{0, errno} : UdpSent{1, 0};
    }
    if (count == 1 || as_train) {
        Message message(route, count == 1 ? 0 : segment);
        iovec part{data, octets.size()};
        message.header().msg_iov = &part;
        message.header().msg_iovlen = 1;
        const ssize_t sent =
            uninterrupted([&] { return ::sendmsg(descriptor_.get(), &message.header(), 0); });
        return sent < 0 ? UdpSent{0, errno} : UdpSent{count, 0};
    }
    Message shared(route, 0);
    std::array<iovec, most_in_train> parts{};
    std::array<mmsghdr, most_in_train> messages{};
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t at = i * segment;
        parts[i] = {data + at, std::min(segment, octets.size() - at)};
        messages[i].msg_hdr = shared.header();
        messages[i].msg_hdr.msg_iov = &parts[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    UdpSent sent;
    while (sent.datagrams < count) {
        const int done = ::sendmmsg(descriptor_.get(), messages.data() + sent.datagrams,
                                    static_cast<unsigned>(count - sent.datagrams), 0);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return {sent.datagrams, errno};
        sent.datagrams += static_cast<std::size_t>(done);
    }
    return sent;
}

bool UdpSocket::refuses_trains(int error) {
    // EINVAL or EMSGSIZE: one datagram is longer than the MTU. EIO: the device cannot checksum. The others
    // come from kernels before 4.18.
    return error == EIO || error == EINVAL || error == EMSGSIZE || error == ENOPROTOOPT ||
           error == EOPNOTSUPP;
}

}  // namespace pomona::io
