// Load client of the TFTP benchmark: many clients in one process fetch one file, with or without loss, and
// the sum is printed as one line of JSON.
#include <pomona/base/addresses.hpp>
#include <pomona/base/bytes.hpp>
#include <pomona/codec/tftp.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
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
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace {

using namespace pomona;
using Clock = std::chrono::steady_clock;

struct Settings {
    std::string server = "127.0.0.1";
    std::uint16_t port = 69;
    std::string path;
    std::vector<std::string> sources;  ///< own addresses, used in turn
    unsigned clients = 1;
    unsigned blksize = 512;
    unsigned windowsize = 1;
    std::uint64_t size = 0;  ///< expected octets; 0 leaves the size unchecked
    std::string hash;        ///< expected FNV-1a of the file, hex; empty leaves it unchecked
    double loss = 0;         ///< per cent of packets dropped in each direction
    double seconds = 5;      ///< new downloads begin for so long; running ones are cut off
    bool once = false;       ///< each client fetches once; the time ends when all are through
    double retry = 1.0;      ///< seconds before a client repeats its last packet
    unsigned most_retries = 6;
    bool gro = false;
};

struct Sums {
    std::uint64_t bytes = 0;
    std::uint64_t completed = 0;
    std::uint64_t failed = 0;
    std::uint64_t unfinished = 0;  ///< cut off by the end of the time
    std::uint64_t retries = 0;
    std::string first_failure;
};

constexpr std::size_t batch = 64;
constexpr std::size_t room = 65536;

class Load;

/// One download at a time, the next one from a fresh port.
class Client {
  public:
    Client(Load& load, unsigned index) : load_(load), index_(index) {}
    void begin(Clock::time_point now);
    void receive(Clock::time_point now);
    void look_at_time(Clock::time_point now);
    [[nodiscard]] bool active() const { return fd_ >= 0; }
    void stop();

  private:
    void send(base::Bytes packet);
    void acknowledge(std::uint64_t block);
    void handle(base::Bytes packet, Clock::time_point now);
    void fail(const std::string& why);
    void end();

    Load& load_;
    unsigned index_;
    int fd_ = -1;
    bool connected_ = false;
    std::uint64_t next_ = 1;  ///< block wanted
    unsigned in_window_ = 0;
    unsigned blksize_ = 512, windowsize_ = 1;
    bool gap_told_ = false;
    std::uint64_t bytes_ = 0;
    std::uint64_t hash_ = 0;
    unsigned tries_ = 0;
    Clock::time_point last_{};
    std::array<std::uint8_t, 600> sent_{};
    std::size_t sent_size_ = 0;
    sockaddr_in to_{};
};

class Load {
  public:
    explicit Load(Settings given) : settings(std::move(given)), epoll(::epoll_create1(0)) {
        for (unsigned i = 0; i < settings.clients; ++i)
            clients_.push_back(std::make_unique<Client>(*this, i));
    }
    void run();
    bool lose() { return settings.loss > 0 && chance_(random_) < settings.loss; }

    Settings settings;
    Sums sums;
    int epoll;
    bool ending = false;
    std::vector<std::uint8_t> buffer = std::vector<std::uint8_t>(batch * room);
    std::array<iovec, batch> parts{};
    std::array<mmsghdr, batch> messages{};
    std::array<sockaddr_in, batch> names{};
    std::array<std::array<char, 64>, batch> controls{};

  private:
    std::vector<std::unique_ptr<Client>> clients_;
    std::minstd_rand random_{20250101};
    std::uniform_real_distribution<> chance_{0, 100};
};

void Client::begin(Clock::time_point now) {
    fd_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) return fail("socket");
    // A window and its repetition have to fit.
    const int octets = 1 << 20;
    if (::setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof octets) != 0) {
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets);
    }
    if (load_.settings.gro) {
        const int on = 1;
        ::setsockopt(fd_, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
    }
    if (!load_.settings.sources.empty()) {
        sockaddr_in from{};
        from.sin_family = AF_INET;
        ::inet_pton(AF_INET, load_.settings.sources[index_ % load_.settings.sources.size()].c_str(),
                    &from.sin_addr);
        if (::bind(fd_, reinterpret_cast<sockaddr*>(&from), sizeof from) != 0) return fail("bind");
    }
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = this;
    ::epoll_ctl(load_.epoll, EPOLL_CTL_ADD, fd_, &event);
    connected_ = false;
    next_ = 1;
    in_window_ = 0;
    blksize_ = 512;
    windowsize_ = 1;
    gap_told_ = false;
    bytes_ = 0;
    hash_ = 0xcbf29ce484222325ULL;
    tries_ = 0;
    last_ = now;
    to_.sin_family = AF_INET;
    to_.sin_port = htons(load_.settings.port);
    ::inet_pton(AF_INET, load_.settings.server.c_str(), &to_.sin_addr);

    codec::TftpRequest request;
    request.path = load_.settings.path;
    const std::string blksize = std::to_string(load_.settings.blksize);
    const std::string windowsize = std::to_string(load_.settings.windowsize);
    request.options.tsize = "0";
    if (load_.settings.blksize != 512) request.options.blksize = blksize;
    if (load_.settings.windowsize != 1) request.options.windowsize = windowsize;
    std::array<std::uint8_t, 512> octets_of_request{};
    base::ByteWriter to(octets_of_request);
    codec::write_tftp(to, request);
    send(to.written());
}

