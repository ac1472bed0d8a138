// Who holds a UDP port on this host, told by /proc: net/udp names the sockets, */fd the programs.
#pragma once

#include <pomona/base/addresses.hpp>

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace pomona::app {

struct PortHolder {
    /// As the kernel has it (at most 15 bytes); empty if it cannot be seen without root, or from this
    /// container.
    std::string program;
    pid_t pid = 0;
    /// Zero: every address; also for sockets of IPv6, which take IPv4 as well.
    base::Ipv4Address address;

    friend bool operator==(const PortHolder&, const PortHolder&) = default;
};

/// One entry per program and address, in the order of pids. `proc` is replaceable for tests.
std::vector<PortHolder> udp_port_holders(std::uint16_t port, const std::string& proc = "/proc");

}  // namespace pomona::app
