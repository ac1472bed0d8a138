// LeaseBorrower: asks the site's DHCP server for an address on behalf of a machine that can only speak BOOTP,
// as a relay agent does (RFC 2131, RFC 1542), keeps the lease while the machine loads, and gives it back.
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/codec/dhcp.hpp>
#include <pomona/model/address_book.hpp>
#include <pomona/model/client.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pomona::policy {

/// A message for the DHCP server.
struct BorrowMessage {
    std::string interface;
    /// Our address there, which is giaddr and the packet's source.
    base::Ipv4Address from;
    /// Everybody on the link, since a server on this very host hears it that way only, or the one server that
    /// the administrator named.
    base::Ipv4Address to = base::Ipv4Address::broadcast();
    std::vector<std::uint8_t> octets;
};

/// What happened to a loan.
struct BorrowEvent {
    enum class Kind : std::uint8_t {
        granted,   ///< the machine can be answered now
        refused,   ///< no server offers anything, or it took its offer back; asked again after a while
        returned,  ///< RELEASE went out
        lost,      ///< the server did not prolong it
        declined,  ///< another host uses the address; DECLINE went out
    };
    Kind kind = Kind::granted;
    base::MacAddress mac;
    base::Ipv4Address address;
    base::Ipv4Address server;
    /// For `refused`, in words.
    std::string_view why;
};

struct BorrowStep {
    std::vector<BorrowMessage> send;
    std::vector<BorrowEvent> events;
};

class LeaseBorrower {
  public:
    struct Options {
        /// How long a lease is kept after the machine's last request.
        std::chrono::seconds keep{600};
        std::size_t most_loans = 1'024;
        base::Ipv4Address server = base::Ipv4Address::broadcast();
        /// After a refusal.
        std::chrono::seconds pause{30};
    };

    explicit LeaseBorrower(Options options) : options_(options) {}

    /// The machine asks and needs an address in this network of ours. Begins a loan, or prolongs the one
    /// there is. `xid` names the loan to the server.
    BorrowStep want(base::MacAddress mac, const std::string& interface, const base::Ipv4Network& network,
                    std::uint32_t xid, model::TimePoint now);
    /// A message to a relay agent at one of our addresses. Others' are passed over.
    BorrowStep on_reply(const codec::DhcpView& message, model::TimePoint now);
    /// To be called at next_time(), or later.
    BorrowStep on_time(model::TimePoint now);
    /// Another host answered for the lent address: the server is told (DECLINE), and asked for another one, a
    /// few times. Nothing if the machine has no such loan.
    BorrowStep decline(base::MacAddress mac, base::Ipv4Address address, model::TimePoint now);
    /// Every lease goes back; at the end.
    BorrowStep return_all(model::TimePoint now);

    /// The address that a machine may have now; nullptr if none.
    [[nodiscard]] const model::HeldAddress* find(base::MacAddress mac) const;
    /// Is a server being asked for the machine? A request that waits for it is answered in the end.
    [[nodiscard]] bool is_asking(base::MacAddress mac) const;
    /// Is the machine's loan refused at the moment, or is there no room for one?
    [[nodiscard]] bool is_refused(base::MacAddress mac, model::TimePoint now) const;
    [[nodiscard]] std::optional<model::TimePoint> next_time() const;

  private:
    enum class State : std::uint8_t { discovering, requesting, bound, renewing, refused };
    struct Loan {
        State state = State::discovering;
        std::string interface;
        base::Ipv4Network network;
        std::uint32_t xid = 0;
        base::Ipv4Address server;
        model::HeldAddress held;
        unsigned tries = 0;
        unsigned declined = 0;
        model::TimePoint next{};
        model::TimePoint last_wanted{};
        model::TimePoint renew_at{};
    };
    using Loans = std::map<base::MacAddress, Loan>;

    void transmit(base::MacAddress mac, Loan& loan, codec::DhcpType type, BorrowStep& step) const;
    void refuse(base::MacAddress mac, Loan& loan, std::string_view why, model::TimePoint now,
                BorrowStep& step) const;
    void take(base::MacAddress mac, Loan& loan, const codec::DhcpView& ack, model::TimePoint now,
              BorrowStep& step) const;
    void give_back(base::MacAddress mac, Loan& loan, BorrowStep& step) const;
    /// False when the loan is over.
    bool tick(base::MacAddress mac, Loan& loan, model::TimePoint now, BorrowStep& step) const;

    Options options_;
    Loans loans_;
};

}  // namespace pomona::policy