void Client::send(base::Bytes packet) {
    if (packet.data() != sent_.data()) {
        std::memcpy(sent_.data(), packet.data(), packet.size());
        sent_size_ = packet.size();
    }
    if (load_.lose()) return;
    if (connected_) {
        ::send(fd_, sent_.data(), sent_size_, 0);
    } else {
        ::sendto(fd_, sent_.data(), sent_size_, 0, reinterpret_cast<const sockaddr*>(&to_), sizeof to_);
    }
}

void Client::acknowledge(std::uint64_t block) {
    std::array<std::uint8_t, 4> octets{};
    base::ByteWriter to(octets);
    codec::write_tftp(to, codec::TftpAck{static_cast<std::uint16_t>(block)});
    in_window_ = 0;
    send(to.written());
}

void Client::fail(const std::string& why) {
    ++load_.sums.failed;
    if (load_.sums.first_failure.empty()) load_.sums.first_failure = why;
    end();
}

void Client::end() {
    load_.sums.bytes += bytes_;
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

void Client::stop() {
    if (fd_ < 0) return;
    ++load_.sums.unfinished;
    end();
}

void Client::handle(base::Bytes packet, Clock::time_point now) {
    const auto parsed = codec::parse_tftp(packet);
    if (!parsed) return;
    if (const auto* const data = std::get_if<codec::TftpData>(&*parsed)) {
        const auto ahead = static_cast<std::int16_t>(data->block - static_cast<std::uint16_t>(next_));
        if (ahead != 0) {
            // RFC 7440: a gap is told once. What was there before is only acknowledged at the end of a
            // window.
            if (ahead > 0 && !gap_told_) {
                gap_told_ = true;
                last_ = now;
                acknowledge(next_ - 1);
            } else if (ahead == -1) {
                acknowledge(next_ - 1);
            }
            return;
        }
        gap_told_ = false;
        tries_ = 0;
        last_ = now;
        bytes_ += data->payload.size();
        if (!load_.settings.hash.empty()) {
            for (const std::uint8_t octet : data->payload) hash_ = (hash_ ^ octet) * 0x100000001b3ULL;
        }
        ++next_;
        ++in_window_;
        const bool final = data->payload.size() < blksize_;
        if (final || in_window_ >= windowsize_) acknowledge(next_ - 1);
        if (!final) return;
        if (load_.settings.size != 0 && bytes_ != load_.settings.size) return fail("wrong size");
        if (!load_.settings.hash.empty()) {
            std::array<char, 17> text{};
            std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(hash_));
            if (load_.settings.hash != text.data()) return fail("wrong hash");
        }
        ++load_.sums.completed;
        end();
        if (!load_.settings.once && !load_.ending) begin(now);
    } else if (const auto* const oack = std::get_if<codec::TftpOack>(&*parsed)) {
        if (next_ != 1) return;
        const auto value = [](const auto& option, unsigned otherwise) {
            return option ? static_cast<unsigned>(codec::parse_tftp_number(*option).value_or(otherwise))
                          : otherwise;
        };
        blksize_ = value(oack->options.blksize, 512);
        windowsize_ = value(oack->options.windowsize, 1);
        tries_ = 0;
        last_ = now;
        acknowledge(0);
    } else if (const auto* const error = std::get_if<codec::TftpError>(&*parsed)) {
        fail("error " + std::to_string(error->code) + " " + std::string(error->message));
    }
}

