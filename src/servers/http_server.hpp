// The HTTP server: takes requests off TCP connections, has a handler answer them, sends the answers. Knows no
// paths and no files of ours. Opens its port first and serves later, so that privileges can be dropped
// between the two.
#pragma once

#include "io/file.hpp"

#include <pomona/base/addresses.hpp>
#include <pomona/base/error.hpp>
#include <pomona/codec/http_target.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace pomona::servers {

/// A request, and who sent it. The views end with the call of the handler.
struct HttpRequest {
    base::Endpoint client;
    base::Ipv4Address local;  ///< the address that the client asked
    std::string_view method;  ///< "GET"; any word
    codec::HttpTarget target;
    // Headers; empty if there is none of that name.
    std::string_view host;
    std::string_view user_agent;
    std::string_view range;
    std::string_view if_range;
    std::string_view if_none_match;
    std::string_view if_modified_since;
};

/// Where octets of a body come from: a text, or `length` octets of the reply's file from `offset` on.
struct HttpFilePart {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
};
using HttpPart = std::variant<std::string, HttpFilePart>;

/// An answer. Content-Length, Date and Connection are the server's own affair; HEAD is, too: the body of the
/// same answer to GET is left away.
struct HttpReply {
    unsigned status = 200;
    std::vector<std::pair<std::string, std::string>> headers;
    std::optional<io::File> file;
    std::vector<HttpPart> body;

    // For the log.
    std::string name;    ///< the file that is sent, or what was looked for
    std::string detail;  ///< in words, may be empty: why there is none

    [[nodiscard]] std::uint64_t size() const;
};

/// Called on the server's threads, which wait meanwhile: it may look at a disk, not at a network.
using HttpHandler = std::function<HttpReply(const HttpRequest&)>;

/// How a request ended. The names of http_end_name() are stable.
enum class HttpEnd : std::uint8_t {
    completed,      ///< the client acknowledged everything
    refused,        ///< answered with a status of 400 or more
    malformed,      ///< what came was no request of HTTP
    too_many,       ///< beyond the limits: answered with status 503
    client_closed,  ///< the client ended the connection in the middle
    client_gone,    ///< the client gave no sign of life any more
    too_slow,       ///< the client is there and took nothing for too long, or did not finish its request
    file_error,     ///< the file could not be read, or shrank
    server_stopped,
};

/// "completed", "client-closed", ...
[[nodiscard]] std::string_view http_end_name(HttpEnd end);

/// One request that ended.
struct HttpReport {
    base::Endpoint client;
    base::Ipv4Address local;
    std::string method;
    std::string target;  ///< as the client wrote it; empty if the request was not readable
    std::string range;   ///< as the client wrote it
    std::string user_agent;
    std::string name;  ///< of HttpReply
    std::string detail;
    HttpEnd end = HttpEnd::completed;
    unsigned status = 0;      ///< 0: none was sent
    std::uint64_t size = 0;   ///< of the body
    std::uint64_t bytes = 0;  ///< of the body that the client acknowledged
    std::chrono::steady_clock::duration duration{};

    [[nodiscard]] double rate() const;
};

/// Since the start of the server, except `connections` and `running`.
struct HttpCounters {
    std::uint64_t connections = 0;  ///< open now
    std::uint64_t running = 0;      ///< requests that are being answered
    std::uint64_t accepted = 0;     ///< connections
    std::uint64_t requests = 0;
    std::uint64_t completed = 0;
    std::uint64_t refused = 0;
    std::uint64_t failed = 0;  ///< in the middle
    std::uint64_t bytes = 0;   ///< acknowledged octets of bodies
};

struct HttpServerOptions {
    std::uint16_t port = 80;
    /// Own addresses to listen on; none means all.
    std::vector<base::Ipv4Address> addresses;
    std::size_t max_connections = 1000;
    /// A room behind one address (NAT, a relay) loads many at once.
    std::size_t max_connections_per_client = 256;
    /// Octets of a request line and its headers.
    std::size_t max_request = 16384;
    /// From the beginning of a connection to the end of its first request's headers.
    std::chrono::milliseconds first_request{20'000};
    /// The same between two requests: short, since a machine that was switched off keeps its ports for so
    /// long.
    std::chrono::milliseconds next_request{5'000};
    /// Without any acknowledgement while octets are on their way.
    std::chrono::milliseconds sign_of_life{30'000};
    /// Acknowledging and taking nothing.
    std::chrono::milliseconds progress{120'000};
    /// Called on the server's threads; must not throw and not take long.
    std::function<void(const HttpReport&)> on_end;
};

class HttpServer {
  public:
    /// Opens the sockets. The error names the setting (`http-port`) and the remedy; the caller may go on
    /// without HTTP.
    static base::Result<std::unique_ptr<HttpServer>> open(HttpServerOptions options, HttpHandler handler);
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    /// Serves until `stop` is requested; connections are then cut. To be called once.
    void run(const std::stop_token& stop);

    /// From any thread.
    [[nodiscard]] HttpCounters counters() const;

    /// The port that was opened; useful with port 0.
    [[nodiscard]] std::uint16_t port() const;

  private:
    struct Parts;
    explicit HttpServer(std::unique_ptr<Parts> parts);

    std::unique_ptr<Parts> parts_;
};

}  // namespace pomona::servers
