// The TFTP server: read-only, RFC 1350 with 2347, 2348, 2349 and 7440. Opens its port first and serves later,
// so that privileges can be dropped between the two.
#pragma once

#include "servers/content.hpp"

#include <pomona/base/addresses.hpp>
#include <pomona/base/error.hpp>
#include <pomona/codec/tftp.hpp>
#include <pomona/policy/tftp_transfer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace pomona::servers {

/// How a request or transfer ended. The names of tftp_end_name() are stable.
enum class TftpEnd : std::uint8_t {
    completed,           ///< the last block was acknowledged
    completed_silently,  ///< everything was sent and the client closed its port without the last ACK
    declined,            ///< the client only wanted the size and ended with ERROR 8
    not_found,
    access_denied,  ///< leads out of the root, not a regular file, or not readable
    write_refused,
    malformed,
    option_refused,
    too_many_transfers,
    aborted,      ///< the client sent ERROR
    client_gone,  ///< the client closed its port in the middle
    timed_out,
    replaced,    ///< the same client port asked anew
    file_error,  ///< the file could not be read, or shrank
    server_error,
    server_stopped,
};

/// "completed", "not-found", ...
[[nodiscard]] std::string_view tftp_end_name(TftpEnd end);

/// A transfer that begins.
struct TftpStart {
    base::Endpoint client;
    base::Ipv4Address local;
    std::string path;  ///< as the client wrote it: any octets but NUL
    std::string file;  ///< in the file system
    std::uint64_t size = 0;
};

/// A request that was refused, or a transfer that ended.
struct TftpReport {
    base::Endpoint client;
    base::Ipv4Address local;
    std::string path;  ///< as the client wrote it: any octets but NUL; empty if the request was not readable
    std::string file;  ///< in the file system: what was sent, or what was looked for
    TftpEnd end = TftpEnd::completed;
    std::string detail;  ///< in words, may be empty: the client's error text, the reason of a refusal
    codec::TftpMode mode = codec::TftpMode::octet;
    std::uint16_t blksize = 0;
    std::uint16_t windowsize = 0;
    std::uint64_t size = 0;   ///< of the file
    std::uint64_t bytes = 0;  ///< acknowledged payload
    std::chrono::steady_clock::duration duration{};
    std::uint64_t retransmissions = 0;

    /// Octets per second, 0 when it took no measurable time.
    [[nodiscard]] double rate() const;
    /// Whether the client has what it wanted.
    [[nodiscard]] bool succeeded() const {
        return end == TftpEnd::completed || end == TftpEnd::completed_silently || end == TftpEnd::declined;
    }
};

/// Since the start of the server, except `running`.
struct TftpCounters {
    std::uint64_t requests = 0;
    std::uint64_t running = 0;
    std::uint64_t completed = 0;
    std::uint64_t refused = 0;  ///< before anything was sent
    std::uint64_t failed = 0;   ///< in the middle
    std::uint64_t bytes = 0;    ///< acknowledged payload of ended transfers
    std::uint64_t retransmissions = 0;
    std::uint64_t ignored = 0;         ///< packets that deserve no answer: broadcasts, leftovers
    std::uint64_t trains_refused = 0;  ///< transfers that fell back to single datagrams
};

struct TftpServerOptions {
    std::uint16_t port = 69;
    /// Own addresses to listen on; none means all.
    std::vector<base::Ipv4Address> addresses;
    codec::TftpLimits limits;
    /// Ports of the transfers, both ends included; 0 leaves the choice to the system.
    std::uint16_t first_port = 0;
    std::uint16_t last_port = 0;
    /// Everything goes over the one port, for containers and firewalls; implies one worker.
    bool single_port = false;
    std::size_t max_transfers = 2000;
    /// A Mac loads one file after the other; a room behind one address (NAT, a relay) loads many at once.
    std::size_t max_transfers_per_client = 64;
    /// Threads. One saturates a gigabit many times over.
    unsigned workers = 1;
    /// Send windows with UDP_SEGMENT where the kernel and the route can.
    bool trains = true;
    policy::TftpTiming timing;
    /// Called on the workers' threads; must not throw and not take long.
    std::function<void(const TftpStart&)> on_start;
    std::function<void(const TftpReport&)> on_end;
};

class TftpServer {
  public:
    /// Opens the sockets. The error names the setting (`tftp-port`, `tftp-port-range`) and
    /// the remedy; the caller may go on without TFTP.
    static base::Result<std::unique_ptr<TftpServer>> open(TftpServerOptions options,
                                                          std::shared_ptr<const Content> content);
    ~TftpServer();
    TftpServer(const TftpServer&) = delete;
    TftpServer& operator=(const TftpServer&) = delete;

    /// Serves until `stop` is requested, on this thread and on those of the other workers. Clients whose
    /// transfers are then running get an ERROR. To be called once.
    void run(const std::stop_token& stop);

    /// New paths from now on; running transfers keep their files. From any thread.
    void publish(std::shared_ptr<const Content> content);

    /// From any thread.
    [[nodiscard]] TftpCounters counters() const;

    /// The port that was opened; useful with port 0.
    [[nodiscard]] std::uint16_t port() const;

  private:
    struct Parts;
    explicit TftpServer(std::unique_ptr<Parts> parts);

    std::unique_ptr<Parts> parts_;
};

}  // namespace pomona::servers
