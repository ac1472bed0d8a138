#include <pomona/model/bootp_host.hpp>

#include <sstream>

namespace pomona::model {

base::Result<BootpHost> parse_bootp_host(std::string_view text) {
    std::istringstream words{std::string(text)};
    std::string mac;
    std::string address;
    BootpHost host;
    words >> mac >> address >> host.file;
    const auto parsed_mac = base::MacAddress::parse(mac);
    const auto parsed_address = base::Ipv4Address::parse(address);
    if (!parsed_mac || !parsed_address) return base::fail("no host", {}, "write MAC ADDRESS [FILE]");
    host.mac = *parsed_mac;
    host.address = *parsed_address;
    return host;
}

}  // namespace pomona::model
