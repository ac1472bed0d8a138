// `pomona probe`: a Mac for people without one. It asks for an address, lists all boot servers and their
// images as Startup Disk would, chooses one and fetches its boot file.
#pragma once

#include "app/probe_options.hpp"

#include <iosfwd>

namespace pomona::app {

/// Says what happens line by line with the seconds since the start, or one JSON document at the end. Exit
/// code 0 when every step asked for succeeded; otherwise 1, and the last line (or the key "failure") says
/// why. Warnings do not count as failures.
int run_probe(const ProbeOptions& options, std::ostream& out);

}  // namespace pomona::app
