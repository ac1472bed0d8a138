// The network interfaces of this host and their IPv4 addresses, and a descriptor that says when they change.
#pragma once

#include "io/descriptor.hpp"

#include <pomona/base/addresses.hpp>

#include <string>
#include <vector>

namespace pomona::io {

struct Interface {
    std::string name;
    unsigned index = 0;
    base::MacAddress mac;
    int mtu = 1500;
    bool up = false;  ///< administratively up and with carrier
    bool loopback = false;
    bool ethernet =
        false;  ///< link type Ethernet, 802.1Q devices included; false for tunnels, PPP, WireGuard
    bool enslaved = false;  ///< member of a bridge or bond: the master is the one to serve
    /// In the kernel's order; the first is the primary one.
    std::vector<base::Ipv4Network> addresses;

    friend bool operator==(const Interface&, const Interface&) = default;
};

/// Sorted by index. Empty only when the kernel cannot be asked.
std::vector<Interface> list_interfaces();

/// Tells that links or addresses changed (rtnetlink); ask list_interfaces() then.
class InterfaceMonitor {
  public:
    /// Throws std::system_error.
    InterfaceMonitor();

    /// Readable when something changed.
    [[nodiscard]] int descriptor() const { return descriptor_.get(); }
    /// Empties the queue of messages; true if one of them was about a link or an IPv4 address.
    bool drain();

  private:
    Descriptor descriptor_;
};

}  // namespace pomona::io
