// BootServer: frames in, decide, frames out, on one thread. One capture port per served interface; one log
// line per decision.
#pragma once

#include "io/interfaces.hpp"
#include "store/client_registry.hpp"

#include <pomona/base/shared_state.hpp>
#include <pomona/model/catalogue.hpp>
#include <pomona/policy/decision.hpp>
#include <pomona/policy/request.hpp>
#include <pomona/policy/silence.hpp>
#include <pomona/policy/situation.hpp>

#include <boost/asio/io_context.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace pomona::servers {

class BootServer {
  public:
    struct Options {
        policy::BsdpRules rules;
        policy::BootpRules bootp;
        /// How long other hosts have to say by ARP that an address is theirs, before it is given; 0: they are
        /// not asked.
        std::chrono::milliseconds probe_wait{100};
        /// How long a borrowed address is kept after its machine asked last.
        std::chrono::seconds loan_time{600};
        /// Which DHCP server is asked for it, perhaps across a router; nullopt: whoever hears it on the link.
        std::optional<base::Ipv4Address> loan_server;
        /// Addresses of our own.
        std::vector<model::AddressRange> pool;
        /// Where the pool's leases are kept; may be empty: in memory only.
        std::string pool_file;
        /// How many machines' addresses are known at the most.
        std::size_t max_machines = 20'000;
        policy::AccessRules access;
        /// For sname; at most 63 octets.
        std::string host_name;
        /// Capture ring per interface.
        int ring_bytes = 5 << 20;
    };

    /// What happened since the start; a copy that any thread may take.
    struct Counters {
        std::uint64_t frames = 0;
        /// By policy::AnswerKind.
        std::array<std::uint64_t, policy::answer_kinds> answers{};
        /// By policy::Silence.
        std::vector<std::uint64_t> silences;
        std::uint64_t send_failures = 0;
        std::uint64_t frames_dropped = 0;
    };

    /// Everything given must outlive the server. All members but counters() belong to the loop's thread once
    /// it runs; before that, to the thread that starts it.
    BootServer(boost::asio::io_context& loop, Options options,
               const base::Snapshot<model::Catalogue>& catalogue, store::ClientRegistry& registry);
    BootServer(const BootServer&) = delete;
    BootServer& operator=(const BootServer&) = delete;
    ~BootServer();

    /// Serves exactly `wanted` from now on: opens what is new, closes what is gone, takes over changed
    /// addresses. `all` are the host's interfaces, for the set of its own addresses. An interface that cannot
    /// be opened is logged and tried again at the next call. Returns how many are open.
    std::size_t serve(const std::vector<io::Interface>& wanted, const std::vector<io::Interface>& all);

    /// Called on the loop's thread when a port lost its interface; ask for the interfaces and call serve()
    /// again.
    void on_port_lost(std::function<void()> callback);

    [[nodiscard]] Counters counters() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace pomona::servers
