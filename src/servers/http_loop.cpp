#include "servers/http_loop.hpp"

#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <exception>
#include <string_view>
#include <system_error>
#include <utility>

namespace pomona::servers {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto sweep_interval = 250ms;
/// With nothing on its way for so long something may be wrong with the file.
constexpr auto file_pause = 500ms;
/// Beyond the limit so many are still taken, to be told so.
constexpr std::size_t told_to_wait = 128;
/// How long the last octets and our FIN are followed once they are acknowledged, for a client that still
/// sends.
constexpr auto patience_after_end = 2s;
/// What a client still sends after our answer is read and thrown away, up to this.
constexpr std::uint64_t most_discarded = 8U << 20;
/// An answer of this size may be cut, and then it is worth knowing where.
constexpr std::uint64_t long_answer = 65536;

[[noreturn]] void throw_errno(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

std::string_view header(MHD_Connection* connection, const char* name) {
    const char* const value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
    return value == nullptr ? std::string_view() : std::string_view(value);
}

bool has_body(MHD_Connection* connection) {
    const std::string_view length = header(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return (!length.empty() && length != "0") ||
           !header(connection, MHD_HTTP_HEADER_TRANSFER_ENCODING).empty();
}

}  // namespace

/// What libmicrohttpd calls. Everything happens on the loop's own thread, and no exception may pass.
struct HttpLoop::Callbacks {
    static HttpConnection& of(MHD_Connection* connection) {
        const auto* const info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
        return *static_cast<HttpConnection*>(info->socket_context);
    }

    static void on_connection(void* loop, MHD_Connection* /*connection*/, void** context,
                              MHD_ConnectionNotificationCode code) {
        auto* const self = static_cast<HttpLoop*>(loop);
        if (code == MHD_CONNECTION_NOTIFY_STARTED) {
            *context = std::exchange(self->arriving_, nullptr);
        } else if (*context != nullptr) {
            self->on_closed(*static_cast<HttpConnection*>(*context));
        }
    }

    static void* on_request_line(void* loop, const char* target, MHD_Connection* connection) noexcept {
        auto* const self = static_cast<HttpLoop*>(loop);
        HttpConnection& on = of(connection);
        // A client that asks for more has what it asked for before.
        if (on.delivering) {
            self->finish(on, *on.delivering, HttpEnd::completed, {});
            on.delivering.reset();
        }
        on.had_request = true;
        ++self->shared_.counters.requests;
        ++self->shared_.counters.running;
        auto exchange = std::make_unique<HttpExchange>();
        exchange->start = Clock::now();
        exchange->report.client = on.client;
        exchange->report.local = on.local;
        exchange->report.target = target;
        on.current = exchange.get();
        return exchange.release();
    }

    static MHD_Result on_request(void* loop, MHD_Connection* connection, const char* /*path*/,
                                 const char* method, const char* /*version*/, const char* /*upload*/,
                                 size_t* upload_size, void** state) noexcept {
        auto* const self = static_cast<HttpLoop*>(loop);
        auto& exchange = *static_cast<HttpExchange*>(*state);
        if (!exchange.headers_seen) {
            exchange.headers_seen = true;
            // A request with a body is answered before that comes, and the library then ends the connection.
            if (!has_body(connection)) return MHD_YES;
        }
        if (*upload_size != 0) {
            *upload_size = 0;
            return MHD_YES;
        }
        try {
            exchange.report.method = method;
            self->answer(connection, of(connection), exchange);
            return MHD_YES;
        } catch (const std::exception& problem) {
            exchange.report.detail = problem.what();
            return MHD_NO;
        }
    }

    static void on_completed(void* loop, MHD_Connection* connection, void** state,
                             MHD_RequestTerminationCode code) noexcept {
        auto* const self = static_cast<HttpLoop*>(loop);
        std::unique_ptr<HttpExchange> exchange(static_cast<HttpExchange*>(std::exchange(*state, nullptr)));
        if (exchange) {
            self->on_completed(of(connection), std::move(exchange),
                               code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
        }
    }

    /// The target is decoded by us, and stricter.
    static size_t leave_escaped(void* /*loop*/, MHD_Connection* /*connection*/, char* text) noexcept {
        return std::string_view(text).size();
    }
};

HttpLoop::HttpLoop(HttpShared& shared)
    : shared_(shared),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      stop_event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!epoll_ || !stop_event_) throw_errno("epoll");
    const auto most = static_cast<unsigned>(shared.options.max_connections + told_to_wait);
    // Turbo: the library leaves shutdown() to us.
    library_ = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_TURBO, 0, nullptr, nullptr, &Callbacks::on_request,
        this, MHD_OPTION_NOTIFY_CONNECTION, &Callbacks::on_connection, this,                         //
        MHD_OPTION_NOTIFY_COMPLETED, &Callbacks::on_completed, this,                                 //
        MHD_OPTION_URI_LOG_CALLBACK, &Callbacks::on_request_line, this,                              //
        MHD_OPTION_UNESCAPE_CALLBACK, &Callbacks::leave_escaped, this,                               //
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, static_cast<size_t>(shared.options.max_request),         //
        MHD_OPTION_CONNECTION_LIMIT, most, MHD_OPTION_CONNECTION_TIMEOUT, static_cast<unsigned>(0),  //
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (library_ == nullptr) throw_errno("libmicrohttpd");
    const auto* const info = MHD_get_daemon_info(library_, MHD_DAEMON_INFO_EPOLL_FD);
    watch(info->epoll_fd, library_source_, EPOLLIN);
    watch(stop_event_.get(), stop_source_, EPOLLIN);
    for (const io::TcpListener& listener : shared.listeners) {
        listeners_.push_back({HttpSource::Kind::listener, &listener});
    }
    resume_accepting();
}

HttpLoop::~HttpLoop() {
    end();
}

void HttpLoop::end() {
    stopping_ = true;
    if (library_ != nullptr) MHD_stop_daemon(std::exchange(library_, nullptr));
    while (!connections_.empty()) {
        HttpConnection& connection = connections_.front();
        finish_delivery(connection, state_of(connection));
        drop(connection);
    }
}

void HttpLoop::watch(int descriptor, HttpSource& source, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &source;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event) != 0) throw_errno("epoll_ctl");
}

