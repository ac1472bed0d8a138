// Who holds a port on this host, told by /proc: net/udp and net/tcp name the sockets, */fd the programs.
#pragma once

#include <pomona/base/addresses.hpp>

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
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
/// The same for TCP: those who take connections there.
std::vector<PortHolder> tcp_port_holders(std::uint16_t port, const std::string& proc = "/proc");

/// "dhcpd (pid 12) and dnsmasq (pid 13) have", each program once; the last word is `one` or `several`.
std::string names_of(std::span<const PortHolder> holders, std::string_view one, std::string_view several);

}  // namespace pomona::app
