// Situation: all that a decision looks at besides the request, and the rules that the administrator set.
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/model/address_book.hpp>
#include <pomona/model/bootp_host.hpp>
#include <pomona/model/bootp_pool.hpp>
#include <pomona/model/catalogue.hpp>
#include <pomona/model/client.hpp>
#include <pomona/policy/request.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

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

/// What the administrator says about a network, for machines whose DHCP server was not overheard.
struct BootpNetwork {
    base::Ipv4Network network;
    std::optional<base::Ipv4Address> router;
    std::vector<base::Ipv4Address> name_servers;
    std::string domain_name;

    friend bool operator==(const BootpNetwork&, const BootpNetwork&) = default;
};

struct BootpRules {
    bool on = true;
    /// Answer GRUB's bare DISCOVER, too, when it comes from a Mac that was served here.
    bool answer_discover = true;
    /// How long after its last sign of life a machine is believed to hold its address, and how long after its
    /// choice a Mac counts as served here.
    std::chrono::seconds lifetime{1'800};
    std::vector<model::BootpHost> hosts;
    std::vector<BootpNetwork> networks;
    /// Ask the site's DHCP server on behalf of machines that nothing is known of.
    bool borrow = false;
};

/// References live during the call; views in the answer point into the catalogue and the request.
struct Situation {
    const ServerIdentity& identity;
    const BsdpRules& rules;
    const BootpRules& bootp;
    const model::Catalogue& catalogue;
    /// The record of this MAC and model; of a request that tells no model, the MAC's latest record.
    const std::optional<model::Client>& client;
    /// The address that this MAC is known to hold; nullptr if none.
    const model::HeldAddress* held = nullptr;
    /// The address that was borrowed for it; nullptr if none.
    const model::HeldAddress* borrowed = nullptr;
    /// No DHCP server lends one at the moment.
    bool loan_refused = false;
    /// Our own addresses and who has them; nullptr or off: none.
    const model::BootpPool* pool = nullptr;
    /// Which addresses other machines hold, so that the pool does not give them; nullptr: nobody's.
    const model::AddressBook* book = nullptr;
    std::size_t remembered_clients = 0;
    model::TimePoint now{};
};

}  // namespace pomona::policy
