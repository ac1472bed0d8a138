#include <pomona/model/address_book.hpp>

#include <algorithm>

namespace pomona::model {

bool HeldAddress::is_fresh(TimePoint now, std::chrono::seconds lifetime) const {
    return now - last_seen <= lifetime && (!lease_end || now < *lease_end);
}

void AddressBook::note(const Sighting& sighting, const std::string& interface, TimePoint now) {
    const auto known = machines_.find(sighting.mac);
    switch (sighting.kind) {
        case Sighting::Kind::gives_up:
            if (known != machines_.end() && known->second.address == sighting.address) erase(known);
            return;
        case Sighting::Kind::denied:
            if (known != machines_.end()) erase(known);
            return;
        case Sighting::Kind::holds:
        case Sighting::Kind::asks:
        case Sighting::Kind::granted:
            break;
    }
    // What a Mac repeats, as it does with every LIST, changes its age at the most.
    const Place place{.interface = interface, .relay = sighting.relay};
    if (known != machines_.end() && sighting.kind == Sighting::Kind::holds &&
        known->second.address == sighting.address && known->second.place == place) {
        known->second.contested_by.reset();
        touch(known, now);
        return;
    }
    take_from_others(sighting.mac, sighting.address, interface);
    if (!sighting.apple && known == machines_.end()) return;

    HeldAddress& held = entry(sighting.mac, sighting.address, now);
    held.contested_by.reset();
    // An ACK comes from the server's side, where giaddr is that of the request too.
    held.place = place;
    if (sighting.facts) held.facts = sighting.facts;
    if (sighting.kind == Sighting::Kind::granted) {
        held.lease_end.reset();
        if (sighting.lease) held.lease_end = now + *sighting.lease;
    }
}

void AddressBook::remember(base::MacAddress mac, base::Ipv4Address address, TimePoint last_seen) {
    const auto known = machines_.find(mac);
    if (known != machines_.end() && known->second.last_seen >= last_seen) return;
    entry(mac, address, last_seen);
}

void AddressBook::contest(base::MacAddress mac, base::Ipv4Address address, base::MacAddress other) {
    const auto known = machines_.find(mac);
    if (known != machines_.end() && known->second.address == address) known->second.contested_by = other;
}

const HeldAddress* AddressBook::find(base::MacAddress mac) const {
    const auto found = machines_.find(mac);
    return found == machines_.end() ? nullptr : &found->second;
}

bool AddressBook::is_held_by_another(base::MacAddress mac, base::Ipv4Address address) const {
    for (auto at = by_address_.lower_bound({address, base::MacAddress()});
         at != by_address_.end() && at->first == address; ++at) {
        if (at->second != mac) return true;
    }
    return false;
}

/// The machine's entry with this address, new or brought up to date.
HeldAddress& AddressBook::entry(base::MacAddress mac, base::Ipv4Address address, TimePoint now) {
    auto at = machines_.find(mac);
    if (at == machines_.end()) {
        if (machines_.size() >= max_machines_ && !by_age_.empty()) {
            erase(machines_.find(by_age_.begin()->second));
        }
        at = machines_.emplace(mac, HeldAddress{}).first;
    } else {
        by_age_.erase({at->second.last_seen, mac});
        by_address_.erase({at->second.address, mac});
        // What was said of the old address does not hold for a new one.
        if (at->second.address != address) at->second = {};
    }
    at->second.address = address;
    at->second.last_seen = now;
    by_age_.emplace(now, mac);
    by_address_.emplace(address, mac);
    return at->second;
}

void AddressBook::touch(Machines::iterator at, TimePoint now) {
    if (at->second.last_seen == now) return;
    by_age_.erase({at->second.last_seen, at->first});
    at->second.last_seen = now;
    by_age_.emplace(now, at->first);
}

void AddressBook::erase(Machines::iterator at) {
    by_age_.erase({at->second.last_seen, at->first});
    by_address_.erase({at->second.address, at->first});
    machines_.erase(at);
}

/// Two networks may use the same addresses; an entry whose network is not known any more goes in doubt.
void AddressBook::take_from_others(base::MacAddress mac, base::Ipv4Address address,
                                   const std::string& interface) {
    auto at = by_address_.lower_bound({address, base::MacAddress()});
    while (at != by_address_.end() && at->first == address) {
        const base::MacAddress other = at->second;
        ++at;
        if (other == mac) continue;
        const auto machine = machines_.find(other);
        const std::string& heard_on = machine->second.place.interface;
        if (heard_on.empty() || heard_on == interface) erase(machine);
    }
}

}  // namespace pomona::model
