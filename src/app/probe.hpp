// `pomona probe`: a Mac for people without one. It asks for an address, lists all boot servers and their
// images as Startup Disk would, chooses one and fetches its boot file.
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/base/boot_image_id.hpp>

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace pomona::app {

struct ProbeOptions {
    enum class Select : std::uint8_t {
        none,        ///< list only
        unattended,  ///< what firmware boots without a menu: the remembered choice, else the default
        image,       ///< `image`
    };

    std::string interface;
    /// Without one: a random, locally administered one.
    std::optional<base::MacAddress> mac;
    std::string model = "iMac12,1";
    std::string architecture = "i386";

    /// Ask a DHCP server first, as firmware does; given back at the end.
    bool dhcp = false;
    /// Otherwise: the probe's own address and its network, and the router behind which servers may be.
    std::optional<base::Ipv4Network> address;
    std::optional<base::Ipv4Address> router;

    /// Listen on this port and say so in sub-option 5, as tools do. Without: 68, as firmware.
    std::optional<std::uint16_t> reply_port;
    /// Upper halves of image ids (sub-option 11).
    std::vector<std::uint16_t> filter;

    Select select = Select::none;
    base::BootImageId image;
    /// Fetch the boot file that the answer to SELECT names.
    bool download = false;
    std::uint16_t blksize = 1456;
    std::uint16_t windowsize = 16;

    /// How long each step waits for a first answer.
    std::chrono::milliseconds timeout = std::chrono::seconds(15);
    /// How long answers of further servers are gathered after the first; firmware takes 2 to 4 seconds.
    std::chrono::milliseconds gather = std::chrono::seconds(2);

    /// One JSON document at the end instead of lines as things happen.
    bool json = false;
};

/// Exit code 0 when every step asked for succeeded; otherwise 1, and the last line (or the key "failure")
/// says why. Warnings do not count as failures.
int run_probe(const ProbeOptions& options, std::ostream& out);

}  // namespace pomona::app
