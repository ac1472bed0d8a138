// Puts packets together octet by octet, right or wrong, without the writers that are being tested.
#pragma once

#include "support/hex_fixture.hpp"

#include <pomona/base/bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace pomona::tests {

/// All of them one after the other.
Payload join(std::initializer_list<Payload> parts);
Payload octets(std::string_view text);
/// Tag, length and value; the length is taken from the value.
Payload tlv(std::uint8_t tag, const Payload& value);
Payload be16(std::uint16_t value);
Payload be32(std::uint32_t value);

/// The 236 octets in front of the vendor area: a request from 40:6c:8f:37:95:27 at 10.0.1.32, xid 0x1a2b3c02.
Payload bootp_fixed_part();
/// The fixed part, the cookie and then these octets as they are.
Payload dhcp_message(const Payload& options);
/// A DHCP message whose only options are these instances of option 43, in order, and 255.
Payload message_with_vendor_options(std::initializer_list<Payload> instances);

/// The Internet checksum of RFC 1071, written the slow and plain way: 0 over a field that holds the right
/// one.
std::uint16_t plain_checksum(base::Bytes bytes);

}  // namespace pomona::tests
