// ControlClient: the command line's side of the daemon's control socket (see servers/control_server.hpp).
#pragma once

#include "io/descriptor.hpp"

#include <pomona/base/error.hpp>

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace pomona::app {

class ControlClient {
  public:
    /// nullopt: nobody listens there, so no daemon runs. An error: one may run, but we cannot reach it.
    static base::Result<std::optional<ControlClient>> connect(
        const std::string& path, std::chrono::milliseconds patience = std::chrono::seconds(30));

    /// Sends one request and waits for its answer: the result, or the daemon's error.
    base::Result<nlohmann::json> ask(const nlohmann::json& request);

  private:
    ControlClient(io::Descriptor socket, std::string path)
        : socket_(std::move(socket)), path_(std::move(path)) {}

    io::Descriptor socket_;
    std::string path_;
    /// Octets of a next answer that came with the last one.
    std::string input_;
};

}  // namespace pomona::app
