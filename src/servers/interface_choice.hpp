// Which network interfaces are served, and why the others are not. Pure: the list is an argument.
#pragma once

#include "io/interfaces.hpp"

#include <span>
#include <string>
#include <vector>

namespace pomona::servers {

struct RefusedInterface {
    std::string name;
    std::string reason;  ///< "it has no IPv4 address"
    std::string remedy;  ///< may be empty
    /// It was asked for by name.
    bool wanted = false;

    friend bool operator==(const RefusedInterface&, const RefusedInterface&) = default;
};

struct InterfaceChoice {
    std::vector<io::Interface> taken;
    std::vector<RefusedInterface> refused;
};

/// With `wanted` names those alone, in that order, each once; a wanted one that is missing or cannot be
/// served is among the refused. Without, every suitable one in the order of the list: up, Ethernet, no
/// loopback, no member of a bridge or bond, with an IPv4 address. Wanted loopback is taken.
InterfaceChoice choose_interfaces(std::span<const io::Interface> all, std::span<const std::string> wanted);

}  // namespace pomona::servers
