#include <pomona/model/bootp_pool.hpp>
#include <pomona/policy/lease_borrower.hpp>
#include <pomona/policy/sighting.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace pomona::policy {

namespace {

using codec::DhcpType;
using codec::Option;
using model::TimePoint;
using std::chrono::seconds;

/// DISCOVER and REQUEST go out so often: at 0, 1, 3 and 7 s. A loader gives up after 12.
constexpr unsigned most_tries = 4;
/// So many addresses that others use, and it is the server that is wrong.
constexpr unsigned most_declined = 3;
/// What a server is asked for on the machine's behalf (option 55).
constexpr std::array<std::uint8_t, 5> wanted_options{1, 3, 6, 12, 15};
/// The lease that is asked for may be longer; it goes back anyway.
constexpr seconds least_lease{30};

seconds wait_after(unsigned tries) {
    return seconds(1U << std::min(tries, 6U));
}

seconds seconds_in(const codec::DhcpView& message, Option code, seconds otherwise) {
    const auto value = message.option(code);
    if (!value || value->size() != 4) return otherwise;
    return seconds(base::ByteReader(*value).u32());
}

}  // namespace

void LeaseBorrower::transmit(base::MacAddress mac, Loan& loan, DhcpType type, BorrowStep& step) const {
    codec::BootpHeader header;
    header.set_mac(mac);
    header.hops = 1;
    header.xid = loan.xid;
    header.giaddr = loan.network.address();
    // RFC 2131, table 5: a DECLINE names the address in option 50 alone.
    const bool holds =
        (loan.state == State::renewing && type != DhcpType::decline) || type == DhcpType::release;
    if (holds) header.ciaddr = loan.held.address;

    std::array<std::uint8_t, 400> room{};
    codec::DhcpWriter writer(room, header, {}, {});
    writer.option_u8(Option::message_type, static_cast<std::uint8_t>(type));
    if (type == DhcpType::decline || (type == DhcpType::request && !holds)) {
        writer.option_address(Option::requested_address, loan.held.address);
        writer.option_address(Option::server_identifier, loan.server);
    }
    if (type == DhcpType::release) {
        writer.option_address(Option::server_identifier, loan.server);
    } else if (type != DhcpType::decline) {
        writer.option(Option::parameter_request_list, wanted_options);
    }
    const base::Bytes written = writer.finish();
    step.send.push_back({.interface = loan.interface,
                         .from = loan.network.address(),
                         .to = options_.server,
                         .octets = {written.begin(), written.end()}});
}

void LeaseBorrower::refuse(base::MacAddress mac, Loan& loan, std::string_view why, TimePoint now,
                           BorrowStep& step) const {
    step.events.push_back({.kind = BorrowEvent::Kind::refused,
                           .mac = mac,
                           .address = loan.held.address,
                           .server = loan.server,
                           .why = why});
    loan.state = State::refused;
    loan.held = {};
    loan.next = now + options_.pause;
}

BorrowStep LeaseBorrower::want(base::MacAddress mac, const std::string& interface,
                               const base::Ipv4Network& network, std::uint32_t xid, TimePoint now) {
    BorrowStep step;
    if (const auto known = loans_.find(mac); known != loans_.end()) {
        known->second.last_wanted = now;
        if (known->second.state != State::refused || now < known->second.next) return step;
        loans_.erase(known);
    }
    if (loans_.size() >= options_.most_loans) return step;
    Loan& loan = loans_[mac];
    loan.interface = interface;
    loan.network = network;
    loan.xid = xid;
    loan.last_wanted = now;
    loan.tries = 1;
    loan.next = now + wait_after(0);
    transmit(mac, loan, DhcpType::discover, step);
    return step;
}

void LeaseBorrower::take(base::MacAddress mac, Loan& loan, const codec::DhcpView& ack, TimePoint now,
                         BorrowStep& step) const {
    const bool first = loan.state == State::requesting;
    const seconds lease = std::max(seconds_in(ack, Option::lease_time, least_lease), least_lease);
    loan.state = State::bound;
    loan.held.address = ack.header().yiaddr;
    loan.held.place = {.interface = loan.interface, .relay = {}};
    loan.held.last_seen = now;
    loan.held.lease_end = now + lease;
    loan.held.facts = network_facts_in(ack);
    loan.renew_at = now + lease / 2;
    loan.next = std::min(loan.renew_at, loan.last_wanted + options_.keep);
    if (first) {
        step.events.push_back({.kind = BorrowEvent::Kind::granted,
                               .mac = mac,
                               .address = loan.held.address,
                               .server = loan.server,
                               .why = {}});
    }
}

