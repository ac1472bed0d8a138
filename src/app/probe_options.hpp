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

    std::string interface;  ///< never empty
    /// The Mac's. None: a random, locally administered one, or the interface's when its address is used too.
    std::optional<base::MacAddress> mac;
    std::string model = "iMac12,1";
    std::string architecture = "i386";  ///< as in the class string: i386 or ppc
    /// Lease an address first, and give it back at the end. Exclusive with `address`.
    bool dhcp = false;
    /// The Mac's own address and network; none (and no dhcp): the first of the interface. Without a prefix
    /// (/32) that of the interface's network around it counts.
    std::optional<base::Ipv4Network> address;
    /// Where packets for other networks go; none: what DHCP said, or nowhere.
    std::optional<base::Ipv4Address> router;
    std::optional<std::uint16_t> reply_port;  ///< none: 68, and nothing is said about it
    /// Upper halves of image ids; none: no filter is sent.
    std::optional<std::vector<std::uint16_t>> filter;
    Selection selection = SelectNothing{};
    bool download = false;  ///< only together with a selection
    /// How long each step waits for a first answer.
    std::chrono::milliseconds timeout{3000};
    /// How long answers of more servers are gathered after the first; firmware takes 2 to 4 seconds.
    std::chrono::milliseconds gather{2000};
    /// What the TFTP request asks for.
    std::uint16_t blksize = 1456;
    std::uint16_t windowsize = 16;
    bool json = false;
};

}  // namespace pomona::app
