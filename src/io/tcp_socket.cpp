// TcpListener and TcpState over Linux sockets (tcp(7)).
#include "io/tcp_socket.hpp"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>

namespace pomona::io {

namespace {

/// As many as the system lets wait for accept().
constexpr int backlog = 4096;

/// tcpi_state as the kernel numbers it; <netinet/tcp.h> names them and clashes with <linux/tcp.h>.
constexpr std::uint8_t state_fin_wait_1 = 4;
constexpr std::uint8_t state_close = 7;
constexpr std::uint8_t state_close_wait = 8;
constexpr std::uint8_t state_last_ack = 9;
constexpr std::uint8_t state_closing = 11;
constexpr std::uint8_t state_time_wait = 6;

sockaddr_in socket_address(const base::Endpoint& endpoint) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(endpoint.port);
    address.sin_addr.s_addr = htonl(endpoint.address.value());
    return address;
}

base::Endpoint endpoint_of(const sockaddr_in& address) {
    return {base::Ipv4Address(ntohl(address.sin_addr.s_addr)), ntohs(address.sin_port)};
}

base::Endpoint local_end(int descriptor) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
    return endpoint_of(address);
}

std::size_t waiting(int descriptor, unsigned long question) {
    int octets = 0;
    if (::ioctl(descriptor, question, &octets) != 0 || octets < 0) return 0;
    return static_cast<std::size_t>(octets);
}

}  // namespace

std::expected<TcpListener, int> TcpListener::open(const base::Endpoint& local) {
    Descriptor descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!descriptor) return std::unexpected(errno);
    // Connections of an earlier run that still wait for their end do not keep the port.
    const int on = 1;
    (void)::setsockopt(descriptor.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const sockaddr_in address = socket_address(local);
    if (::bind(descriptor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return std::unexpected(errno);
    }
    if (::listen(descriptor.get(), backlog) != 0) return std::unexpected(errno);
    return TcpListener(std::move(descriptor));
}

std::uint16_t TcpListener::port() const {
    return local_end(descriptor_.get()).port;
}

std::expected<TcpArrival, int> TcpListener::accept() const {
    for (;;) {
        sockaddr_in from{};
        socklen_t size = sizeof from;
        Descriptor arrived(::accept4(descriptor_.get(), reinterpret_cast<sockaddr*>(&from), &size,
                                     SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (arrived) {
            const base::Endpoint to = local_end(arrived.get());
            return TcpArrival{std::move(arrived), endpoint_of(from), to};
        }
        // ECONNABORTED: it was gone before we came.
        if (errno != EINTR && errno != ECONNABORTED) return std::unexpected(errno);
    }
}

TcpState tcp_state(int descriptor) {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {};
    TcpState state;
    state.open = info.tcpi_state != state_close && info.tcpi_state != state_time_wait;
    state.peer_finished = info.tcpi_state == state_close_wait || info.tcpi_state == state_last_ack ||
                          info.tcpi_state == state_closing || info.tcpi_state == state_time_wait;
    state.finishing = info.tcpi_state == state_fin_wait_1 || info.tcpi_state == state_last_ack ||
                      info.tcpi_state == state_closing;
    // Linux 5.4 has it.
    const bool window_known = size >= offsetof(tcp_info, tcpi_snd_wnd) + sizeof info.tcpi_snd_wnd;
    state.peer_takes_none = window_known && info.tcpi_snd_wnd == 0;
    state.acknowledged = info.tcpi_bytes_acked;
    state.received = info.tcpi_bytes_received;
    state.unacknowledged = waiting(descriptor, SIOCOUTQ);
    // The kernel counts our FIN as one.
    if (state.finishing && state.unacknowledged > 0) --state.unacknowledged;
    state.unread = waiting(descriptor, SIOCINQ);
    state.silent = std::chrono::milliseconds(info.tcpi_last_ack_recv);
    return state;
}

void reset_tcp(int descriptor) {
    sockaddr nobody{};
    nobody.sa_family = AF_UNSPEC;
    (void)::connect(descriptor, &nobody, sizeof nobody);
}

void reset_tcp_when_closed(int descriptor) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    (void)::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

}  // namespace pomona::io
