// ProbeHost: a small IPv4 host of its own on a raw Ethernet port: ARP (RFC 826), UDP out and in. It has a MAC
// and an address of its own, so the kernel of this machine takes no part.
#pragma once

#include "io/frame_port.hpp"

#include <pomona/base/addresses.hpp>
#include <pomona/base/error.hpp>
#include <pomona/codec/frame.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace pomona::app {

class ProbeHost {
  public:
    using Clock = std::chrono::steady_clock;
    using TimePoint = Clock::time_point;

    /// A datagram that was copied out of the port.
    struct Received {
        codec::Datagram header;  ///< its payload is a view of `frame`
        std::vector<std::uint8_t> frame;
    };

    /// Sends from and listens to this link address; promiscuous unless it is the interface's.
    static base::Result<ProbeHost> open(const std::string& interface, base::MacAddress mac, bool promiscuous);

    /// From now on the host answers ARP for the address. Router: for what lies outside the network.
    void set_address(base::Ipv4Network network, std::optional<base::Ipv4Address> router);
    /// Asks the link who has the address; who answered, or nothing within `wait`.
    base::Result<std::optional<base::MacAddress>> who_has(base::Ipv4Address address,
                                                          std::chrono::milliseconds wait);

    /// Finds the link address (by ARP, waiting up to three seconds) and sends.
    base::Result<void> send(std::uint16_t from_port, base::Endpoint to, base::Bytes payload);
    /// The next datagram for us; nothing when `until` has passed. Errors: the interface went away.
    base::Result<std::optional<Received>> receive(TimePoint until);

  private:
    ProbeHost(io::FramePort port, base::MacAddress mac) : port_(std::move(port)), mac_(mac) {}

    /// Handles what waits at the port, sleeping until something does or `until` has passed.
    base::Result<void> pump(TimePoint until);
    void take_frame(base::Bytes frame);
    void take_arp(base::Bytes frame);
    void send_arp(std::uint16_t operation, base::MacAddress to, base::MacAddress target_mac,
                  base::Ipv4Address target);
    base::Result<base::MacAddress> link_address_of(base::Ipv4Address address);

    io::FramePort port_;
    base::MacAddress mac_;
    base::Ipv4Network network_;
    std::optional<base::Ipv4Address> router_;
    std::map<base::Ipv4Address, base::MacAddress> neighbours_;
    std::deque<Received> queue_;
    std::uint16_t ip_id_ = 1;
};

}  // namespace pomona::app
