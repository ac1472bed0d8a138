#include "servers/tftp_server.hpp"

#include "servers/tftp_worker.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <thread>
#include <utility>

namespace pomona::servers {

namespace {

/// A thousand requests in the same instant wait here.
constexpr int listener_buffer = 4 << 20;

base::Error cannot_listen(const base::Endpoint& endpoint, int error) {
    const std::string port = "tftp-port = " + std::to_string(endpoint.port);
    const std::string reason = std::generic_category().message(error);
    switch (error) {
        case EADDRINUSE:
            return {"UDP port " + std::to_string(endpoint.port) + " of " + endpoint.address.text() +
                        " belongs to another program",
                    port, "stop that TFTP server, or let it serve the files and set `tftp = external`"};
        case EACCES:
            return {"no privilege to open UDP port " + std::to_string(endpoint.port), port,
                    "start as root or with CAP_NET_BIND_SERVICE, or choose a port above 1023"};
        case EADDRNOTAVAIL:
            return {"this machine has no address " + endpoint.address.text(), "tftp on " + endpoint.text(),
                    "serve on an address that an interface has"};
        default:
            return {"cannot open UDP " + endpoint.text() + ": " + reason, port, {}};
    }
}

}  // namespace

std::string_view tftp_end_name(TftpEnd end) {
    switch (end) {
        case TftpEnd::completed:
            return "completed";
        case TftpEnd::completed_silently:
            return "completed-silently";
        case TftpEnd::declined:
            return "declined";
        case TftpEnd::not_found:
            return "not-found";
        case TftpEnd::access_denied:
            return "access-denied";
        case TftpEnd::write_refused:
            return "write-refused";
        case TftpEnd::malformed:
            return "malformed";
        case TftpEnd::option_refused:
            return "option-refused";
        case TftpEnd::too_many_transfers:
            return "too-many-transfers";
        case TftpEnd::aborted:
            return "aborted";
        case TftpEnd::client_gone:
            return "client-gone";
        case TftpEnd::timed_out:
            return "timed-out";
        case TftpEnd::replaced:
            return "replaced";
        case TftpEnd::file_error:
            return "file-error";
        case TftpEnd::server_error:
            return "server-error";
        case TftpEnd::server_stopped:
            return "server-stopped";
    }
    return "unknown";
}

double TftpReport::rate() const {
    const double seconds = std::chrono::duration<double>(duration).count();
    return seconds > 0 ? static_cast<double>(bytes) / seconds : 0;
}

struct TftpServer::Parts {
    Parts(TftpServerOptions options, std::shared_ptr<const Content> content)
        : shared(std::move(options), std::move(content)) {}

    TftpShared shared;
    std::vector<std::unique_ptr<TftpWorker>> workers;
};

TftpServer::TftpServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

TftpServer::~TftpServer() = default;

base::Result<std::unique_ptr<TftpServer>> TftpServer::open(TftpServerOptions options,
                                                           std::shared_ptr<const Content> content) {
    if (options.first_port > options.last_port || (options.first_port == 0 && options.last_port != 0)) {
        return base::fail("the first port is greater than the last, or 0",
                          "tftp-port-range = " + std::to_string(options.first_port) + "-" +
                              std::to_string(options.last_port),
                          "write it as FIRST-LAST, such as 50000-51999");
    }
    options.workers = options.single_port ? 1 : std::max(options.workers, 1U);
    std::vector<base::Ipv4Address> addresses = options.addresses;
    if (addresses.empty()) addresses.emplace_back();
    // Each transfer holds a file and a socket.
    io::raise_descriptor_limit(2 * options.max_transfers + 256);

    auto parts = std::make_unique<Parts>(std::move(options), std::move(content));
    TftpShared& shared = parts->shared;
    for (const base::Ipv4Address address : addresses) {
        const base::Endpoint endpoint{address, shared.options.port};
        auto socket = io::UdpSocket::bind(endpoint);
        if (!socket) return std::unexpected(cannot_listen(endpoint, socket.error()));
        socket->set_buffers(listener_buffer);
        shared.listeners.push_back(std::move(*socket));
    }
    try {
        for (unsigned i = 0; i < shared.options.workers; ++i) {
            parts->workers.push_back(std::make_unique<TftpWorker>(shared));
        }
        std::vector<TftpWorker*> all;
        for (const auto& worker : parts->workers) all.push_back(worker.get());
        parts->workers.front()->deal_to(std::move(all));
    } catch (const std::system_error& problem) {
        return base::fail(problem.what(), "tftp");
    }
    return std::unique_ptr<TftpServer>(new TftpServer(std::move(parts)));
}

void TftpServer::run(const std::stop_token& stop) {
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < parts_->workers.size(); ++i) {
        others.emplace_back([&worker = *parts_->workers[i], &stop] { worker.run(stop); });
    }
    parts_->workers.front()->run(stop);
}

void TftpServer::publish(std::shared_ptr<const Content> content) {
    parts_->shared.content.publish(std::move(content));
}

TftpCounters TftpServer::counters() const {
    const auto& c = parts_->shared.counters;
    return {c.requests, c.running,         c.completed, c.refused,       c.failed,
            c.bytes,    c.retransmissions, c.ignored,   c.trains_refused};
}

std::uint16_t TftpServer::port() const {
    return parts_->shared.listeners.front().port();
}

}  // namespace pomona::servers
