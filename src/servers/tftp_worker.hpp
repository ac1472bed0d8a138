// One thread's share of the TFTP server: its transfers, their sockets and deadlines, around one epoll loop.
#pragma once

#include "io/udp_socket.hpp"
#include "servers/tftp_blocks.hpp"
#include "servers/tftp_server.hpp"

#include <pomona/base/shared_state.hpp>
#include <pomona/policy/tftp_transfer.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

namespace pomona::servers {

/// What the workers of one server have in common.
struct TftpShared {
    explicit TftpShared(TftpServerOptions given, std::shared_ptr<const Content> first)
        : options(std::move(given)), content(std::move(first)) {}

    const TftpServerOptions options;
    base::Snapshot<Content> content;
    std::vector<io::UdpSocket> listeners;  ///< read by the first worker; any worker answers over them

    struct {
        std::atomic<std::uint64_t> requests, running, completed, refused, failed, bytes, retransmissions,
            ignored, trains_refused;
    } counters{};
};

class TftpWorker {
  public:
    using Clock = std::chrono::steady_clock;

    /// A datagram for the port, with the listener it came in by.
    struct Request {
        std::size_t listener = 0;
        io::UdpRoute answer;  ///< from the address asked back to the sender
        std::vector<std::uint8_t> octets;
    };

    /// Throws std::system_error when the kernel gives no epoll instance.
    explicit TftpWorker(TftpShared& shared);
    ~TftpWorker();
    TftpWorker(const TftpWorker&) = delete;
    TftpWorker& operator=(const TftpWorker&) = delete;

    /// Those that share the work; requests are dealt out by client address. Only for the one that listens.
    void deal_to(std::vector<TftpWorker*> workers);

    /// Hands over a request, from any thread.
    void post(Request request);

    /// Until stopped.
    void run(const std::stop_token& stop);

  private:
    struct Transfer;
    using Slot = std::uint32_t;

    void wait_and_handle();
    void listen(std::size_t listener);
    void accept(std::size_t listener, const io::UdpArrival& arrival, base::Bytes packet,
                Clock::time_point now);
    void handle_request(std::size_t listener, const io::UdpRoute& answer, base::Bytes packet,
                        Clock::time_point now);
    void handle_posted();
    void begin(std::size_t listener, const io::UdpRoute& answer, base::Bytes packet,
               const codec::TftpRequest& request, Clock::time_point now);
    void handle_socket(Slot slot, Clock::time_point now);
    void handle_packet(Slot slot, base::Bytes packet, Clock::time_point now);
    void handle_deadlines(Clock::time_point now);

    void carry_out(Slot slot, const policy::TftpStep& step, Clock::time_point now);
    /// False if the transfer ended.
    bool send_blocks(Slot slot, Clock::time_point now);
    void send_control(Transfer& transfer, base::Bytes packet);
    void send_error(Transfer& transfer, codec::TftpErrorCode code, std::string_view message);
    void schedule(Slot slot);
    void finish(Slot slot, TftpEnd end, std::string detail);
    void refuse(std::size_t listener, const io::UdpRoute& answer, codec::TftpErrorCode code,
                std::string_view message, TftpReport refusal);
    void report(const TftpReport& ended);
    std::optional<io::UdpSocket> open_socket(const io::UdpRoute& answer, std::string& problem);
    Slot free_slot();

    TftpShared& shared_;
    io::Descriptor epoll_;
    io::Descriptor wake_;
    std::atomic<bool> stopping_ = false;
    std::vector<TftpWorker*> workers_;
    base::Guarded<std::vector<Request>> posted_;

    std::vector<std::unique_ptr<Transfer>> transfers_;
    std::vector<std::uint32_t>
        generations_;  ///< per slot, so that an event of its former owner is recognised
    std::vector<Slot> free_;
    std::unordered_map<std::uint64_t, Slot> by_client_;  ///< address and port
    std::unordered_map<std::uint32_t, std::size_t> per_address_;

    struct Deadline {
        Clock::time_point at;
        Slot slot = 0;
        std::uint32_t generation = 0;
        bool operator>(const Deadline& other) const { return at > other.at; }
    };
    std::priority_queue<Deadline, std::vector<Deadline>, std::greater<>> deadlines_;

    std::minstd_rand random_{std::random_device{}()};
    std::vector<std::uint8_t> out_;  ///< the blocks that leave next; one buffer for all transfers
    std::array<std::uint8_t, 2048> in_{};
};

}  // namespace pomona::servers
