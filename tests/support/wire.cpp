#include "support/wire.hpp"

namespace pomona::tests {

Payload join(std::initializer_list<Payload> parts) {
    Payload all;
    for (const Payload& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
}

Payload octets(std::string_view text) {
    return {text.begin(), text.end()};
}

Payload tlv(std::uint8_t tag, const Payload& value) {
    return join({{tag, static_cast<std::uint8_t>(value.size())}, value});
}

Payload be16(std::uint16_t value) {
    return {static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
}

Payload be32(std::uint32_t value) {
    return join({be16(static_cast<std::uint16_t>(value >> 16)), be16(static_cast<std::uint16_t>(value))});
}

Payload bootp_fixed_part() {
    Payload all{1, 1, 6, 0, 0x1a, 0x2b, 0x3c, 0x02, 0, 0, 0, 0, 10, 0, 1, 32};
    all.resize(28);
    all = join({all, {0x40, 0x6c, 0x8f, 0x37, 0x95, 0x27}});
    all.resize(236);
    return all;
}

Payload dhcp_message(const Payload& options) {
    return join({bootp_fixed_part(), be32(0x63825363), options});
}

Payload message_with_vendor_options(std::initializer_list<Payload> instances) {
    Payload options;
    for (const Payload& instance : instances) options = join({options, tlv(43, instance)});
    return dhcp_message(join({options, {255}}));
}

std::uint16_t plain_checksum(base::Bytes bytes) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        sum += i % 2 == 0 ? std::uint32_t{bytes[i]} << 8 : std::uint32_t{bytes[i]};
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<std::uint16_t>(~sum);
}

}  // namespace pomona::tests
