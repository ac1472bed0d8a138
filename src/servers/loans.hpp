// Loans: borrowed addresses on the wire and on the clock, around policy::LeaseBorrower. On the boot thread.
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/base/bytes.hpp>
#include <pomona/codec/frame.hpp>
#include <pomona/policy/lease_borrower.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace pomona::servers {

class Loans {
  public:
    /// Puts a message on its link, from our port 67 to everybody's.
    using Send = std::function<void(const policy::BorrowMessage& message)>;
    /// The request of a machine that has an address now, to be handled once more.
    using Again = std::function<void(const std::string& interface, base::Bytes frame)>;

    Loans(boost::asio::io_context& loop, policy::LeaseBorrower::Options options, Send send, Again again);
    Loans(const Loans&) = delete;
    Loans& operator=(const Loans&) = delete;
    /// Gives back what is still on loan.
    ~Loans();

    void want(base::MacAddress mac, const std::string& interface, const base::Ipv4Network& network,
              base::Bytes frame);
    /// Another host uses the address, if it is on loan to the machine.
    void decline(base::MacAddress mac, base::Ipv4Address address);
    /// What a DHCP server says to the relay agent that we play. True if it was meant for that.
    bool take(const codec::Datagram& datagram);

    [[nodiscard]] const model::HeldAddress* find(base::MacAddress mac) const { return borrower_.find(mac); }
    [[nodiscard]] bool is_refused(base::MacAddress mac, model::TimePoint now) const {
        return borrower_.is_refused(mac, now);
    }

    /// Requests that wait for an address.
    [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

  private:
    struct Waiting {
        std::string interface;
        std::vector<std::uint8_t> frame;
    };

    void act(const policy::BorrowStep& step);
    void set_timer();

    policy::LeaseBorrower borrower_;
    boost::asio::steady_timer timer_;
    Send send_;
    Again again_;
    /// The last request of each machine that an address is asked for; as many as there are loans, at most.
    std::map<base::MacAddress, Waiting> waiting_;
    std::mt19937 random_{std::random_device{}()};
};

}  // namespace pomona::servers
