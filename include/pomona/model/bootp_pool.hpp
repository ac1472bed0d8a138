// BootpPool: addresses of our own for machines that nobody else gives one. Off unless the administrator names
// a range.
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/base/error.hpp>
#include <pomona/model/client.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pomona::model {

/// Both ends belong to it.
struct AddressRange {
    base::Ipv4Address low;
    base::Ipv4Address high;

    [[nodiscard]] bool contains(base::Ipv4Address address) const { return low <= address && address <= high; }
    [[nodiscard]] std::string text() const { return low.text() + "-" + high.text(); }
    friend bool operator==(const AddressRange&, const AddressRange&) = default;
};

/// "10.0.1.200-10.0.1.220" or one address; at most 4096 addresses.
[[nodiscard]] base::Result<AddressRange> parse_address_range(std::string_view text);

/// In the network, and neither its own address nor its broadcast address, which a /31 has none of (RFC 3021).
[[nodiscard]] bool is_host_of(const base::Ipv4Network& network, base::Ipv4Address address);

struct PoolLease {
    base::MacAddress mac;
    base::Ipv4Address address;
    /// The last time the machine asked for it.
    TimePoint given{};

    friend bool operator==(const PoolLease&, const PoolLease&) = default;
};

class BootpPool {
  public:
    /// A machine keeps its address for that long after it asked last; then somebody else may get it.
    static constexpr std::chrono::hours hold{24};
    /// An address that another host answered for is left alone that long.
    static constexpr std::chrono::minutes taboo{30};

    explicit BootpPool(std::vector<AddressRange> ranges);

    [[nodiscard]] bool is_off() const { return ranges_.empty(); }
    /// Leases outside the ranges are passed over; of two for one address or machine the later one counts.
    void load(const std::vector<PoolLease>& leases);

    /// The machine's own address, else one that nobody ever had, else the one asked for longest ago, if its
    /// time is over; only hosts of `link` that `usable` agrees to. nullopt when there is none. A full
    /// pool says so at once: strangers ask as often as they like.
    [[nodiscard]] std::optional<base::Ipv4Address> address_for(
        base::MacAddress mac, const base::Ipv4Network& link, TimePoint now,
        const std::function<bool(base::Ipv4Address)>& usable) const;

    /// The machine has it from now on; returns the lease to be kept.
    PoolLease give(base::MacAddress mac, base::Ipv4Address address, TimePoint now);
    /// Another host uses it. True if it is one of ours.
    bool avoid(base::Ipv4Address address, TimePoint now);

    [[nodiscard]] std::size_t size() const { return by_mac_.size(); }

  private:
    [[nodiscard]] bool contains(base::Ipv4Address address) const;
    [[nodiscard]] bool is_taboo(base::Ipv4Address address, TimePoint now) const;
    void erase(base::MacAddress mac);

    std::vector<AddressRange> ranges_;
    /// Had by nobody.
    std::set<base::Ipv4Address> unheld_;
    std::map<base::MacAddress, PoolLease> by_mac_;
    std::map<base::Ipv4Address, base::MacAddress> holders_;
    std::set<std::pair<TimePoint, base::MacAddress>> by_age_;
    std::map<base::Ipv4Address, TimePoint> taboo_until_;
};

}  // namespace pomona::model
