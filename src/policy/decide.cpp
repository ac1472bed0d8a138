#include <pomona/policy/bootp_policy.hpp>
#include <pomona/policy/bsdp_policy.hpp>
#include <pomona/policy/decide.hpp>

namespace pomona::policy {

Decision decide(const Request& request, const Situation& situation) {
    return std::visit([&](const auto& r) { return decide(r, situation); }, request);
}

}  // namespace pomona::policy
