// BOOTP, DHCP and BSDP messages as lines for people: option names as the RFCs have them (2132, 3004, 4578 and
// others), BSDP sub-options by Apple's names. What stands in a message can be hostile; the lines are not.
#pragma once

#include <pomona/base/bytes.hpp>
#include <pomona/codec/frame.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace pomona::codec {

/// No message gets more lines than this; a last one says that some were left out.
inline constexpr std::size_t longest_description = 500;

/// A text from outside that may go to a terminal or into a log: printable UTF-8 stays, a backslash and a
/// double quote get a backslash, everything else (control characters, broken UTF-8, characters that turn the
/// direction of writing) becomes \xNN octet by octet.
std::string printable(std::string_view text);

/// The payload of a datagram from or to port 67 or 68, line by line: header fields that say something, then
/// every option in order. Sub-options of BSDP and images are indented by two and four blanks. Never fails:
/// what cannot be read is said at the place where it begins.
std::vector<std::string> describe(base::Bytes message);

/// "10.0.1.32:68 -> 255.255.255.255:67 (40:6c:8f:37:95:27 -> ff:ff:ff:ff:ff:ff, VLAN 42), 300 octets"
std::string describe_route(const Datagram& datagram);

}  // namespace pomona::codec
