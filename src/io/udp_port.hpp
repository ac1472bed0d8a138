// Two small things about UDP port 67 that a capture port does not do: hold the port silently so that the
// kernel sends no ICMP errors, and send IPv4 packets that the kernel routes.
#pragma once

#include <pomona/base/bytes.hpp>
#include <pomona/base/error.hpp>

#include <cstdint>

namespace pomona::io {

/// A UDP port held open without ever receiving: a filter in the kernel drops everything, nobody is told so.
class HeldUdpPort {
  public:
    /// An error when another program holds the port (which is fine: then no ICMP is sent either).
    static base::Result<HeldUdpPort> hold(std::uint16_t port);
    HeldUdpPort(HeldUdpPort&& other) noexcept;
    HeldUdpPort& operator=(HeldUdpPort&& other) noexcept;
    ~HeldUdpPort();

  private:
    explicit HeldUdpPort(int descriptor) : descriptor_(descriptor) {}
    int descriptor_ = -1;
};

/// Sends whole IPv4 packets (header included), each no longer than the way's MTU; the kernel chooses the
/// route.
class RoutedSender {
  public:
    static base::Result<RoutedSender> open();
    RoutedSender(RoutedSender&& other) noexcept;
    RoutedSender& operator=(RoutedSender&& other) noexcept;
    ~RoutedSender();

    /// `packet` begins with its IPv4 header. The error says "no route" and the like in words.
    base::Result<void> send(base::Bytes packet);

  private:
    explicit RoutedSender(int descriptor) : descriptor_(descriptor) {}
    int descriptor_ = -1;
};

}  // namespace pomona::io
