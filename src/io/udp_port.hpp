// Two small things about UDP port 67 that a capture port does not do: hold the port silently so that the
// kernel sends no ICMP errors, and send IPv4 packets that the kernel routes.
#pragma once

#include "io/descriptor.hpp"

#include <pomona/base/bytes.hpp>
#include <pomona/base/error.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace pomona::io {

/// A UDP port held open without ever receiving: a filter in the kernel drops everything, nobody is told so.
class HeldUdpPort {
  public:
    /// An error when another program holds the port (which is fine: then no ICMP is sent either).
    static base::Result<HeldUdpPort> hold(std::uint16_t port);

  private:
    explicit HeldUdpPort(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

    Descriptor descriptor_;
};

/// Sends whole IPv4 packets (header included), each no longer than the way's MTU; the kernel chooses the
/// route.
class RoutedSender {
  public:
    static base::Result<RoutedSender> open();

    /// `packet` begins with its IPv4 header. The error says "no route" and the like in words.
    base::Result<void> send(base::Bytes packet);
    /// To the link of one interface, broadcasts too; servers on this host that listen there get it as well.
    base::Result<void> send_on(unsigned interface_index, base::Bytes packet);

  private:
    base::Result<void> send_with(base::Bytes packet, const void* control, std::size_t control_size);

    explicit RoutedSender(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

    Descriptor descriptor_;
};

}  // namespace pomona::io
