// A UDP socket over IPv4: knows the address a datagram came to, answers from it, and sends several datagrams
// of one size at once.
#pragma once

#include "io/file.hpp"

#include <pomona/base/addresses.hpp>
#include <pomona/base/bytes.hpp>

#include <cstddef>
#include <expected>
#include <utility>

namespace pomona::io {

/// A datagram that came in.
struct UdpArrival {
    std::size_t size = 0;    ///< octets in the buffer
    bool truncated = false;  ///< it was longer than the buffer
    base::Endpoint from;
    base::Ipv4Address to;     ///< our address that it was sent to
    bool to_us_alone = true;  ///< false for broadcast and multicast
};

/// Both ends of a datagram that leaves an unconnected socket.
struct UdpRoute {
    base::Ipv4Address from;
    base::Endpoint to;
};

/// How far a sending came.
struct UdpSent {
    std::size_t datagrams = 0;
    int error = 0;  ///< errno of the one that did not go, or 0
};

class UdpSocket {
  public:
    /// The most octets that the kernel takes as one train.
    static constexpr std::size_t longest_train = 65000;
    /// The most datagrams of one train.
    static constexpr std::size_t most_in_train = 64;

    UdpSocket() = default;

    /// Non-blocking, bound, reports the addresses of arrival. Datagrams longer than the MTU leave in
    /// fragments. The error is an errno value.
    static std::expected<UdpSocket, int> bind(const base::Endpoint& local);

    /// From now on only this peer's datagrams come in, and ICMP errors of the peer are reported. errno or 0.
    int connect(const base::Endpoint& peer);

    /// Room for so many octets in each direction, as far as privileges and limits of the system allow.
    void set_buffers(int octets);

    [[nodiscard]] int descriptor() const { return descriptor_.get(); }
    [[nodiscard]] explicit operator bool() const { return static_cast<bool>(descriptor_); }
    /// The local port, 0 if unknown.
    [[nodiscard]] std::uint16_t port() const;

    /// The next datagram, or errno (EAGAIN when there is none).
    std::expected<UdpArrival, int> receive(base::MutableBytes buffer);
    /// The same without addresses, for connected sockets: its size or errno.
    std::expected<std::size_t, int> receive_plain(base::MutableBytes buffer);

    /// `octets` leave as datagrams of `segment` octets each, the last perhaps shorter. `route` is null for
    /// connected sockets. With `as_train` the kernel cuts them (UDP_SEGMENT): far cheaper, but not every
    /// route can do it; see refuses_trains(). At most longest_train octets and most_in_train datagrams.
    UdpSent send(base::Bytes octets, std::size_t segment, const UdpRoute* route, bool as_train);

    /// True for errors that only mean: send them one by one.
    static bool refuses_trains(int error);

  private:
    explicit UdpSocket(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

    Descriptor descriptor_;
};

}  // namespace pomona::io
