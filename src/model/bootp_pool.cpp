#include <pomona/model/bootp_pool.hpp>

#include <algorithm>
#include <utility>

namespace pomona::model {

namespace {

constexpr std::uint32_t most_addresses = 4'096;

bool is_host(base::Ipv4Address address) {
    return address.value() >> 24U != 0 && !address.is_loopback() && !address.is_multicast() &&
           address.value() >> 28U != 0xf;
}

}  // namespace

bool is_host_of(const base::Ipv4Network& network, base::Ipv4Address address) {
    if (!network.contains(address)) return false;
    const std::uint32_t host_part = ~network.mask().value();
    const std::uint32_t host = address.value() & host_part;
    return network.prefix_length() >= 31 || (host != 0 && host != host_part);
}

base::Result<AddressRange> parse_address_range(std::string_view text) {
    const std::size_t dash = std::min(text.find('-'), text.size());
    const auto low = base::Ipv4Address::parse(text.substr(0, dash));
    const auto high = dash == text.size() ? low : base::Ipv4Address::parse(text.substr(dash + 1));
    if (!low || !high || !is_host(*low) || !is_host(*high) || *high < *low) {
        return base::fail("'" + std::string(text) + "' is no range of addresses", {},
                          "write it like 10.0.1.200-10.0.1.220");
    }
    if (high->value() - low->value() >= most_addresses) {
        return base::fail("'" + std::string(text) + "' holds more than 4096 addresses", {},
                          "name a smaller range");
    }
    return AddressRange{.low = *low, .high = *high};
}

BootpPool::BootpPool(std::vector<AddressRange> ranges) : ranges_(std::move(ranges)) {
    for (const AddressRange& range : ranges_) {
        for (std::uint32_t value = range.low.value(); value <= range.high.value(); ++value) {
            unheld_.emplace_hint(unheld_.end(), value);
        }
    }
}

bool BootpPool::contains(base::Ipv4Address address) const {
    return std::ranges::any_of(ranges_,
                               [address](const AddressRange& range) { return range.contains(address); });
}

bool BootpPool::is_taboo(base::Ipv4Address address, TimePoint now) const {
    const auto found = taboo_until_.find(address);
    return found != taboo_until_.end() && now < found->second;
}

void BootpPool::load(const std::vector<PoolLease>& leases) {
    std::vector<PoolLease> in_order = leases;
    std::ranges::sort(in_order, {}, &PoolLease::given);
    for (const PoolLease& lease : in_order) {
        if (contains(lease.address)) give(lease.mac, lease.address, lease.given);
    }
}

std::optional<base::Ipv4Address> BootpPool::address_for(
    base::MacAddress mac, const base::Ipv4Network& link, TimePoint now,
    const std::function<bool(base::Ipv4Address)>& usable) const {
    const auto fits = [&](base::Ipv4Address address) {
        return is_host_of(link, address) && !is_taboo(address, now) && usable(address);
    };
    if (const auto own = by_mac_.find(mac); own != by_mac_.end() && fits(own->second.address)) {
        return own->second.address;
    }
    const base::Ipv4Address first(link.address().value() & link.mask().value());
    for (auto at = unheld_.lower_bound(first); at != unheld_.end() && link.contains(*at); ++at) {
        if (fits(*at)) return *at;
    }
    for (const auto& [given, holder] : by_age_) {
        if (now - given <= hold) break;
        const base::Ipv4Address address = by_mac_.at(holder).address;
        if (fits(address)) return address;
    }
    return std::nullopt;
}

PoolLease BootpPool::give(base::MacAddress mac, base::Ipv4Address address, TimePoint now) {
    if (const auto holder = holders_.find(address); holder != holders_.end() && holder->second != mac) {
        erase(base::MacAddress(holder->second));
    }
    erase(mac);
    const PoolLease lease{.mac = mac, .address = address, .given = now};
    by_mac_.emplace(mac, lease);
    holders_.emplace(address, mac);
    unheld_.erase(address);
    by_age_.emplace(now, mac);
    return lease;
}

bool BootpPool::avoid(base::Ipv4Address address, TimePoint now) {
    if (!contains(address)) return false;
    taboo_until_[address] = now + taboo;
    return true;
}

void BootpPool::erase(base::MacAddress mac) {
    const auto found = by_mac_.find(mac);
    if (found == by_mac_.end()) return;
    holders_.erase(found->second.address);
    unheld_.insert(found->second.address);
    by_age_.erase({found->second.given, mac});
    by_mac_.erase(found);
}

}  // namespace pomona::model
