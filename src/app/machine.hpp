// `pomona machine`: list, show, select and forget remembered machines; through the daemon while one runs, on
// its database when none does.
#pragma once

#include "app/machine_options.hpp"
#include "servers/machine_verbs.hpp"

#include <cstddef>
#include <iosfwd>
#include <string>

namespace pomona::app {

/// What of the daemon's settings the command needs.
struct MachinePlaces {
    std::string control_socket = "/run/pomona/control";
    /// The file of store::SqliteStore.
    std::string database = "/var/lib/pomona/clients.db";
    std::string machine_name_prefix = "NetBoot";
    std::size_t max_machines = 20'000;
    /// Names of images when no daemon runs; it may read the image folders only when it is called.
    servers::ImageNames images;
};

/// Returns the exit code: 0, or 1 with one line on `err` when it could not be done.
int run_machine(const MachineOptions& options, const MachinePlaces& places, std::ostream& out,
                std::ostream& err);

}  // namespace pomona::app