void HttpLoop::pause_accepting() {
    if (!std::exchange(accepting_, false)) return;
    for (const HttpSource& source : listeners_) {
        (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, source.listener->descriptor(), nullptr);
    }
}

void HttpLoop::resume_accepting() {
    if (std::exchange(accepting_, true)) return;
    for (HttpSource& source : listeners_) watch(source.listener->descriptor(), source, EPOLLIN);
}

void HttpLoop::accept_from(const io::TcpListener& listener) {
    constexpr int at_once = 64;
    for (int i = 0; i < at_once; ++i) {
        const std::size_t limit = shared_.options.max_connections;
        if (connections_.size() >= limit + told_to_wait) {
            // The rest waits in the kernel until there is room.
            pause_accepting();
            return;
        }
        auto arrival = listener.accept();
        if (!arrival) {
            // Without descriptors left the loop would spin.
            if (arrival.error() != EAGAIN) pause_accepting();
            return;
        }
        ++shared_.counters.accepted;
        ++shared_.counters.connections;
        HttpConnection& connection = connections_.emplace_front();
        connection.self = connections_.begin();
        connection.client = arrival->from;
        connection.local = arrival->to.address;
        connection.since = connection.progress = Clock::now();
        const std::size_t of_client = ++per_client_[arrival->from.address];
        connection.beyond_limits =
            connections_.size() > limit || of_client > shared_.options.max_connections_per_client;
        connection.descriptor = arrival->descriptor.get();
        watch(connection.descriptor, connection, EPOLLRDHUP | EPOLLET);

        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(arrival->from.address.value());
        address.sin_port = htons(arrival->from.port);
        arriving_ = &connection;
        // It owns the descriptor now, also when it refuses it.
        const auto taken = MHD_add_connection(library_, arrival->descriptor.release(),
                                              reinterpret_cast<const sockaddr*>(&address), sizeof address);
        if (taken != MHD_YES && std::exchange(arriving_, nullptr) != nullptr) drop(connection);
    }
}

