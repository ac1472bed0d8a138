#include "io/plain_capture.hpp"

#include "io/packet_socket.hpp"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace pomona::io {

namespace {

bool attach(int socket, const sock_filter* steps, std::size_t count) {
    // The kernel only reads them.
    const sock_fprog program{static_cast<unsigned short>(count), const_cast<sock_filter*>(steps)};
    return ::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

/// Its index if it is Ethernet (or loopback, which calls itself so) and up.
std::optional<int> usable_index(int socket, const std::string& interface) {
    ifreq request{};
    if (interface.size() >= sizeof request.ifr_name) return std::nullopt;
    interface.copy(request.ifr_name, interface.size());
    if (::ioctl(socket, SIOCGIFFLAGS, &request) != 0 || (request.ifr_flags & IFF_UP) == 0)
        return std::nullopt;
    if (::ioctl(socket, SIOCGIFHWADDR, &request) != 0) return std::nullopt;
    const auto type = request.ifr_hwaddr.sa_family;
    if (type != ARPHRD_ETHER && type != ARPHRD_LOOPBACK) return std::nullopt;
    if (::ioctl(socket, SIOCGIFINDEX, &request) != 0) return std::nullopt;
    return request.ifr_ifindex;
}

bool has_vlan_tag(const msghdr& header) {
    for (const cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr;
         c = CMSG_NXTHDR(const_cast<msghdr*>(&header), const_cast<cmsghdr*>(c))) {
        if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA) continue;
        tpacket_auxdata facts{};
        std::memcpy(&facts, CMSG_DATA(c), sizeof facts);
        return (facts.tp_status & TP_STATUS_VLAN_VALID) != 0;
    }
    return false;
}

}  // namespace

std::optional<PlainCapture> PlainCapture::open(const std::string& interface, const sock_filter* filter,
                                               std::size_t filter_length, std::size_t snapshot_bytes) {
    // Of no protocol until it is bound, so that nothing comes in before the filter is there.
    Descriptor socket(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return std::nullopt;
    const auto index = usable_index(socket.get(), interface);
    if (!index) return std::nullopt;
    const int on = 1;
    if (::setsockopt(socket.get(), SOL_PACKET, PACKET_AUXDATA, &on, sizeof on) != 0) return std::nullopt;
    // Older kernels do not know it; next() passes such frames over as well.
    (void)::setsockopt(socket.get(), SOL_PACKET, packet_ignore_outgoing, &on, sizeof on);
    if (!attach(socket.get(), filter, filter_length)) return std::nullopt;
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = *index;
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return std::nullopt;
    }
    return PlainCapture(std::move(socket), snapshot_bytes);
}

std::optional<base::Bytes> PlainCapture::next() {
    for (;;) {
        sockaddr_ll from{};
        iovec part{frame_.data(), frame_.size()};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(tpacket_auxdata))> control{};
        msghdr header{};
        header.msg_name = &from;
        header.msg_namelen = sizeof from;
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        const ssize_t size = ::recvmsg(socket_.get(), &header, 0);
        if (size < 0 && errno == EINTR) continue;
        // ENETDOWN and the like: the ring says the same, for good.
        if (size < 0) return std::nullopt;
        if (from.sll_pkttype == PACKET_OUTGOING || has_vlan_tag(header)) continue;
        return base::Bytes(frame_.data(), static_cast<std::size_t>(size));
    }
}

bool PlainCapture::inject(base::Bytes frame) {
    return ::send(socket_.get(), frame.data(), frame.size(), 0) >= 0;
}

void PlainCapture::stop() {
    const sock_filter nothing{.code = BPF_RET | BPF_K, .jt = 0, .jf = 0, .k = 0};
    (void)attach(socket_.get(), &nothing, 1);
}

}  // namespace pomona::io
