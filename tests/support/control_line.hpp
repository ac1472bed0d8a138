// ControlLine: a client of the control socket that sends and receives raw octets, also wrong ones.
#pragma once

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>
#include <string_view>

namespace pomona::tests {

class ControlLine {
  public:
    explicit ControlLine(const std::string& path)
        : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.data(), path.size());
        const timeval patience{20, 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    ControlLine(const ControlLine&) = delete;
    ControlLine& operator=(const ControlLine&) = delete;
    ~ControlLine() { ::close(socket_); }

    [[nodiscard]] bool connected() const { return connected_; }
    void send(std::string_view text) const {
        while (!text.empty()) {
            const ssize_t sent = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
            if (sent <= 0) return;
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    /// Up to and without the line feed; "" at the end of the connection.
    [[nodiscard]] std::string line() {
        std::size_t end = input_.find('\n');
        while (end == std::string::npos && receive()) end = input_.find('\n');
        std::string text = input_.substr(0, end);
        input_.erase(0, end == std::string::npos ? end : end + 1);
        return text;
    }
    /// The other side closed, with nothing left to read.
    [[nodiscard]] bool closed() { return input_.empty() && !receive(); }

  private:
    bool receive() {
        std::array<char, 65536> part{};
        const ssize_t size = ::recv(socket_, part.data(), part.size(), 0);
        if (size > 0) input_.append(part.data(), static_cast<std::size_t>(size));
        return size > 0;
    }

    int socket_;
    std::string input_;
    bool connected_ = false;
};

}  // namespace pomona::tests