HttpReply HttpLoop::reply_to(MHD_Connection* connection, const HttpConnection& on, HttpExchange& exchange) {
    HttpReply reply;
    if (on.beyond_limits) {
        reply.status = MHD_HTTP_SERVICE_UNAVAILABLE;
        reply.detail = "too many connections";
        reply.headers = {{"Retry-After", "2"}, {"Connection", "close"}};
        return reply;
    }
    auto target = codec::parse_http_target(exchange.report.target);
    if (!target) {
        reply.status = MHD_HTTP_BAD_REQUEST;
        reply.detail = target.error().what;
        return reply;
    }
    HttpRequest request;
    request.client = on.client;
    request.local = on.local;
    request.method = exchange.report.method;
    request.target = *std::move(target);
    request.host = header(connection, MHD_HTTP_HEADER_HOST);
    request.user_agent = header(connection, MHD_HTTP_HEADER_USER_AGENT);
    request.range = header(connection, MHD_HTTP_HEADER_RANGE);
    request.if_range = header(connection, MHD_HTTP_HEADER_IF_RANGE);
    request.if_none_match = header(connection, MHD_HTTP_HEADER_IF_NONE_MATCH);
    request.if_modified_since = header(connection, MHD_HTTP_HEADER_IF_MODIFIED_SINCE);
    exchange.report.range = request.range;
    exchange.report.user_agent = request.user_agent;
    try {
        return shared_.handler(request);
    } catch (const std::exception& problem) {
        reply.status = MHD_HTTP_INTERNAL_SERVER_ERROR;
        reply.detail = problem.what();
        return reply;
    }
}

void HttpLoop::answer(MHD_Connection* connection, HttpConnection& on, HttpExchange& exchange) {
    HttpReply reply = reply_to(connection, on, exchange);
    HttpReport& report = exchange.report;
    report.status = reply.status;
    report.name = std::move(reply.name);
    report.detail = std::move(reply.detail);
    report.size = report.method == "HEAD" ? 0 : reply.size();
    exchange.head = approximate_head(reply);
    if (report.size >= long_answer) {
        const io::TcpState state = io::tcp_state(on.descriptor);
        exchange.acknowledged_before = state.acknowledged + state.unacknowledged;
        on.acknowledged = state.acknowledged;
    }
    on.progress = Clock::now();
    MHD_Response* const response = make_response(std::move(reply), exchange.file);
    if (response == nullptr) throw std::system_error(ENOMEM, std::generic_category());
    exchange.answered = MHD_queue_response(connection, report.status, response) == MHD_YES;
    MHD_destroy_response(response);
    if (!exchange.answered)
        throw std::system_error(EINVAL, std::generic_category(), "the answer was not taken");
}

/// libmicrohttpd has no more to do with this request: it gave the whole answer to the kernel, or gave up.
void HttpLoop::on_completed(HttpConnection& on, std::unique_ptr<HttpExchange> exchange, bool all_left) {
    on.current = nullptr;
    on.since = Clock::now();
    on.round = round_;
    if (all_left && exchange->answered) {
        on.delivering = std::move(exchange);
        return;
    }
    const io::TcpState state = state_of(on);
    HttpEnd end = HttpEnd::client_closed;
    if (on.cut) {
        end = *on.cut;
    } else if (stopping_) {
        end = HttpEnd::server_stopped;
    } else if (!exchange->answered) {
        end = on.too_slow ? HttpEnd::too_slow : HttpEnd::malformed;
    } else if (exchange->file.failed || (state.open && !state.peer_finished)) {
        end = HttpEnd::file_error;
    }
    finish(on, *exchange, end, state);
}

void HttpLoop::finish(HttpConnection& connection, HttpExchange& exchange, HttpEnd end,
                      const io::TcpState& state) {
    HttpReport& report = exchange.report;
    auto& counters = shared_.counters;
    if (end == HttpEnd::completed) {
        report.bytes = report.size;
        if (connection.beyond_limits) {
            end = HttpEnd::too_many;
        } else if (report.status >= MHD_HTTP_BAD_REQUEST) {
            end = HttpEnd::refused;
        }
    } else if (exchange.acknowledged_before > 0 || report.size >= long_answer) {
        const std::uint64_t all = exchange.acknowledged_before + exchange.head;
        report.bytes = std::min(report.size, state.acknowledged > all ? state.acknowledged - all : 0);
    }
    if (end == HttpEnd::file_error && report.detail.empty()) {
        report.detail = "the file could not be read to its end";
    }
    report.end = end;
    report.duration = Clock::now() - exchange.start;
    --counters.running;
    counters.bytes += report.bytes;
    ++(end == HttpEnd::completed                                                          ? counters.completed
       : end == HttpEnd::refused || end == HttpEnd::too_many || end == HttpEnd::malformed ? counters.refused
                                                                                          : counters.failed);
    if (shared_.options.on_end) shared_.options.on_end(report);
}

