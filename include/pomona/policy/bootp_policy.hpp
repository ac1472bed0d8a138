// BOOTP for the program that a Mac has just loaded (RFC 951, 1542): GRUB asks again for the address that the
// Mac already holds, and iPXE's own DHCP has to learn where it came from. See docs/bootp.md.
#pragma once

#include <pomona/policy/decision.hpp>
#include <pomona/policy/request.hpp>
#include <pomona/policy/situation.hpp>

namespace pomona::policy {

Decision decide(const BootpRequest& request, const Situation& situation);
Decision decide(const LoaderDiscover& request, const Situation& situation);

}  // namespace pomona::policy
