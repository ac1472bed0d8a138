// AddressProbe: asks by ARP whether another host uses an address before the address is given away (RFC 5227).
// On the boot thread.
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/base/bytes.hpp>
#include <pomona/codec/arp.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace pomona::servers {

class AddressProbe {
  public:
    /// How an inquiry ended: who else has the address, or nullopt if nobody answered.
    using Verdict = std::function<void(std::optional<base::MacAddress> other)>;
    /// Puts one frame on the interface's link.
    using Send = std::function<bool(const std::string& interface, base::Bytes frame)>;

    /// `wait` is how long an answer may take.
    AddressProbe(boost::asio::io_context& loop, std::chrono::milliseconds wait, Send send);

    /// `verdict` comes once: at once if the address was asked for a moment ago or the probe cannot leave (a
    /// link that takes no frame takes no answer either), otherwise when somebody answers or time is up. A
    /// claim of `holder` is none of another host. False if too many inquiries are open; then nothing happens.
    bool ask(const std::string& interface, base::MacAddress from, base::Ipv4Address address,
             base::MacAddress holder, Verdict verdict);
    /// Inquiries that wait for an answer.
    [[nodiscard]] std::size_t open() const { return open_.size(); }
    /// Seen on the interface's link.
    void hear(const std::string& interface, const codec::ArpClaim& claim);

  private:
    using Clock = std::chrono::steady_clock;
    using Key = std::pair<base::Ipv4Address, std::string>;
    struct Inquiry {
        base::MacAddress holder;
        Clock::time_point end;
        std::vector<Verdict> verdicts;
    };

    void settle(std::map<Key, Inquiry>::iterator at, std::optional<base::MacAddress> other);
    void wake_up();
    void tick();

    boost::asio::steady_timer timer_;
    std::chrono::milliseconds wait_;
    Send send_;
    std::map<Key, Inquiry> open_;
    /// Of the open ones, and of some that were settled early; in order, since all wait equally long.
    std::deque<std::pair<Clock::time_point, Key>> ends_;
    /// Asked for with no answer, and until when that counts.
    std::map<std::pair<Key, base::MacAddress>, Clock::time_point> free_;
    bool waiting_ = false;
};

}  // namespace pomona::servers
