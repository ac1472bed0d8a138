#include "app/probe_host.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace pomona::app {

namespace {

constexpr std::uint16_t ethertype_arp = 0x0806;
constexpr std::uint16_t arp_request = 1;
constexpr std::uint16_t arp_reply = 2;
constexpr std::size_t arp_frame_bytes = 60;
constexpr std::size_t ethernet_mtu = 1500;
constexpr int frames_at_once = 256;
constexpr int arp_attempts = 3;
// What nobody fetched is dropped: other hosts' broadcasts must not fill memory.
constexpr std::size_t queue_limit = 4096;

// A train of UDP segments that no device has cut yet arrives as one frame of up to 64 KiB: so it is between
// namespaces of one machine. The ring then has room for 255 of them.
constexpr int longest_frame = 65'600;
constexpr int ring_bytes = 16 << 20;

}  // namespace

base::Result<ProbeHost> ProbeHost::open(const std::string& interface, base::MacAddress mac,
                                        bool promiscuous) {
    const io::FramePort::Options options{
        .filter = "(ether dst " + mac.text() + " or ether broadcast) and (arp or udp)",
        .ring_bytes = ring_bytes,
        .snapshot_bytes = longest_frame,
        .promiscuous = promiscuous};
    auto port = io::FramePort::open(interface, options);
    if (!port) return std::unexpected(port.error());
    return ProbeHost(std::move(*port), mac);
}

void ProbeHost::set_address(base::Ipv4Network network, std::optional<base::Ipv4Address> router) {
    network_ = network;
    router_ = router;
}

base::Result<std::optional<base::MacAddress>> ProbeHost::who_has(base::Ipv4Address address,
                                                                 std::chrono::milliseconds wait) {
    const TimePoint until = Clock::now() + wait;
    send_arp(arp_request, base::MacAddress::broadcast(), {}, address);
    for (;;) {
        if (const auto known = neighbours_.find(address); known != neighbours_.end()) return known->second;
        if (Clock::now() >= until) return std::nullopt;
        if (auto pumped = pump(until); !pumped) return std::unexpected(pumped.error());
    }
}

base::Result<void> ProbeHost::send(std::uint16_t from_port, base::Endpoint to, base::Bytes payload) {
    base::MacAddress link = base::MacAddress::broadcast();
    if (to.address != base::Ipv4Address::broadcast()) {
        const auto found = link_address_of(to.address);
        if (!found) return std::unexpected(found.error());
        link = *found;
    }
    const codec::DatagramHeader header{.link_source = mac_,
                                       .link_destination = link,
                                       .source = {network_.address(), from_port},
                                       .destination = to,
                                       .ip_id = ip_id_++};
    std::array<std::uint8_t, codec::ethernet_header_size + ethernet_mtu> room{};
    codec::PacketWriter writer(header, payload, ethernet_mtu);
    const bool sent = writer.for_each_frame(room, [&](base::Bytes frame) { return port_.inject(frame); });
    if (!sent)
        return base::fail("The interface did not take a frame", "sending to " + to.text(), "is it up?");
    return {};
}

base::Result<std::optional<ProbeHost::Received>> ProbeHost::receive(TimePoint until) {
    for (;;) {
        if (!queue_.empty()) {
            Received received = std::move(queue_.front());
            queue_.pop_front();
            return received;
        }
        if (Clock::now() >= until) return std::nullopt;
        if (auto pumped = pump(until); !pumped) return std::unexpected(pumped.error());
    }
}

base::Result<void> ProbeHost::pump(TimePoint until) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    pollfd waiting{port_.descriptor(), POLLIN, 0};
    const int ready = poll(&waiting, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 1000)));
    if (ready < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "poll");
    if (ready <= 0) return {};
    const auto drained = port_.drain(frames_at_once, [this](base::Bytes frame) { take_frame(frame); });
    if (!drained) return std::unexpected(drained.error());
    return {};
}

void ProbeHost::take_frame(base::Bytes frame) {
    base::ByteReader reader(frame);
    reader.skip(12);
    if (reader.u16() == ethertype_arp) {
        take_arp(frame);
        return;
    }
    auto datagram = codec::parse_frame(frame);
    if (!datagram || datagram->vlan) return;
    const base::Ipv4Address to = datagram->destination.address;
    // Before it has an address, a host takes what comes to its link address: the DHCP server's answers.
    const bool ours =
        to == base::Ipv4Address::broadcast() || to == network_.address() || network_.address().is_zero();
    if (!ours || queue_.size() >= queue_limit) return;
    const auto offset = static_cast<std::size_t>(datagram->payload.data() - frame.data());
    const std::size_t length = datagram->payload.size();
    Received received{*datagram, {frame.begin(), frame.end()}};
    received.header.payload = base::Bytes(received.frame).subspan(offset, length);
    // Moving a vector keeps its octets in place, and so the view.
    queue_.push_back(std::move(received));
}

void ProbeHost::take_arp(base::Bytes frame) {
    base::ByteReader reader(frame);
    reader.skip(codec::ethernet_header_size);
    if (reader.u16() != 1 || reader.u16() != 0x0800 || reader.u8() != 6 || reader.u8() != 4) return;
    const std::uint16_t operation = reader.u16();
    const base::MacAddress sender_mac(reader.array<6>());
    const base::Ipv4Address sender(reader.u32());
    reader.skip(6);
    const base::Ipv4Address target(reader.u32());
    if (!reader.ok() || sender_mac == mac_) return;
    if (operation == arp_reply) {
        neighbours_[sender] = sender_mac;
    } else if (operation == arp_request && target == network_.address() && !target.is_zero()) {
        neighbours_[sender] = sender_mac;
        send_arp(arp_reply, sender_mac, sender_mac, sender);
    }
}

void ProbeHost::send_arp(std::uint16_t operation, base::MacAddress to, base::MacAddress target_mac,
                         base::Ipv4Address target) {
    std::array<std::uint8_t, arp_frame_bytes> frame{};
    base::ByteWriter writer(frame);
    writer.bytes(to.octets());
    writer.bytes(mac_.octets());
    writer.u16(ethertype_arp);
    writer.u16(1);
    writer.u16(0x0800);
    writer.u8(6);
    writer.u8(4);
    writer.u16(operation);
    writer.bytes(mac_.octets());
    writer.u32(network_.address().value());
    writer.bytes(target_mac.octets());
    writer.u32(target.value());
    // A lost request is asked again, a lost reply too, by the other side.
    (void)port_.inject(frame);
}

base::Result<base::MacAddress> ProbeHost::link_address_of(base::Ipv4Address address) {
    base::Ipv4Address hop = address;
    if (!network_.contains(address)) {
        if (!router_) {
            return base::fail("It lies outside " + network_.text() + " and no router is known",
                              "sending to " + address.text(), "name one with --router");
        }
        hop = *router_;
    }
    if (const auto known = neighbours_.find(hop); known != neighbours_.end()) return known->second;
    for (int attempt = 0; attempt < arp_attempts; ++attempt) {
        const auto answer = who_has(hop, std::chrono::seconds(1));
        if (!answer) return std::unexpected(answer.error());
        if (*answer) return **answer;
    }
    return base::fail("Nobody on the link answers for " + hop.text() + " (ARP)",
                      "sending to " + address.text());
}

}  // namespace pomona::app
