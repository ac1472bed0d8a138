// AddressBook: which machine holds which address now, learned from what passes by. It never invents an
// address: every entry was given by the site's DHCP server, and goes when that server gives it to somebody
// else.
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/model/client.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace pomona::model {

/// What a machine has to know of its network besides its address (options 1, 3, 6, 12 and 15 of RFC 2132).
struct NetworkFacts {
    std::optional<base::Ipv4Address> mask;
    std::optional<base::Ipv4Address> router;
    std::vector<base::Ipv4Address> name_servers;
    std::string host_name;
    std::string domain_name;

    friend bool operator==(const NetworkFacts&, const NetworkFacts&) = default;
};

/// From where on the network a machine speaks.
struct Place {
    /// Ours, on which it was heard; empty: not known any more.
    std::string interface;
    /// giaddr of its requests; zero on the link.
    base::Ipv4Address relay;

    friend bool operator==(const Place&, const Place&) = default;
};

/// One DHCP message, seen from the side: what it says about who has which address.
struct Sighting {
    enum class Kind : std::uint8_t {
        holds,     ///< it speaks from the address (INFORM, a renewing REQUEST)
        asks,      ///< it takes the address that a DHCP server offered (REQUEST)
        granted,   ///< a DHCP server gave it (ACK)
        gives_up,  ///< RELEASE or DECLINE
        denied,    ///< a DHCP server took it away (NAK); the address is zero
    };
    Kind kind = Kind::holds;
    base::MacAddress mac;
    base::Ipv4Address address;
    base::Ipv4Address relay;
    /// Its class is a Mac's: worth an entry of its own.
    bool apple = false;
    /// Option 51 of an ACK.
    std::optional<std::chrono::seconds> lease;
    /// Of an ACK.
    std::optional<NetworkFacts> facts;

    friend bool operator==(const Sighting&, const Sighting&) = default;
};

struct HeldAddress {
    base::Ipv4Address address;
    Place place;
    /// The last sign of life at this address.
    TimePoint last_seen{};
    /// The end of the lease, if its ACK was seen.
    std::optional<TimePoint> lease_end;
    std::optional<NetworkFacts> facts;
    /// Who else answered when the address was asked for.
    std::optional<base::MacAddress> contested_by;

    /// Not past `lifetime` since the last sign of life, nor past the lease.
    [[nodiscard]] bool is_fresh(TimePoint now, std::chrono::seconds lifetime) const;
    friend bool operator==(const HeldAddress&, const HeldAddress&) = default;
};

/// Bounded: when full, the machine that was seen longest ago goes.
class AddressBook {
  public:
    explicit AddressBook(std::size_t max_machines) : max_machines_(max_machines) {}

    /// Learns of Macs and of machines that are in the book already; of all others only that an address is
    /// theirs now, so that nobody else gets it.
    void note(const Sighting& sighting, const std::string& interface, TimePoint now);
    /// What was known before a restart.
    void remember(base::MacAddress mac, base::Ipv4Address address, TimePoint last_seen);
    /// Another host answered for the address.
    void contest(base::MacAddress mac, base::Ipv4Address address, base::MacAddress other);

    [[nodiscard]] const HeldAddress* find(base::MacAddress mac) const;
    /// Does a machine other than this one hold the address?
    [[nodiscard]] bool is_held_by_another(base::MacAddress mac, base::Ipv4Address address) const;
    [[nodiscard]] std::size_t size() const { return machines_.size(); }

  private:
    // Ordered, not hashed: the keys come from the network, and a chosen set of MACs must not make it slow.
    using Machines = std::map<base::MacAddress, HeldAddress>;

    HeldAddress& entry(base::MacAddress mac, base::Ipv4Address address, TimePoint now);
    void erase(Machines::iterator at);
    void touch(Machines::iterator at, TimePoint now);
    void take_from_others(base::MacAddress mac, base::Ipv4Address address, const std::string& interface);

    std::size_t max_machines_;
    Machines machines_;
    std::set<std::pair<base::Ipv4Address, base::MacAddress>> by_address_;
    std::set<std::pair<TimePoint, base::MacAddress>> by_age_;
};

}  // namespace pomona::model
