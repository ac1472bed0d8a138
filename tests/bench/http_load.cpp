// Loads an HTTP server from many connections at once, each asking again as soon as it has its answer, and
// prints what came as one JSON object. Checks status and length of every answer; the octets of bodies are
// thrown away unread.
#include <arpa/inet.h>
#include <boost/program_options.hpp>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Plan {
    std::string server;
    std::uint16_t port = 80;
    std::string path;
    unsigned connections = 50;
    std::uint64_t file_size = 0;  ///< with `part`: of the file that the parts are taken from
    std::uint64_t part = 0;       ///< octets of each random range; 0: the whole file
    double seconds = 2;
    bool once = false;  ///< each connection asks once, and all of them are waited for
};

struct Tally {
    std::uint64_t answers = 0;
    std::uint64_t octets = 0;  ///< of bodies
    std::uint64_t failures = 0;
};

class Connection {
  public:
    Connection(const Plan& plan, int epoll, unsigned seed) : plan_(plan), epoll_(epoll), dice_(seed) {}
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    Connection(Connection&&) = delete;
    Connection& operator=(Connection&&) = delete;
    ~Connection() { close(); }

    bool open() {
        close();
        socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(plan_.port);
        if (socket_ < 0 || ::inet_pton(AF_INET, plan_.server.c_str(), &to.sin_addr) != 1 ||
            ::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
            return false;
        }
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.ptr = this;
        return ::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket_, &event) == 0;
    }

    void ask() {
        std::string request = "GET " + plan_.path + " HTTP/1.1\r\nHost: " + plan_.server + "\r\n";
        if (plan_.part > 0) {
            const std::uint64_t parts = plan_.file_size / plan_.part;
            const std::uint64_t first = dice_() % parts * plan_.part;
            request += "Range: bytes=" + std::to_string(first) + "-" +
                       std::to_string(first + plan_.part - 1) + "\r\n";
        }
        request += "\r\n";
        head_.clear();
        left_ = 0;
        in_body_ = false;
        (void)!::send(socket_, request.data(), request.size(), MSG_NOSIGNAL);
    }

    /// Takes what came; true when the answer is complete.
    bool take(Tally& tally, bool& broken) {
        std::array<char, 4096> text{};
        while (!in_body_) {
            const ssize_t count = ::recv(socket_, text.data(), text.size(), MSG_PEEK | MSG_DONTWAIT);
            if (count < 0 && errno == EAGAIN) return false;
            if (count <= 0) return broken = true;
            const std::size_t before = head_.size();
            head_.append(text.data(), static_cast<std::size_t>(count));
            const std::size_t end = head_.find("\r\n\r\n");
            const std::size_t taken =
                end == std::string::npos ? static_cast<std::size_t>(count) : end + 4 - before;
            (void)!::recv(socket_, text.data(), taken, 0);
            if (end == std::string::npos) continue;
            head_.resize(end + 2);
            if (!read_head()) return broken = true;
        }
        while (left_ > 0) {
            // MSG_TRUNC: the kernel drops them without a copy.
            const ssize_t count =
                ::recv(socket_, nullptr, std::min<std::uint64_t>(left_, 1U << 30U), MSG_TRUNC | MSG_DONTWAIT);
            if (count < 0 && errno == EAGAIN) return false;
            if (count <= 0) return broken = true;
            left_ -= static_cast<std::uint64_t>(count);
            tally.octets += static_cast<std::uint64_t>(count);
        }
        return true;
    }

  private:
    void close() {
        if (socket_ >= 0) ::close(socket_);
        socket_ = -1;
    }

    bool read_head() {
        const std::string_view head = head_;
        if (!head.starts_with(plan_.part > 0 ? "HTTP/1.1 206 " : "HTTP/1.1 200 ")) return false;
        constexpr std::string_view name = "\r\nContent-Length: ";
        const std::size_t at = head.find(name);
        if (at == std::string_view::npos) return false;
        const std::string_view digits = head.substr(at + name.size());
        in_body_ = std::from_chars(digits.data(), digits.data() + digits.size(), left_).ec == std::errc();
        return in_body_ && left_ == (plan_.part > 0 ? plan_.part : plan_.file_size);
    }

    const Plan& plan_;
    int epoll_;
    std::mt19937_64 dice_;
    int socket_ = -1;
    std::string head_;
    std::uint64_t left_ = 0;
    bool in_body_ = false;
};

Plan read_plan(int argc, char** argv) {
    namespace po = boost::program_options;
    Plan plan;
    po::options_description options;
    options.add_options()("server", po::value(&plan.server)->required())("port", po::value(&plan.port))(
        "path", po::value(&plan.path)->required())("connections", po::value(&plan.connections))(
        "size", po::value(&plan.file_size)->required())("part", po::value(&plan.part))(
        "seconds", po::value(&plan.seconds))("once", po::bool_switch(&plan.once));
    po::variables_map given;
    po::store(po::parse_command_line(argc, argv, options), given);
    po::notify(given);
    return plan;
}

Tally run(const Plan& plan, double& seconds) {
    Tally tally;
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    std::vector<std::unique_ptr<Connection>> connections;
    for (unsigned i = 0; i < plan.connections; ++i) {
        auto connection = std::make_unique<Connection>(plan, epoll, i + 1);
        if (connection->open()) {
            connections.push_back(std::move(connection));
        } else {
            ++tally.failures;
        }
    }
    const auto begin = Clock::now();
    const auto end =
        begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(plan.seconds));
    for (const auto& connection : connections) connection->ask();
    std::size_t running = connections.size();
    std::array<epoll_event, 256> events{};
    while (running > 0 && (plan.once || Clock::now() < end)) {
        const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 5000);
        if (count <= 0) {
            tally.failures += running;
            break;
        }
        for (int i = 0; i < count; ++i) {
            auto& connection = *static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
            bool broken = false;
            if (!connection.take(tally, broken)) continue;
            if (broken) {
                ++tally.failures;
                if (plan.once || !connection.open()) {
                    --running;
                    continue;
                }
            } else {
                ++tally.answers;
                if (plan.once) {
                    --running;
                    continue;
                }
            }
            connection.ask();
        }
    }
    seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    ::close(epoll);
    return tally;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const Plan plan = read_plan(argc, argv);
        double seconds = 0;
        const Tally tally = run(plan, seconds);
        std::printf(R"({"answers": %llu, "bytes": %llu, "failures": %llu, "seconds": %.4f})"
                    "\n",
                    static_cast<unsigned long long>(tally.answers),
                    static_cast<unsigned long long>(tally.octets),
                    static_cast<unsigned long long>(tally.failures), seconds);
        return 0;
    } catch (const std::exception& problem) {
        std::cerr << "http_load: " << problem.what() << "\n";
        return 2;
    }
}
