// What a person at the Mac does to start it from here: keys, and commands of OS X. Read in Apple's documents
// and in the source of bless, and reported by others; not tried on hardware.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace pomona::app {

/// `machine` is one of the machines that machine.show answers with. Adds "advice": "picker" (the name to look
/// for, or null), "keys", "hints" and "commands" (lists of texts), and "proof". `server` is empty if it is
/// not known.
void add_advice(nlohmann::json& machine, const std::string& server);

}  // namespace pomona::app
