// BootpHost: a fixed address that the administrator gave a machine. The tables in which people keep them.
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/base/error.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace pomona::model {

struct BootpHost {
    base::MacAddress mac;
    base::Ipv4Address address;
    /// For the file field; may be empty. At most 127 octets.
    std::string file;
    /// For option 12; may be empty.
    std::string name;

    friend bool operator==(const BootpHost&, const BootpHost&) = default;
};

/// "MAC ADDRESS [FILE]", separated by blanks. Error::what says which part is wrong.
[[nodiscard]] base::Result<BootpHost> parse_bootp_host(std::string_view text);

/// A table of hosts in one of the forms that are in use, told apart by its first meaningful line:
/// - Apple's /etc/bootptab: after a line "%%" one host per line: name, hardware type 1, MAC, address, boot
/// file;
/// - the bootptab of CMU's bootpd: "name:ht=ether:ha=0003930cb7a8:ip=10.0.1.5:bf=grub.efi:", with "tc="
/// templates;
/// - `host` blocks of ISC dhcpd's configuration: hardware ethernet, fixed-address, filename, option
/// host-name. Entries of other hardware or without an address are passed over. Error::where is "line 7".
[[nodiscard]] base::Result<std::vector<BootpHost>> parse_bootp_table(std::string_view text);

}  // namespace pomona::model
