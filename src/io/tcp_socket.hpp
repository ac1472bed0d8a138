// TCP over IPv4: a port that takes connections, and what the kernel knows of one connection.
#pragma once

#include "io/descriptor.hpp"

#include <pomona/base/addresses.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <utility>

namespace pomona::io {

/// A connection that came in: non-blocking.
struct TcpArrival {
    Descriptor descriptor;
    base::Endpoint from;
    base::Endpoint to;
};

class TcpListener {
  public:
    /// Takes connections to `local`. The error is an errno value.
    static std::expected<TcpListener, int> open(const base::Endpoint& local);

    [[nodiscard]] int descriptor() const { return descriptor_.get(); }
    /// The local port, 0 if unknown.
    [[nodiscard]] std::uint16_t port() const;

    /// The next connection, or errno (EAGAIN when there is none).
    [[nodiscard]] std::expected<TcpArrival, int> accept() const;

  private:
    explicit TcpListener(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

    Descriptor descriptor_;
};

/// What the kernel knows of a connection, open or just ended.
struct TcpState {
    bool open = false;                   ///< false: ended by a reset, or by both
    bool peer_finished = false;          ///< the peer has sent FIN
    bool peer_takes_none = false;        ///< its window is 0
    bool finishing = false;              ///< our FIN is not acknowledged yet
    std::uint64_t acknowledged = 0;      ///< octets of ours that the peer has, since the start
    std::uint64_t received = 0;          ///< octets that came from the peer, since the start
    std::size_t unacknowledged = 0;      ///< octets that were given to the kernel and not acknowledged
    std::size_t unread = 0;              ///< octets from the peer that wait to be read
    std::chrono::milliseconds silent{};  ///< since the peer last acknowledged something
};

/// All zero if it is no TCP socket.
TcpState tcp_state(int descriptor);

/// Ends the connection at once with a reset. The descriptor stays open, and useless.
void reset_tcp(int descriptor);

/// Lets a later close() end the connection with a reset instead of FIN. What is on its way is lost.
void reset_tcp_when_closed(int descriptor);

}  // namespace pomona::io
