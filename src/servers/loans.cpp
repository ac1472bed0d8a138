#include "servers/loans.hpp"

#include "servers/log.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace pomona::servers {

namespace {

model::TimePoint now() {
    return std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
}

std::string_view name_of(policy::BorrowEvent::Kind kind) {
    switch (kind) {
        case policy::BorrowEvent::Kind::granted:
            return "address-borrowed";
        case policy::BorrowEvent::Kind::refused:
            return "loan-refused";
        case policy::BorrowEvent::Kind::returned:
            return "address-returned";
        case policy::BorrowEvent::Kind::lost:
            return "loan-lost";
        case policy::BorrowEvent::Kind::declined:
            return "loan-declined";
    }
    return "";
}

}  // namespace

Loans::Loans(boost::asio::io_context& loop, policy::LeaseBorrower::Options options, Send send, Again again)
    : borrower_(options), timer_(loop), send_(std::move(send)), again_(std::move(again)) {}

Loans::~Loans() {
    act(borrower_.return_all(now()));
}

void Loans::want(base::MacAddress mac, const std::string& interface, const base::Ipv4Network& network,
                 base::Bytes frame) {
    act(borrower_.want(mac, interface, network, static_cast<std::uint32_t>(random_()), now()));
    if (borrower_.is_asking(mac)) {
        waiting_[mac] = {.interface = interface, .frame = {frame.begin(), frame.end()}};
    }
    set_timer();
}

void Loans::decline(base::MacAddress mac, base::Ipv4Address address) {
    act(borrower_.decline(mac, address, now()));
    set_timer();
}

bool Loans::take(const codec::Datagram& datagram) {
    if (datagram.source.port != codec::bootp_server_port ||
        datagram.destination.port != codec::bootp_server_port) {
        return false;
    }
    const auto message = codec::DhcpView::parse(datagram.payload);
    if (!message || message->header().op != codec::bootreply) return false;
    act(borrower_.on_reply(*message, now()));
    set_timer();
    return true;
}

void Loans::act(const policy::BorrowStep& step) {
    for (const policy::BorrowMessage& message : step.send) send_(message);
    for (const policy::BorrowEvent& event : step.events) {
        using Kind = policy::BorrowEvent::Kind;
        const bool well = event.kind == Kind::granted || event.kind == Kind::returned;
        log_event(well ? Level::info : Level::warn, name_of(event.kind),
                  {{"mac", event.mac.text()},
                   {"address", event.address.text()},
                   {"server", event.server.text()},
                   {"why", event.why}});
        const auto waiting = waiting_.extract(event.mac);
        if (event.kind == Kind::granted && waiting)
            again_(waiting.mapped().interface, waiting.mapped().frame);
    }
}

void Loans::set_timer() {
    const auto next = borrower_.next_time();
    if (!next) {
        timer_.cancel();
        return;
    }
    timer_.expires_after(std::max(*next - now(), std::chrono::seconds(0)) + std::chrono::milliseconds(20));
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        act(borrower_.on_time(now()));
        set_timer();
    });
}

}  // namespace pomona::servers
