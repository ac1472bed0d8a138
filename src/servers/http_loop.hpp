// One thread's share of the HTTP server: libmicrohttpd reads requests and writes answers; connections are
// accepted, watched and ended here, because how a connection ends matters to the loaders of boot clients.
#pragma once

#include "io/descriptor.hpp"
#include "io/tcp_socket.hpp"
#include "servers/http_response.hpp"
#include "servers/http_server.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

struct MHD_Connection;
struct MHD_Daemon;
struct MHD_Response;

namespace pomona::servers {

struct HttpShared {
    HttpShared(HttpServerOptions chosen, HttpHandler answers)
        : options(std::move(chosen)), handler(std::move(answers)) {}

    const HttpServerOptions options;
    const HttpHandler handler;
    std::vector<io::TcpListener> listeners;
    struct {
        std::atomic<std::uint64_t> connections, running, accepted, requests, completed, refused, failed,
            bytes;
    } counters{};
};

/// What an event of the loop is about.
struct HttpSource {
    enum class Kind : std::uint8_t { listener, library, stop, connection };
    Kind kind = Kind::connection;
    const io::TcpListener* listener = nullptr;
};

/// A request on its way through libmicrohttpd, or one whose answer the kernel is still delivering.
struct HttpExchange {
    HttpReport report;
    std::chrono::steady_clock::time_point start;
    bool headers_seen = false;
    bool answered = false;
    HttpFileState file;
    std::uint64_t head = 0;                 ///< octets of the answer before its body, nearly
    std::uint64_t acknowledged_before = 0;  ///< octets of the connection when the answer began
};

/// One connection, from its acceptance until everything that was sent is acknowledged.
struct HttpConnection : HttpSource {
    using Time = std::chrono::steady_clock::time_point;

    int descriptor = -1;
    io::Descriptor kept;  ///< our own, once libmicrohttpd is done with the connection
    base::Endpoint client;
    base::Ipv4Address local;
    bool beyond_limits = false;
    bool half_closed = false;  ///< the client sent FIN behind its request and reads on
    bool had_request = false;
    bool too_slow = false;       ///< its next request did not come in time
    std::uint64_t round = 0;     ///< of the loop, in which the last answer was given
    std::optional<HttpEnd> cut;  ///< why we ended it in the middle
    io::TcpState before_cut;     ///< a reset makes the kernel forget

    HttpExchange* current = nullptr;  ///< libmicrohttpd works on it and owns the pointer
    std::unique_ptr<HttpExchange> delivering;

    Time since;  ///< the beginning of the connection, the end of the last answer, or of what was kept
    std::uint64_t acknowledged = 0;
    Time progress;
    std::uint64_t discarded = 0;

    std::list<HttpConnection>::iterator self;
};

class HttpLoop {
  public:
    /// Throws std::system_error, also when libmicrohttpd does not start.
    explicit HttpLoop(HttpShared& shared);
    HttpLoop(const HttpLoop&) = delete;
    HttpLoop& operator=(const HttpLoop&) = delete;
    ~HttpLoop();

    void run(const std::stop_token& stop);

  private:
    using Time = HttpConnection::Time;
    struct Callbacks;

    void watch(int descriptor, HttpSource& source, std::uint32_t events);
    void accept_from(const io::TcpListener& listener);
    void pause_accepting();
    void resume_accepting();

    void answer(MHD_Connection* connection, HttpConnection& on, HttpExchange& exchange);
    HttpReply reply_to(MHD_Connection* connection, const HttpConnection& on, HttpExchange& exchange);
    void on_completed(HttpConnection& on, std::unique_ptr<HttpExchange> exchange, bool all_left);
    void on_closed(HttpConnection& connection);
    void on_hangup(HttpConnection& connection);
    void follow(HttpConnection& connection);
    void look_after(HttpConnection& connection, Time now);
    void cut(HttpConnection& connection, HttpEnd why, const io::TcpState& state);
    static io::TcpState state_of(const HttpConnection& connection);
    void finish(HttpConnection& connection, HttpExchange& exchange, HttpEnd end, const io::TcpState& state);
    void finish_delivery(HttpConnection& connection, const io::TcpState& state);
    void drop(HttpConnection& connection);
    void sweep(Time now);
    void end();

    HttpShared& shared_;
    io::Descriptor epoll_;
    io::Descriptor stop_event_;
    std::list<HttpConnection> connections_;
    std::unordered_map<base::Ipv4Address, std::size_t> per_client_;
    std::vector<HttpSource> listeners_;
    HttpSource library_source_{HttpSource::Kind::library};
    HttpSource stop_source_{HttpSource::Kind::stop};
    HttpConnection* arriving_ = nullptr;
    MHD_Daemon* library_ = nullptr;
    std::uint64_t round_ = 1;  ///< of the loop
    bool accepting_ = false;
    bool stopping_ = false;
};

}  // namespace pomona::servers