/// The end of an answer that the library gave to the kernel, of which the client acknowledged all or not.
void HttpLoop::finish_delivery(HttpConnection& connection, const io::TcpState& state) {
    if (!connection.delivering) return;
    const HttpEnd end = state.unacknowledged == 0 ? HttpEnd::completed
                        : connection.cut          ? *connection.cut
                        : stopping_               ? HttpEnd::server_stopped
                                                  : HttpEnd::client_closed;
    finish(connection, *connection.delivering, end, state);
    connection.delivering.reset();
}

void HttpLoop::drop(HttpConnection& connection) {
    const auto client = per_client_.find(connection.client.address);
    if (client != per_client_.end() && --client->second == 0) per_client_.erase(client);
    --shared_.counters.connections;
    connections_.erase(connection.self);
}

void HttpLoop::cut(HttpConnection& connection, HttpEnd why, const io::TcpState& state) {
    connection.cut = why;
    connection.before_cut = state;
    connection.before_cut.open = false;
    io::reset_tcp(connection.kept ? connection.kept.get() : connection.descriptor);
}

io::TcpState HttpLoop::state_of(const HttpConnection& connection) {
    if (connection.cut) return connection.before_cut;
    return io::tcp_state(connection.kept ? connection.kept.get() : connection.descriptor);
}

/// The client sent FIN. GRUB does so when it closes a file, with a window of 0 and deaf from then on: an
/// answer by FIN would wait for minutes in LAST-ACK, and the same ports come again at its next start. A reset
/// frees them.
void HttpLoop::on_hangup(HttpConnection& connection) {
    const io::TcpState state = io::tcp_state(connection.descriptor);
    if (!state.open || !state.peer_finished) return;
    if (state.peer_takes_none) {
        cut(connection, HttpEnd::client_closed, state);
    } else if (connection.current != nullptr || state.unread > 0 || state.unacknowledged > 0) {
        // It has said all and reads on, as some simple clients do.
        connection.half_closed = true;
    } else {
        finish_delivery(connection, state);
        io::reset_tcp(connection.descriptor);
    }
}

/// libmicrohttpd is about to close the descriptor.
void HttpLoop::on_closed(HttpConnection& connection) {
    const io::TcpState state = state_of(connection);
    (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, connection.descriptor, nullptr);
    if (!connection.had_request && state.received > 0) {
        // Too long, or no HTTP at all: the library answers that by itself.
        HttpExchange unreadable;
        unreadable.start = connection.since;
        unreadable.report.client = connection.client;
        unreadable.report.local = connection.local;
        unreadable.report.detail = "no request of HTTP, or too long a one";
        ++shared_.counters.requests;
        ++shared_.counters.running;
        finish(connection, unreadable, connection.too_slow ? HttpEnd::too_slow : HttpEnd::malformed, state);
    }
    // FIN right behind the request, both found in the same round.
    if (connection.round == round_) connection.half_closed = true;
    const bool deaf = state.peer_finished && (state.peer_takes_none || !connection.half_closed);
    if (!state.open || stopping_ || (deaf && (state.unacknowledged == 0 || state.peer_takes_none))) {
        finish_delivery(connection, state);
        if (deaf) io::reset_tcp_when_closed(connection.descriptor);
        drop(connection);
        return;
    }
    // We end it. The last octets are on their way, and a reset, which a plain close() sends when something of
    // the client is unread, would destroy them: so we say FIN and stay until they have arrived.
    connection.kept = io::Descriptor(::dup(connection.descriptor));
    if (!connection.kept) {
        finish_delivery(connection, state);
        drop(connection);
        return;
    }
    (void)::shutdown(connection.kept.get(), SHUT_WR);
    connection.descriptor = -1;
    connection.since = connection.progress = Clock::now();
    watch(connection.kept.get(), connection, EPOLLIN | EPOLLRDHUP | EPOLLET);
    follow(connection);
}

