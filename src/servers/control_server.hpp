// ControlServer: a UNIX stream socket through which the command line asks the running daemon. One JSON object
// per line in, one per line out: {"do": "machine.list", ...} -> {"result": ...} or
// {"error": {"what": ..., "where": ..., "remedy": ...}}. Who may open the socket file may do everything.
#pragma once

#include <pomona/base/error.hpp>

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace pomona::servers {

class ControlServer {
  public:
    /// Gets the whole request. Runs on the server's thread; while it runs no other request is served.
    using Handler = std::function<base::Result<nlohmann::json>(const nlohmann::json& request)>;
    using Handlers = std::map<std::string, Handler>;

    struct Options {
        /// At most 107 octets. The last directory is made if it is missing. "<path>.lock" appears beside it.
        std::string path = "/run/pomona/control";
        unsigned mode = 0660;
        std::size_t longest_line = std::size_t{64} * 1024;
        std::size_t max_connections = 16;
        /// A connection that neither asks nor reads its answer for so long is closed.
        std::chrono::milliseconds idle{30'000};
    };

    /// Listens and starts the thread. The socket file of a dead daemon is replaced; that of a living one, and
    /// a file of another kind, is an error.
    static base::Result<std::unique_ptr<ControlServer>> start(Options options, Handlers handlers);
    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;
    /// Closes every connection, joins the thread and removes the socket file.
    ~ControlServer();

  private:
    struct State;
    explicit ControlServer(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace pomona::servers