void Client::receive(Clock::time_point now) {
    // Lockstep has one packet at a time; windows are drained in batches.
    const unsigned most = windowsize_ == 1 ? 1 : batch;
    for (unsigned i = 0; i < most; ++i) {
        load_.parts[i] = {load_.buffer.data() + i * room, room};
        msghdr& header = load_.messages[i].msg_hdr;
        header = {};
        header.msg_iov = &load_.parts[i];
        header.msg_iovlen = 1;
        header.msg_name = &load_.names[i];
        header.msg_namelen = sizeof load_.names[i];
        if (load_.settings.gro) {
            header.msg_control = load_.controls[i].data();
            header.msg_controllen = load_.controls[i].size();
        }
    }
    const int count = ::recvmmsg(fd_, load_.messages.data(), most, 0, nullptr);
    if (count < 0 && errno == ECONNREFUSED) return fail("connection refused");
    for (int i = 0; i < count && fd_ >= 0; ++i) {
        const auto at = static_cast<std::size_t>(i);
        if (!connected_) {
            // Only an OACK or an ERROR can be the first packet. A repeated last block belongs to whoever had
            // this port before.
            const auto* const first = static_cast<const std::uint8_t*>(load_.parts[at].iov_base);
            if (load_.messages[at].msg_len < 2 || first[1] < 5) continue;
            to_ = load_.names[at];
            connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&to_), sizeof to_) == 0;
        }
        const std::size_t size = load_.messages[at].msg_len;
        std::size_t segment = size;
        msghdr& header = load_.messages[at].msg_hdr;
        for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
            if (c->cmsg_level != IPPROTO_UDP || c->cmsg_type != UDP_GRO) continue;
            int value = 0;
            std::memcpy(&value, CMSG_DATA(c), sizeof value);
            segment = static_cast<std::size_t>(value);
        }
        const auto* const octets = static_cast<const std::uint8_t*>(load_.parts[at].iov_base);
        const int fd = fd_;
        for (std::size_t offset = 0; offset < size && fd_ == fd; offset += segment) {
            if (load_.lose()) continue;
            handle({octets + offset, std::min(segment, size - offset)}, now);
        }
        if (fd_ != fd) return;
    }
}

void Client::look_at_time(Clock::time_point now) {
    if (fd_ < 0 || now - last_ < std::chrono::duration<double>(load_.settings.retry)) return;
    if (++tries_ > load_.settings.most_retries) return fail("no answer");
    ++load_.sums.retries;
    last_ = now;
    in_window_ = 0;
    gap_told_ = false;
    send({sent_.data(), sent_size_});
}

void Load::run() {
    const auto began = Clock::now();
    for (const auto& client : clients_) client->begin(Clock::now());
    const auto end =
        began + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(settings.seconds));
    auto looked = began;
    auto now = began;
    while (now < end) {
        std::array<epoll_event, 256> events;
        const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 50);
        now = Clock::now();
        for (int i = 0; i < count; ++i) {
            auto* const client = static_cast<Client*>(events[static_cast<std::size_t>(i)].data.ptr);
            if (client->active()) client->receive(now);
        }
        if (now - looked > std::chrono::milliseconds(50)) {
            looked = now;
            for (const auto& client : clients_) client->look_at_time(now);
        }
        if (std::ranges::none_of(clients_, [](const auto& client) { return client->active(); })) break;
    }
    ending = true;
    now = Clock::now();
    for (const auto& client : clients_) client->stop();
    const double seconds = std::chrono::duration<double>(now - began).count();
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto time = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    std::printf(
        "{\"bytes\": %llu, \"seconds\": %.3f, \"rate\": %.0f, \"completed\": %llu, \"failures\": %llu, "
        "\"unfinished\": %llu, \"retransmissions\": %llu, \"cpu\": %.3f, \"first_failure\": \"%s\"}\n",
        static_cast<unsigned long long>(sums.bytes), seconds, static_cast<double>(sums.bytes) / seconds,
        static_cast<unsigned long long>(sums.completed), static_cast<unsigned long long>(sums.failed),
        static_cast<unsigned long long>(sums.unfinished), static_cast<unsigned long long>(sums.retries),
        time(usage.ru_utime) + time(usage.ru_stime), sums.first_failure.c_str());
}

[[noreturn]] void usage() {
    std::fputs(
        "usage: tftp_load --server A --path P [--port N] [--source A]... [--clients N] [--blksize N]\n"
        "                 [--windowsize N] [--size N] [--hash FNV1A64] [--loss PERCENT] [--seconds S]\n"
        "                 [--once] [--retry S] [--gro]\n",
        stderr);
    std::exit(2);
}

template <typename T>
void set(T& to, std::string_view text) {
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), to);
    if (problem != std::errc() || end != text.data() + text.size()) usage();
}

}  // namespace

int main(int argc, char** argv) {
    Settings settings;
    for (int i = 1; i < argc; ++i) {
        const std::string_view flag = argv[i];
        const auto value = [&]() -> std::string_view { return ++i < argc ? argv[i] : (usage(), ""); };
        if (flag == "--server")
            settings.server = value();
        else if (flag == "--port")
            set(settings.port, value());
        else if (flag == "--path")
            settings.path = value();
        else if (flag == "--source")
            settings.sources.emplace_back(value());
        else if (flag == "--clients")
            set(settings.clients, value());
        else if (flag == "--blksize")
            set(settings.blksize, value());
        else if (flag == "--windowsize")
            set(settings.windowsize, value());
        else if (flag == "--size")
            set(settings.size, value());
        else if (flag == "--hash")
            settings.hash = value();
        else if (flag == "--loss")
            set(settings.loss, value());
        else if (flag == "--seconds")
            set(settings.seconds, value());
        else if (flag == "--once")
            settings.once = true;
        else if (flag == "--retry")
            set(settings.retry, value());
        else if (flag == "--gro")
            settings.gro = true;
        else
            usage();
    }
    if (settings.path.empty()) usage();
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
    Load(std::move(settings)).run();
    return 0;
}
