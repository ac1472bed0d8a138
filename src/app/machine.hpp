// `pomona machine`: list, show, select and forget remembered machines; through the daemon while one runs, on
// its database when none does.
#pragma once

#include "app/machine_options.hpp"
#include "servers/machine_verbs.hpp"

#include <pomona/base/addresses.hpp>

#include <cstddef>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>

namespace pomona::app {

/// By the interfaces of this host: the address on the Mac's own network, else the first of a network card.
std::optional<base::Ipv4Address> server_address_for(base::Ipv4Address mac);

/// What of the daemon's settings the command needs.
struct MachinePlaces {
    std::string control_socket = "/run/pomona/control";
    /// The file of store::SqliteStore.
    std::string database = "/var/lib/pomona/clients.db";
    std::string machine_name_prefix = "NetBoot";
    std::size_t max_machines = 20'000;
    /// Names of images when no daemon runs; it may read the image folders only when it is called.
    servers::ImageNames images;
    /// Our address on the network of a Mac with that address (zero: not known); nullopt if we have none.
    std::function<std::optional<base::Ipv4Address>(base::Ipv4Address mac)> server_address =
        server_address_for;
};

/// Returns the exit code: 0, or 1 with one line on `err` when it could not be done.
int run_machine(const MachineOptions& options, const MachinePlaces& places, std::ostream& out,
                std::ostream& err);

}  // namespace pomona::app
