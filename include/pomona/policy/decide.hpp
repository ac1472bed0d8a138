// From a request to the policy that owns it.
#pragma once

#include <pomona/policy/decision.hpp>
#include <pomona/policy/request.hpp>
#include <pomona/policy/situation.hpp>

namespace pomona::policy {

Decision decide(const Request& request, const Situation& situation);

}  // namespace pomona::policy
