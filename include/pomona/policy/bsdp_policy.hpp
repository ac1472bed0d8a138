// LIST, SELECT, FAILED, and the answers to DISCOVER and REQUEST (Apple's BSDP document 1.0.8; where it is
// silent, Apple's server).
#pragma once

#include <pomona/model/catalogue.hpp>
#include <pomona/model/client.hpp>
#include <pomona/policy/decision.hpp>
#include <pomona/policy/request.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace pomona::policy {

struct BsdpRules {
    /// Priority in ACK[LIST] is this minus the number of remembered clients, not below 0.
    std::uint16_t priority_base = 32'768;
    /// Answer DISCOVER of a client whose choice is remembered.
    bool answer_discover = false;
    /// Repeat sname and file as options 66 and 67 when the client asks for 67.
    bool boot_file_option = false;
    /// Put the host name into sname.
    bool send_host_name = true;
};

/// All that a decision looks at besides the request. References live during the call; views in the answer
/// point into the catalogue.
struct Situation {
    const ServerIdentity& identity;
    const BsdpRules& rules;
    const model::Catalogue& catalogue;
    /// The record of this MAC and model, if there is one.
    const std::optional<model::Client>& client;
    std::size_t remembered_clients = 0;
    model::TimePoint now{};
};

/// The record's key for the sender of a request.
model::ClientKey key_of(const BsdpClient& client);

Decision decide(const Request& request, const Situation& situation);

}  // namespace pomona::policy
