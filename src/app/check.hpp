// `pomona check`: what would not work, why, and what to do about it, without changing anything.
#pragma once

#include "app/port_holders.hpp"
#include "app/privileges.hpp"
#include "app/settings.hpp"
#include "io/interfaces.hpp"
#include "servers/interface_choice.hpp"

#include <cstdint>
#include <functional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pomona::app {

struct Finding {
    enum class Severity : std::uint8_t {
        ok,
        warning,  ///< it serves, but not as it could
        error     ///< it does not start, or serves nobody
    };
    Severity severity = Severity::ok;
    std::string subject;  ///< "interface eth0", "port 69"
    std::string what;
    std::string remedy;  ///< may be empty

    friend bool operator==(const Finding&, const Finding&) = default;
};

/// Checks the images below the image roots that can be read.
using ImageCheck = std::function<std::vector<Finding>(const Settings& settings)>;

/// Everything, asked of this host. Images are left out without an `images`.
std::vector<Finding> check_host(const Settings& settings, const ImageCheck& images);

/// Prints the findings of check_host; returns the exit code, 1 if one of them is an error.
int run_check(const Settings& settings, bool json, std::ostream& output, const ImageCheck& images = {});

/// --- The parts, each from what was found out about the host ---

std::vector<Finding> check_interfaces(const servers::InterfaceChoice& choice);

/// Addresses for loaders that lie in no network of the interfaces that are served: a pool is an error, a host
/// a warning.
std::vector<Finding> check_addresses(const Settings& settings, std::span<const io::Interface> served);

/// `holders` of UDP port 67. Programs named pomona count as ours.
std::vector<Finding> check_dhcp_port(std::span<const PortHolder> holders, const Settings& settings);

/// `holders` of the TFTP port.
std::vector<Finding> check_tftp_port(std::span<const PortHolder> holders, const Settings& settings);

/// `all_holders` of the HTTP port; those of other addresses than ours are passed over.
std::vector<Finding> check_http_port(std::span<const PortHolder> all_holders, const Settings& settings);

/// What this process, or the one that an administrator starts, can do.
std::vector<Finding> check_privileges(bool is_root, const Capabilities& capabilities,
                                      const Settings& settings);

/// Image roots, state-dir, tftp-root and the control socket's folder, as the user will find them.
std::vector<Finding> check_folders(const Settings& settings, const Account& account);

/// True if the listing (`nft list chains`) has an input chain that drops what no rule accepts.
bool input_is_dropped(std::string_view nft_listing);

void print_findings(std::span<const Finding> findings, bool json, std::ostream& output);

}  // namespace pomona::app
