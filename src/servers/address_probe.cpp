#include "servers/address_probe.hpp"

#include <iterator>

namespace pomona::servers {

namespace {

/// From the choice of a Mac to the request of its loader; whoever speaks from the address meanwhile is heard.
constexpr std::chrono::seconds free_for{60};
/// Anybody may ask for an address; what waits for ARP is bounded.
constexpr std::size_t most_inquiries = 4'096;
constexpr std::size_t most_verdicts = 8;
constexpr std::size_t most_free = 16'384;

}  // namespace

AddressProbe::AddressProbe(boost::asio::io_context& loop, std::chrono::milliseconds wait, Send send)
    : timer_(loop), wait_(wait), send_(std::move(send)) {}

bool AddressProbe::ask(const std::string& interface, base::MacAddress from, base::Ipv4Address address,
                       base::MacAddress holder, Verdict verdict) {
    const Clock::time_point now = Clock::now();
    const Key key{address, interface};
    if (const auto known = free_.find({key, holder}); known != free_.end()) {
        if (now < known->second) {
            verdict(std::nullopt);
            return true;
        }
        free_.erase(known);
    }
    if (const auto running = open_.find(key); running != open_.end() && running->second.holder == holder) {
        // Each repetition is answered, as the client may have changed its xid.
        if (running->second.verdicts.size() < most_verdicts)
            running->second.verdicts.push_back(std::move(verdict));
        return true;
    }
    if (open_.size() >= most_inquiries || open_.contains(key)) return false;
    if (!send_(interface, codec::write_arp_probe(from, address))) {
        verdict(std::nullopt);
        return true;
    }
    const Clock::time_point end = now + wait_;
    open_.emplace(key, Inquiry{.holder = holder, .end = end, .verdicts = {std::move(verdict)}});
    ends_.emplace_back(end, key);
    if (!waiting_) wake_up();
    return true;
}

void AddressProbe::hear(const std::string& interface, const codec::ArpClaim& claim) {
    const Key key{claim.address, interface};
    for (auto at = free_.lower_bound({key, base::MacAddress()});
         at != free_.end() && at->first.first == key;) {
        at = at->first.second == claim.owner ? std::next(at) : free_.erase(at);
    }
    const auto running = open_.find(key);
    if (running != open_.end() && running->second.holder != claim.owner) settle(running, claim.owner);
}

void AddressProbe::settle(std::map<Key, Inquiry>::iterator at, std::optional<base::MacAddress> other) {
    if (!other) {
        if (free_.size() >= most_free) free_.clear();
        free_[{at->first, at->second.holder}] = Clock::now() + free_for;
    }
    // A verdict may ask for the next address.
    const auto verdicts = std::move(at->second.verdicts);
    open_.erase(at);
    for (const Verdict& verdict : verdicts) verdict(other);
}

void AddressProbe::wake_up() {
    waiting_ = !ends_.empty();
    if (!waiting_) return;
    timer_.expires_at(ends_.front().first);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) tick();
    });
}

void AddressProbe::tick() {
    const Clock::time_point now = Clock::now();
    while (!ends_.empty() && ends_.front().first <= now) {
        const auto [end, key] = std::move(ends_.front());
        ends_.pop_front();
        // Settled early, it may be open again with a later end.
        const auto at = open_.find(key);
        if (at != open_.end() && at->second.end == end) settle(at, std::nullopt);
    }
    wake_up();
}

}  // namespace pomona::servers
