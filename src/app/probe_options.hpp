// ProbeOptions: what `pomona probe` was asked to do.
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/base/boot_image_id.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace pomona::app {

struct ProbeOptions {
    /// Which image to choose after the list: none, what the servers offer as default, or this one.
    struct SelectNothing {};
    struct SelectDefault {};
    using Selection = std::variant<SelectNothing, SelectDefault, base::BootImageId>;

    std::string interface;                ///< never empty
    std::optional<base::MacAddress> mac;  ///< none: that of the interface
    std::string model = "iMac12,1";
    std::string architecture = "i386";  ///< as in the class string: i386 or ppc
    /// Lease an address first. Exclusive with `address`.
    bool dhcp = false;
    /// The Mac's own address and network; none (and no dhcp): the first of the interface.
    std::optional<base::Ipv4Network> address;
    /// Where packets for other networks go; none: what DHCP said, or nowhere.
    std::optional<base::Ipv4Address> router;
    std::optional<std::uint16_t> reply_port;  ///< none: 68, and nothing is said about it
    /// Upper halves of image ids; none: no filter is sent.
    std::optional<std::vector<std::uint16_t>> filter;
    Selection selection = SelectNothing{};
    bool download = false;  ///< only together with a selection
    std::chrono::seconds timeout{3};
    bool json = false;
};

}  // namespace pomona::app
