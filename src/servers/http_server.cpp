#include "servers/http_server.hpp"

#include "servers/http_loop.hpp"

#include <cerrno>
#include <system_error>
#include <utility>

namespace pomona::servers {

namespace {

base::Error cannot_listen(const base::Endpoint& endpoint, int error) {
    const std::string port = "http-port = " + std::to_string(endpoint.port);
    switch (error) {
        case EADDRINUSE:
            return {"TCP port " + std::to_string(endpoint.port) + " of " + endpoint.address.text() +
                        " belongs to another program",
                    port,
                    "stop that web server, or choose another http-port: iPXE can be told of it, GRUB before "
                    "2.12 cannot and has TFTP"};
        case EACCES:
            return {"no privilege to open TCP port " + std::to_string(endpoint.port), port,
                    "start as root or with CAP_NET_BIND_SERVICE, or choose a port above 1023"};
        case EADDRNOTAVAIL:
            return {"this machine has no address " + endpoint.address.text(), "http on " + endpoint.text(),
                    "serve on an address that an interface has"};
        default:
            return {"cannot open TCP " + endpoint.text() + ": " + std::generic_category().message(error),
                    port,
                    {}};
    }
}

}  // namespace

std::string_view http_end_name(HttpEnd end) {
    switch (end) {
        case HttpEnd::completed:
            return "completed";
        case HttpEnd::refused:
            return "refused";
        case HttpEnd::malformed:
            return "malformed";
        case HttpEnd::too_many:
            return "too-many-connections";
        case HttpEnd::client_closed:
            return "client-closed";
        case HttpEnd::client_gone:
            return "client-gone";
        case HttpEnd::too_slow:
            return "too-slow";
        case HttpEnd::file_error:
            return "file-error";
        case HttpEnd::server_stopped:
            return "server-stopped";
    }
    return "unknown";
}

double HttpReport::rate() const {
    const double seconds = std::chrono::duration<double>(duration).count();
    return seconds > 0 ? static_cast<double>(bytes) / seconds : 0;
}

struct HttpServer::Parts {
    Parts(HttpServerOptions options, HttpHandler handler) : shared(std::move(options), std::move(handler)) {}

    HttpShared shared;
    std::unique_ptr<HttpLoop> loop;
};

HttpServer::HttpServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

HttpServer::~HttpServer() = default;

base::Result<std::unique_ptr<HttpServer>> HttpServer::open(HttpServerOptions options, HttpHandler handler) {
    std::vector<base::Ipv4Address> addresses = options.addresses;
    if (addresses.empty()) addresses.emplace_back();
    // Each connection holds a socket and a file.
    io::raise_descriptor_limit(2 * options.max_connections + 512);

    auto parts = std::make_unique<Parts>(std::move(options), std::move(handler));
    for (const base::Ipv4Address address : addresses) {
        const base::Endpoint endpoint{address, parts->shared.options.port};
        auto listener = io::TcpListener::open(endpoint);
        if (!listener) return std::unexpected(cannot_listen(endpoint, listener.error()));
        parts->shared.listeners.push_back(*std::move(listener));
    }
    try {
        parts->loop = std::make_unique<HttpLoop>(parts->shared);
    } catch (const std::system_error& problem) {
        return base::fail(problem.what(), "http");
    }
    return std::unique_ptr<HttpServer>(new HttpServer(std::move(parts)));
}

void HttpServer::run(const std::stop_token& stop) {
    parts_->loop->run(stop);
}

HttpCounters HttpServer::counters() const {
    const auto& c = parts_->shared.counters;
    return {c.connections, c.running, c.accepted, c.requests, c.completed, c.refused, c.failed, c.bytes};
}

std::uint16_t HttpServer::port() const {
    return parts_->shared.listeners.front().port();
}

}  // namespace pomona::servers
