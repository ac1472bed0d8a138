// LIST, SELECT, FAILED, and the answers to DISCOVER and REQUEST (Apple's BSDP document 1.0.8; where it is
// silent, Apple's server).
#pragma once

#include <pomona/model/client.hpp>
#include <pomona/policy/decision.hpp>
#include <pomona/policy/request.hpp>
#include <pomona/policy/situation.hpp>

namespace pomona::policy {

/// The record's key for the sender of a request.
model::ClientKey key_of(const BsdpClient& client);

Decision decide(const BsdpList& request, const Situation& situation);
Decision decide(const BsdpSelect& request, const Situation& situation);
Decision decide(const BsdpDiscover& request, const Situation& situation);
Decision decide(const BsdpAddressNote& request, const Situation& situation);

}  // namespace pomona::policy
