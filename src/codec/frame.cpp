#include <pomona/codec/frame.hpp>

#include <algorithm>
#include <array>

namespace pomona::codec {

namespace {

constexpr std::uint16_t ethertype_ipv4 = 0x0800;
constexpr std::uint16_t ethertype_vlan = 0x8100;
constexpr std::uint8_t protocol_udp = 17;
constexpr std::uint16_t more_fragments = 0x2000;
constexpr std::uint16_t fragment_offset_mask = 0x1fff;
constexpr std::uint8_t time_to_live = 64;

/// Of the pseudo header, the UDP header (with checksum 0) and the payload.
std::uint16_t udp_checksum(const DatagramHeader& header, base::Bytes payload) {
    std::array<std::uint8_t, 20> pseudo{};
    base::ByteWriter writer(pseudo);
    const auto length = static_cast<std::uint16_t>(udp_header_size + payload.size());
    writer.u32(header.source.address.value());
    writer.u32(header.destination.address.value());
    writer.u8(0);
    writer.u8(protocol_udp);
    writer.u16(length);
    writer.u16(header.source.port);
    writer.u16(header.destination.port);
    writer.u16(length);
    writer.u16(0);
    const std::uint16_t sum = checksum_finish(checksum_add(checksum_add(0, pseudo), payload));
    return sum == 0 ? std::uint16_t{0xffff} : sum;  // 0 would mean "not computed"
}

}  // namespace

std::string_view text(FrameFault fault) {
    switch (fault) {
        case FrameFault::not_ipv4_udp:
            return "not IPv4 with UDP";
        case FrameFault::fragment:
            return "an IP fragment";
        case FrameFault::bad_header:
            return "a wrong length or header checksum";
    }
    return "";
}

std::uint32_t checksum_add(std::uint32_t sum, base::Bytes bytes) {
    std::uint64_t wide = sum;
    std::size_t i = 0;
    for (; i + 1 < bytes.size(); i += 2) {
        wide += static_cast<std::uint32_t>(bytes[i] << 8 | bytes[i + 1]);
    }
    if (i < bytes.size()) wide += static_cast<std::uint32_t>(bytes[i] << 8);
    while ((wide >> 32) != 0) wide = (wide & 0xffffffffU) + (wide >> 32);
    return static_cast<std::uint32_t>(wide);
}

std::uint16_t checksum_finish(std::uint32_t sum) {
    while ((sum >> 16) != 0) sum = (sum & 0xffffU) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

std::expected<Datagram, FrameFault> parse_frame(base::Bytes frame) {
    Datagram datagram;
    base::ByteReader link(frame);
    datagram.link_destination = base::MacAddress(link.array<6>());
    datagram.link_source = base::MacAddress(link.array<6>());
    std::uint16_t ethertype = link.u16();
    if (ethertype == ethertype_vlan) {
        const std::uint16_t vlan = link.u16() & 0x0fff;
        if (vlan != 0) datagram.vlan = vlan;
        ethertype = link.u16();
    }
    if (!link.ok() || ethertype != ethertype_ipv4) return std::unexpected(FrameFault::not_ipv4_udp);

    const base::Bytes packet = link.rest();
    base::ByteReader ip(packet);
    const std::uint8_t version_and_length = ip.u8();
    ip.skip(1);
    const std::size_t total_length = ip.u16();
    ip.skip(2);
    const std::uint16_t fragment = ip.u16();
    ip.skip(1);
    const std::uint8_t protocol = ip.u8();
    ip.skip(2);
    datagram.source.address = base::Ipv4Address(ip.u32());
    datagram.destination.address = base::Ipv4Address(ip.u32());
    const std::size_t header_length = std::size_t{4} * (version_and_length & 0xf);
    if (!ip.ok() || version_and_length >> 4 != 4 || header_length < ip_header_size ||
        total_length < header_length || total_length > packet.size()) {
        return std::unexpected(FrameFault::bad_header);
    }
    if (protocol != protocol_udp) return std::unexpected(FrameFault::not_ipv4_udp);
    if (checksum_finish(checksum_add(0, packet.first(header_length))) != 0) {
        return std::unexpected(FrameFault::bad_header);
    }
    if ((fragment & (more_fragments | fragment_offset_mask)) != 0) {
        return std::unexpected(FrameFault::fragment);
    }

    // Ethernet pads short frames, so the datagram ends where the IP header says.
    base::ByteReader udp(packet.subspan(header_length, total_length - header_length));
    datagram.source.port = udp.u16();
    datagram.destination.port = udp.u16();
    const std::size_t udp_length = udp.u16();
    udp.skip(2);
    if (!udp.ok() || udp_length < udp_header_size || udp_length > total_length - header_length) {
        return std::unexpected(FrameFault::bad_header);
    }
    datagram.payload = udp.bytes(udp_length - udp_header_size);
    return datagram;
}

base::Bytes PacketWriter::write_next(base::MutableBytes room, bool with_link) {
    // Every fragment but the last carries a multiple of eight octets.
    if (payload_.size() > longest_payload || mtu_ < ip_header_size + udp_header_size) return {};
    const std::size_t whole = udp_header_size + payload_.size();
    const std::size_t left = whole - offset_;
    std::size_t piece = mtu_ - ip_header_size;
    const bool last = left <= piece;
    piece = last ? left : piece / 8 * 8;

    base::ByteWriter writer(room);
    if (with_link) {
        writer.bytes(header_.link_destination.octets());
        writer.bytes(header_.link_source.octets());
        writer.u16(ethertype_ipv4);
    }
    const std::size_t ip_start = writer.size();
    writer.u8(0x45);
    writer.u8(0);
    writer.u16(static_cast<std::uint16_t>(ip_header_size + piece));
    writer.u16(header_.ip_id);
    writer.u16(static_cast<std::uint16_t>((last ? 0 : more_fragments) | offset_ / 8));
    writer.u8(time_to_live);
    writer.u8(protocol_udp);
    writer.u16(0);
    writer.u32(header_.source.address.value());
    writer.u32(header_.destination.address.value());
    if (!writer.ok()) return {};
    writer.set_u16(ip_start + 10, checksum_finish(checksum_add(0, writer.written().subspan(ip_start))));

    std::size_t from_payload = offset_ == 0 ? 0 : offset_ - udp_header_size;
    std::size_t count = piece;
    if (offset_ == 0) {
        writer.u16(header_.source.port);
        writer.u16(header_.destination.port);
        writer.u16(static_cast<std::uint16_t>(whole));
        writer.u16(udp_checksum(header_, payload_));
        count = piece - udp_header_size;
    }
    writer.bytes(payload_.subspan(from_payload, count));
    if (!writer.ok()) return {};
    offset_ += piece;
    return writer.written();
}

}  // namespace pomona::codec