BorrowStep LeaseBorrower::on_reply(const codec::DhcpView& message, TimePoint now) {
    BorrowStep step;
    const codec::BootpHeader& header = message.header();
    const base::MacAddress mac = header.mac();
    const auto found = loans_.find(mac);
    if (header.op != codec::bootreply || message.options_fault() || !message.type() ||
        found == loans_.end() || header.xid != found->second.xid ||
        header.giaddr != found->second.network.address()) {
        return step;
    }
    Loan& loan = found->second;
    const auto server = message.option_address(Option::server_identifier);
    const bool usable =
        model::is_host_of(loan.network, header.yiaddr) && header.yiaddr != loan.network.address();
    switch (*message.type()) {
        case DhcpType::offer:
            // An offer without address is no DHCP server's, and one outside the network would be wrong on
            // this link.
            if (loan.state != State::discovering || !server || !usable) return step;
            loan.state = State::requesting;
            loan.server = *server;
            loan.held.address = header.yiaddr;
            loan.tries = 1;
            loan.next = now + wait_after(0);
            transmit(mac, loan, DhcpType::request, step);
            return step;
        case DhcpType::ack:
            if ((loan.state == State::requesting || loan.state == State::renewing) && usable &&
                (loan.state == State::renewing ? header.yiaddr == loan.held.address
                                               : server == loan.server)) {
                take(mac, loan, message, now, step);
            }
            return step;
        case DhcpType::nak:
            if (loan.state == State::requesting) {
                refuse(mac, loan, "the DHCP server took its offer back (NAK)", now, step);
            } else if (loan.state == State::renewing) {
                step.events.push_back({.kind = BorrowEvent::Kind::lost,
                                       .mac = mac,
                                       .address = loan.held.address,
                                       .server = loan.server,
                                       .why = "the DHCP server did not prolong it (NAK)"});
                loans_.erase(found);
            }
            return step;
        default:
            return step;
    }
}

void LeaseBorrower::give_back(base::MacAddress mac, Loan& loan, BorrowStep& step) const {
    transmit(mac, loan, DhcpType::release, step);
    step.events.push_back({.kind = BorrowEvent::Kind::returned,
                           .mac = mac,
                           .address = loan.held.address,
                           .server = loan.server,
                           .why = {}});
}

bool LeaseBorrower::tick(base::MacAddress mac, Loan& loan, TimePoint now, BorrowStep& step) const {
    switch (loan.state) {
        case State::refused:
            return false;
        case State::discovering:
        case State::requesting:
            if (loan.tries >= most_tries) {
                refuse(mac, loan,
                       loan.state == State::discovering
                           ? "no DHCP server offers an address of this network to a relay"
                           : "the DHCP server offered an address and then fell silent",
                       now, step);
                return true;
            }
            transmit(mac, loan, loan.state == State::discovering ? DhcpType::discover : DhcpType::request,
                     step);
            loan.next = now + wait_after(loan.tries++);
            return true;
        case State::bound:
        case State::renewing:
            break;
    }
    if (now - loan.last_wanted >= options_.keep) {
        give_back(mac, loan, step);
        return false;
    }
    if (now >= *loan.held.lease_end) {
        step.events.push_back({.kind = BorrowEvent::Kind::lost,
                               .mac = mac,
                               .address = loan.held.address,
                               .server = loan.server,
                               .why = "the DHCP server did not prolong it in time"});
        return false;
    }
    if (now >= loan.renew_at) {
        loan.state = State::renewing;
        transmit(mac, loan, DhcpType::request, step);
        // Half of what is left, as RFC 2131 says, but not in ever smaller steps.
        loan.renew_at = now + std::max((*loan.held.lease_end - now) / 2, seconds(2));
    }
    loan.next = std::min({loan.renew_at, *loan.held.lease_end, loan.last_wanted + options_.keep});
    return true;
}

BorrowStep LeaseBorrower::on_time(TimePoint now) {
    BorrowStep step;
    for (auto at = loans_.begin(); at != loans_.end();) {
        const bool over = at->second.next <= now && !tick(at->first, at->second, now, step);
        at = over ? loans_.erase(at) : std::next(at);
    }
    return step;
}

BorrowStep LeaseBorrower::decline(base::MacAddress mac, base::Ipv4Address address, TimePoint now) {
    BorrowStep step;
    const auto found = loans_.find(mac);
    if (find(mac) == nullptr || found->second.held.address != address) return step;
    Loan& loan = found->second;
    transmit(mac, loan, DhcpType::decline, step);
    step.events.push_back({.kind = BorrowEvent::Kind::declined,
                           .mac = mac,
                           .address = address,
                           .server = loan.server,
                           .why = "another host uses it"});
    if (++loan.declined >= most_declined) {
        refuse(mac, loan, "the DHCP server lends addresses that other hosts use", now, step);
        return step;
    }
    loan.state = State::discovering;
    loan.held = {};
    loan.tries = 1;
    loan.next = now + wait_after(0);
    transmit(mac, loan, DhcpType::discover, step);
    return step;
}

BorrowStep LeaseBorrower::return_all(TimePoint /*now*/) {
    BorrowStep step;
    for (auto& [mac, loan] : loans_) {
        if (loan.state == State::bound || loan.state == State::renewing) give_back(mac, loan, step);
    }
    loans_.clear();
    return step;
}

const model::HeldAddress* LeaseBorrower::find(base::MacAddress mac) const {
    const auto found = loans_.find(mac);
    const bool bound = found != loans_.end() &&
                       (found->second.state == State::bound || found->second.state == State::renewing);
    return bound ? &found->second.held : nullptr;
}

bool LeaseBorrower::is_asking(base::MacAddress mac) const {
    const auto found = loans_.find(mac);
    return found != loans_.end() &&
           (found->second.state == State::discovering || found->second.state == State::requesting);
}

bool LeaseBorrower::is_refused(base::MacAddress mac, TimePoint now) const {
    const auto found = loans_.find(mac);
    if (found == loans_.end()) return loans_.size() >= options_.most_loans;
    return found->second.state == State::refused && now < found->second.next;
}

std::optional<TimePoint> LeaseBorrower::next_time() const {
    std::optional<TimePoint> next;
    for (const auto& [mac, loan] : loans_) {
        if (!next || loan.next < *next) next = loan.next;
    }
    return next;
}

}  // namespace pomona::policy
