// `pomona serve`: opens ports, drops privileges, builds the objects, starts the threads, and ends in order.
#pragma once

#include "app/settings.hpp"

namespace pomona::app {

/// Runs until SIGTERM or SIGINT; SIGHUP reads the images again. Returns the exit code; whatever keeps it from
/// starting was told in one line on standard error, and nothing is left half started.
int serve(const Settings& settings);

}  // namespace pomona::app
