#include "app/control_client.hpp"

#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace pomona::app {

using nlohmann::json;

namespace {

/// A list of all machines is some megabytes; nothing sensible is longer than this.
constexpr std::size_t longest_answer = 256U << 20;

void set_patience(int socket, std::chrono::milliseconds patience) {
    timeval limit{};
    limit.tv_sec = patience.count() / 1000;
    limit.tv_usec = patience.count() % 1000 * 1000;
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

base::Error broken(const std::string& path, const char* doing, int error) {
    const bool late = error == EAGAIN || error == EWOULDBLOCK;
    return {std::string("the daemon ") + (late ? "does not answer" : "hung up") + " while " + doing, path,
            "see its log; `systemctl status pomona` tells whether it runs"};
}

std::string text_at(const json& object, const char* key) {
    const auto at = object.find(key);
    return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

}  // namespace

base::Result<std::optional<ControlClient>> ControlClient::connect(const std::string& path,
                                                                  std::chrono::milliseconds patience) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        return base::fail("the path of a socket has 1 to 107 octets", path,
                          "choose a shorter control-socket");
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    io::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket) return base::fail(std::string("no socket: ") + std::strerror(errno), path);
    set_patience(socket.get(), patience);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        const int error = errno;
        if (error == ENOENT || error == ECONNREFUSED || error == ENOTDIR) return std::nullopt;
        return base::fail(std::string("the daemon cannot be reached: ") + std::strerror(error), path,
                          error == EACCES ? "call it as root or as a member of the daemon's group" : "");
    }
    return ControlClient(std::move(socket), path);
}

base::Result<json> ControlClient::ask(const json& request) {
    const std::string line = request.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    for (std::size_t sent = 0; sent < line.size();) {
        const ssize_t step = ::send(socket_.get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
        if (step < 0 && errno == EINTR) continue;
        if (step < 0) return std::unexpected(broken(path_, "it was asked", errno));
        sent += static_cast<std::size_t>(step);
    }
    std::size_t end = input_.find('\n');
    std::array<char, 16384> part{};
    while (end == std::string::npos) {
        const ssize_t step = ::recv(socket_.get(), part.data(), part.size(), 0);
        if (step < 0 && errno == EINTR) continue;
        if (step <= 0 || input_.size() > longest_answer) {
            return std::unexpected(broken(path_, "it answered", step < 0 ? errno : 0));
        }
        const std::size_t searched = input_.size();
        input_.append(part.data(), static_cast<std::size_t>(step));
        end = input_.find('\n', searched);
    }
    json answer =
        json::parse(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    input_.erase(0, end + 1);
    if (answer.is_object()) {
        if (const auto error = answer.find("error"); error != answer.end() && error->is_object()) {
            return base::fail(text_at(*error, "what"), text_at(*error, "where"), text_at(*error, "remedy"));
        }
        if (const auto result = answer.find("result"); result != answer.end()) return *result;
    }
    return base::fail("what listens there does not answer like a daemon of this program", path_);
}

}  // namespace pomona::app
