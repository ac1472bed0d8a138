#include <pomona/codec/arp.hpp>

namespace pomona::codec {

namespace {

constexpr std::uint16_t ethertype_arp = 0x0806;
constexpr std::uint16_t hardware_type_ethernet = 1;
constexpr std::uint16_t ethertype_ipv4 = 0x0800;
constexpr std::uint16_t arp_request = 1;
constexpr std::uint16_t arp_reply = 2;

}  // namespace

std::optional<ArpClaim> parse_arp(base::Bytes frame) {
    base::ByteReader reader(frame);
    reader.skip(12);
    if (reader.u16() != ethertype_arp || reader.u16() != hardware_type_ethernet ||
        reader.u16() != ethertype_ipv4 || reader.u8() != 6 || reader.u8() != 4) {
        return std::nullopt;
    }
    const std::uint16_t operation = reader.u16();
    const base::MacAddress sender(reader.array<6>());
    const base::Ipv4Address address(reader.u32());
    reader.skip(10);
    if (!reader.ok() || (operation != arp_request && operation != arp_reply) || address.is_zero() ||
        sender.is_multicast()) {
        return std::nullopt;
    }
    return ArpClaim{.address = address, .owner = sender};
}

std::array<std::uint8_t, arp_frame_size> write_arp_probe(base::MacAddress from, base::Ipv4Address address) {
    std::array<std::uint8_t, arp_frame_size> frame{};
    base::ByteWriter writer(frame);
    writer.bytes(base::MacAddress::broadcast().octets());
    writer.bytes(from.octets());
    writer.u16(ethertype_arp);
    writer.u16(hardware_type_ethernet);
    writer.u16(ethertype_ipv4);
    writer.u8(6);
    writer.u8(4);
    writer.u16(arp_request);
    writer.bytes(from.octets());
    writer.u32(0);
    writer.zeros(6);
    writer.u32(address.value());
    return frame;
}

}  // namespace pomona::codec