/// Looks how far the end of a connection is that we closed.
void HttpLoop::follow(HttpConnection& connection) {
    const int descriptor = connection.kept.get();
    std::array<char, 65536> rest{};
    while (connection.discarded < most_discarded) {
        const ssize_t count = ::recv(descriptor, rest.data(), rest.size(), MSG_DONTWAIT);
        if (count <= 0) break;
        connection.discarded += static_cast<std::uint64_t>(count);
    }
    io::TcpState state = state_of(connection);
    // Then the kernel no longer says that one of them is our FIN.
    if (!state.open && !connection.cut && state.unacknowledged > 0) --state.unacknowledged;
    if (state.acknowledged != connection.acknowledged) {
        connection.acknowledged = state.acknowledged;
        connection.progress = Clock::now();
    }
    if (state.unacknowledged == 0) finish_delivery(connection, state);
    const bool arrived = state.unacknowledged == 0 && !state.finishing;
    const bool over = Clock::now() - connection.progress > patience_after_end;
    if (!state.open || (arrived && (state.peer_finished || over))) {
        finish_delivery(connection, state);
        drop(connection);
    } else if ((state.peer_finished && state.peer_takes_none) ||
               (state.unacknowledged == 0 && state.finishing && over) ||
               connection.discarded >= most_discarded) {
        cut(connection, HttpEnd::client_closed, state);
        finish_delivery(connection, state);
        drop(connection);
    }
}

void HttpLoop::look_after(HttpConnection& connection, Time now) {
    const HttpServerOptions& options = shared_.options;
    const bool sending =
        connection.delivering || (connection.current != nullptr && connection.current->answered);
    if (!sending && !connection.kept) {
        const auto patience = connection.had_request ? options.next_request : options.first_request;
        if (now - connection.since > patience) {
            connection.too_slow = true;
            connection.since = now;
            // The library finds the end of the client's octets, and closes.
            (void)::shutdown(connection.descriptor, SHUT_RD);
        }
        return;
    }
    const io::TcpState state = state_of(connection);
    if (state.acknowledged != connection.acknowledged) {
        connection.acknowledged = state.acknowledged;
        connection.progress = now;
    }
    if (state.open && state.unacknowledged > 0) {
        if (state.silent > options.sign_of_life && now - connection.progress > options.sign_of_life) {
            cut(connection, HttpEnd::client_gone, state);
        } else if (now - connection.progress > options.progress) {
            cut(connection, HttpEnd::too_slow, state);
        }
    }
    if (state.open && state.unacknowledged == 0 && connection.current != nullptr &&
        now - connection.progress > file_pause && connection.current->file.has_shrunk()) {
        cut(connection, HttpEnd::file_error, state);
    }
    if (connection.kept) {
        follow(connection);
    } else if (connection.delivering && state.unacknowledged == 0) {
        finish_delivery(connection, state);
    }
}

void HttpLoop::sweep(Time now) {
    for (auto next = connections_.begin(); next != connections_.end();) {
        HttpConnection& connection = *next++;
        look_after(connection, now);
    }
    if (connections_.size() < shared_.options.max_connections + told_to_wait) resume_accepting();
}

void HttpLoop::run(const std::stop_token& stop) {
    ::pthread_setname_np(::pthread_self(), "http");
    // sendfile() to a client that is gone would end the process.
    sigset_t broken_pipe;
    ::sigemptyset(&broken_pipe);
    ::sigaddset(&broken_pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
    const std::stop_callback wake(stop, [this] { (void)::eventfd_write(stop_event_.get(), 1); });

    Time next_sweep = Clock::now() + sweep_interval;
    std::array<epoll_event, 256> events{};
    while (!stop.stop_requested()) {
        const auto now = Clock::now();
        if (now >= next_sweep) {
            sweep(now);
            next_sweep = now + sweep_interval;
        }
        MHD_UNSIGNED_LONG_LONG library_timeout = 0;
        auto timeout = std::chrono::ceil<std::chrono::milliseconds>(next_sweep - now);
        if (connections_.empty() && accepting_) timeout = -1ms;
        if (MHD_get_timeout(library_, &library_timeout) == MHD_YES && library_timeout == 0) timeout = 0ms;
        const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                       static_cast<int>(timeout.count()));
        // A connection may end with any event; none of this batch may be about one that is gone. Only those
        // that are ours alone end here, at their own event.
        for (int i = 0; i < count; ++i) {
            auto* const source = static_cast<HttpSource*>(events[static_cast<std::size_t>(i)].data.ptr);
            if (source->kind == HttpSource::Kind::listener) {
                accept_from(*source->listener);
            } else if (source->kind == HttpSource::Kind::connection) {
                auto& connection = static_cast<HttpConnection&>(*source);
                connection.kept ? follow(connection) : on_hangup(connection);
            }
        }
        ++round_;
        MHD_run_wait(library_, 0);
    }
    end();
}

}  // namespace pomona::servers
