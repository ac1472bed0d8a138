// The TFTP server over loopback, packet by packet.
#include "servers/tftp_server.hpp"

#include "io/udp_socket.hpp"
#include "support/temporary_folder.hpp"

#include <pomona/base/shared_state.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace pomona::servers {
namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;
using codec::TftpAck;
using codec::TftpData;
using codec::TftpError;
using codec::TftpRequest;

const base::Ipv4Address loopback(127, 0, 0, 1);

/// One client port that speaks to the server by hand.
class Peer {
  public:
    explicit Peer(std::uint16_t server, base::Ipv4Address own = loopback)
        : socket_(std::move(*io::UdpSocket::bind({own, 0}))), own_(own), server_{loopback, server} {}

    template <typename Packet>
    void send(const Packet& packet, std::optional<std::uint16_t> port = std::nullopt) {
        std::array<std::uint8_t, 2000> room{};
        base::ByteWriter to(room);
        codec::write_tftp(to, packet);
        send_raw(base::as_text(to.written()), port);
    }
    void send_raw(std::string_view octets, std::optional<std::uint16_t> port = std::nullopt) {
        const io::UdpRoute route{own_, {loopback, port.value_or(transfer_port_.value_or(server_.port))}};
        socket_.send(base::as_bytes(octets), octets.size(), &route, false);
    }
    /// A request always goes to the well-known port.
    void request(std::string_view path, const codec::TftpOptions& options = {},
                 codec::TftpMode mode = codec::TftpMode::octet, bool write = false) {
        transfer_port_.reset();
        send(TftpRequest{write, path, mode, options});
    }

    /// The next packet, as octets; empty if none comes in time.
    std::string receive(std::chrono::milliseconds patience = 2s) {
        pollfd wanted{socket_.descriptor(), POLLIN, 0};
        if (::poll(&wanted, 1, static_cast<int>(patience.count())) != 1) return {};
        const auto arrival = socket_.receive(buffer_);
        if (!arrival) return {};
        transfer_port_ = arrival->from.port;
        return std::string(base::as_text({buffer_.data(), arrival->size}));
    }
    [[nodiscard]] std::uint16_t transfer_port() const { return transfer_port_.value_or(0); }
    [[nodiscard]] std::uint16_t own_port() const { return socket_.port(); }

    /// Fetches the rest block by block or window by window.
    std::string fetch(std::size_t blksize = 512, unsigned windowsize = 1) {
        std::string content;
        std::uint16_t next = 1;
        for (unsigned in_window = 0;;) {
            const std::string packet = receive();
            if (packet.empty()) return "nothing came";
            const auto parsed = codec::parse_tftp(base::as_bytes(packet));
            const auto* const data = parsed ? std::get_if<TftpData>(&*parsed) : nullptr;
            if (data == nullptr || data->block != next) return "unexpected packet";
            content += base::as_text(data->payload);
            const bool last = data->payload.size() < blksize;
            if (last || ++in_window == windowsize) {
                send(TftpAck{next});
                in_window = 0;
            }
            if (last) return content;
            ++next;
        }
    }

  private:
    io::UdpSocket socket_;
    base::Ipv4Address own_;
    base::Endpoint server_;
    std::optional<std::uint16_t> transfer_port_;
    std::array<std::uint8_t, 65536> buffer_{};
};

std::string error_packet(char code, std::string_view text) {
    return std::string("\0\5\0"sv) + code + std::string(text) + '\0';
}

class TftpServerOverLoopback : public testing::TestWithParam<bool> {
  protected:
    TftpServerOverLoopback() {
        folder_.write("small", "hello");
        folder_.write("text", "one\ntwo\r");
        folder_.write("kilo", std::string(1024, 'k'));
        for (int i = 0; i < 100'000; ++i) large_ += static_cast<char>(i * 7 + i / 256);
        folder_.write("large", large_);
        options_.port = 0;
        options_.addresses = {loopback};
        options_.single_port = GetParam();
        options_.timing.first_timeout = 100ms;
        options_.timing.give_up = 1s;
        options_.on_end = [this](const TftpReport& report) {
            reports_.with([&](auto& list) { list.push_back(report); });
        };
    }
    ~TftpServerOverLoopback() override { stop(); }

    void start() {
        auto opened =
            TftpServer::open(options_, std::make_shared<Content>(std::vector<ContentRoot>{}, folder_.path()));
        ASSERT_TRUE(opened) << opened.error().text();
        server_ = std::move(*opened);
        thread_ = std::jthread([this](const std::stop_token& stop) { server_->run(stop); });
    }
    void stop() {
        if (!thread_.joinable()) return;
        thread_.request_stop();
        thread_.join();
    }
    Peer peer() { return Peer(server_->port()); }
    /// The next report, waiting for it; the end is TimedOut with an empty path if none comes.
    TftpReport report(std::chrono::milliseconds patience = 3s) {
        const auto end = std::chrono::steady_clock::now() + patience;
        while (std::chrono::steady_clock::now() < end) {
            std::optional<TftpReport> first;
            reports_.with([&](auto& list) {
                if (list.empty()) return;
                first = list.front();
                list.erase(list.begin());
            });
            if (first) return *first;
            std::this_thread::sleep_for(2ms);
        }
        TftpReport none;
        none.end = TftpEnd::timed_out;
        none.detail = "no report came";
        return none;
    }

    tests::TemporaryFolder folder_;
    std::string large_;
    TftpServerOptions options_;
    base::Guarded<std::vector<TftpReport>> reports_;
    std::unique_ptr<TftpServer> server_;
    std::jthread thread_;
};

INSTANTIATE_TEST_SUITE_P(Ports, TftpServerOverLoopback, testing::Bool(), [](const auto& parameter) {
    return parameter.param ? "SinglePort" : "PortPerTransfer";
});

TEST_P(TftpServerOverLoopback, SendsAFileWithoutOptions) {
    start();
    Peer client = peer();
    client.request("small");
    EXPECT_EQ(client.fetch(), "hello");
    EXPECT_EQ(client.transfer_port() == server_->port(), GetParam());
    const TftpReport ended = report();
    EXPECT_EQ(ended.end, TftpEnd::completed);
    EXPECT_EQ(ended.path, "small");
    EXPECT_EQ(ended.file, folder_ / "small");
    EXPECT_EQ(ended.bytes, 5U);
    EXPECT_EQ(ended.client, (base::Endpoint{loopback, client.own_port()}));
    EXPECT_EQ(ended.local, loopback);
    EXPECT_EQ(server_->counters().completed, 1U);
    EXPECT_EQ(server_->counters().running, 0U);
}

TEST_P(TftpServerOverLoopback, WindowsArriveWhole) {
    start();
    Peer client = peer();
    client.request("large", {"1456", {}, "0", "16"});
    EXPECT_EQ(client.receive(), "\0\6tsize\000100000\0blksize\0001456\0windowsize\00016\0"sv);
    client.send(TftpAck{0});
    EXPECT_EQ(client.fetch(1456, 16), large_);
    EXPECT_EQ(report().retransmissions, 0U);
}

TEST_P(TftpServerOverLoopback, BlocksLargerThanTheMtuFallBackToSingleDatagrams) {
    options_.limits.max_blksize = 65464;
    start();
    Peer client = peer();
    client.request("large", {"65464", {}, {}, "4"});
    EXPECT_EQ(client.receive(), "\0\6blksize\00065464\0windowsize\0004\0"sv);
    client.send(TftpAck{0});
    EXPECT_EQ(client.fetch(65464, 4), large_);
}

TEST_P(TftpServerOverLoopback, NetasciiConverts) {
    start();
    Peer client = peer();
    client.request("text", {{}, {}, "0", {}}, codec::TftpMode::netascii);
    EXPECT_EQ(client.fetch(), "one\r\ntwo\r\0"sv) << "no OACK: the size on the wire is not known";
}

TEST_P(TftpServerOverLoopback, RefusalsComeAtOnceWithTheirCode) {
    folder_.write("locked", "x");
    std::filesystem::create_symlink("/etc/passwd", folder_ / "link");
    start();
    Peer client = peer();
    client.request("missing");
    EXPECT_EQ(client.receive(), error_packet(1, "no such file"));
    const TftpReport missing = report();
    EXPECT_EQ(missing.end, TftpEnd::not_found);
    EXPECT_EQ(missing.file, folder_ / "missing") << "the path that was looked for";
    client.request("../etc/passwd");
    EXPECT_EQ(client.receive(), error_packet(2, "`..` is not allowed in a path"));
    EXPECT_EQ(report().end, TftpEnd::access_denied);
    client.request("link");
    EXPECT_EQ(client.receive(), error_packet(2, "it leads out of the root folder"));
    EXPECT_EQ(report().end, TftpEnd::access_denied);
    client.request("new", {}, codec::TftpMode::octet, true);
    EXPECT_EQ(client.receive(), error_packet(2, "this server is read-only"));
    EXPECT_EQ(report().end, TftpEnd::write_refused);
    client.request("small", {"7", {}, {}, {}});
    EXPECT_EQ(client.receive(), error_packet(8, "blksize is not a number from 8 to 65464"));
    EXPECT_EQ(report().end, TftpEnd::option_refused);
    client.send_raw("\0\1small\0mail\0"sv, server_->port());
    EXPECT_EQ(client.receive(), error_packet(4, "unknown mode"));
    EXPECT_EQ(report().end, TftpEnd::malformed);
    client.send_raw("\0\x9zzz"sv, server_->port());
    EXPECT_EQ(client.receive(), error_packet(4, "unknown opcode 9"));
    EXPECT_EQ(report().end, TftpEnd::malformed);
    client.send(TftpAck{7}, server_->port());
    EXPECT_EQ(client.receive(), error_packet(5, "no such transfer"));
    client.send(TftpError{0, "never answered"}, server_->port());
    client.send_raw("x", server_->port());
    client.send_raw("", server_->port());
    EXPECT_EQ(client.receive(100ms), "");
    EXPECT_EQ(server_->counters().refused, 7U);
}

TEST_P(TftpServerOverLoopback, TheSizeQuestionOfUefiFirmwareIsNoFailure) {
    start();
    Peer client = peer();
    client.request("large", {"1468", {}, "0", "4"});
    EXPECT_EQ(client.receive(), "\0\6tsize\000100000\0blksize\0001456\0windowsize\0004\0"sv);
    client.send(TftpError{8, "User aborted the transfer"});
    const TftpReport ended = report();
    EXPECT_EQ(ended.end, TftpEnd::declined);
    EXPECT_TRUE(ended.succeeded());
    client.request("large", {"1468", {}, {}, "4"});
    EXPECT_EQ(client.receive(), "\0\6blksize\0001456\0windowsize\0004\0"sv);
    client.send(TftpAck{0});
    EXPECT_EQ(client.fetch(1456, 4), large_);
}

TEST_P(TftpServerOverLoopback, AnAbortingClientEndsItsTransfer) {
    start();
    Peer client = peer();
    client.request("large");
    EXPECT_EQ(client.receive().size(), 516U);
    client.send(TftpError{0, "closed"});
    const TftpReport ended = report();
    EXPECT_EQ(ended.end, TftpEnd::aborted);
    EXPECT_EQ(ended.detail, "error 0: closed");
    EXPECT_EQ(ended.bytes, 0U);
}

TEST_P(TftpServerOverLoopback, ASilentClientIsAskedAgainThenGivenUp) {
    start();
    Peer client = peer();
    client.request("kilo");
    const std::string first = client.receive();
    EXPECT_EQ(first.size(), 516U);
    EXPECT_EQ(client.receive(), first);
    EXPECT_EQ(client.receive(), first);
    const TftpReport ended = report();
    EXPECT_EQ(ended.end, TftpEnd::timed_out);
    EXPECT_GE(ended.retransmissions, 2U);
    EXPECT_LT(ended.duration, 2s);
}

TEST_P(TftpServerOverLoopback, ADuplicateAckIsNotAnswered) {
    start();
    Peer client = peer();
    client.request("large");
    client.receive();
    client.send(TftpAck{1});
    client.send(TftpAck{1});
    client.send(TftpAck{1});
    EXPECT_EQ(client.receive().substr(0, 4), "\0\3\0\2"sv);
    client.send(TftpAck{2});
    EXPECT_EQ(client.receive().substr(0, 4), "\0\3\0\3"sv);
    EXPECT_EQ(client.receive(10ms), "");
}

TEST_P(TftpServerOverLoopback, ARequestThatTheNetworkCopiedStartsOneTransfer) {
    start();
    Peer client = peer();
    client.request("small");
    client.request("small");
    EXPECT_EQ(client.receive().substr(4), "hello");
    EXPECT_EQ(client.receive(50ms), "");
    client.send(TftpAck{1});
    EXPECT_EQ(report().end, TftpEnd::completed);
}

TEST_P(TftpServerOverLoopback, AnotherRequestFromTheSamePortReplacesTheFirst) {
    start();
    Peer client = peer();
    client.request("large");
    EXPECT_EQ(client.receive().size(), 516U);
    client.request("small");
    EXPECT_EQ(client.receive().substr(4), "hello");
    client.send(TftpAck{1});
    EXPECT_EQ(report().end, TftpEnd::replaced);
    EXPECT_EQ(report().end, TftpEnd::completed);
}

TEST_P(TftpServerOverLoopback, LimitsHold) {
    options_.max_transfers = 3;
    options_.max_transfers_per_client = 2;
    start();
    Peer a(server_->port()), b(server_->port()), c(server_->port());
    Peer d(server_->port(), {127, 0, 0, 2}), e(server_->port(), {127, 0, 0, 3});
    a.request("large");
    EXPECT_EQ(a.receive().size(), 516U);
    b.request("large");
    EXPECT_EQ(b.receive().size(), 516U);
    c.request("large");
    EXPECT_EQ(c.receive(),
              error_packet(0, "too many transfers of this client (tftp-max-transfers-per-client)"));
    d.request("large");
    EXPECT_EQ(d.receive().size(), 516U);
    e.request("large");
    EXPECT_EQ(e.receive(), error_packet(0, "too many transfers (tftp-max-transfers)"));
    a.send(TftpError{0, "room for others"});
    while (server_->counters().running == 3) std::this_thread::sleep_for(1ms);
    e.request("small");
    EXPECT_EQ(e.receive().substr(4), "hello");
}

TEST_P(TftpServerOverLoopback, AFileThatShrinksEndsInAnError) {
    start();
    Peer client = peer();
    client.request("large");
    client.receive();
    std::filesystem::resize_file(folder_ / "large", 600);
    std::string packet;
    for (std::uint16_t block = 1; block < 100; ++block) {
        client.send(TftpAck{block});
        packet = client.receive();
        if (packet.starts_with("\0\5"sv)) break;
    }
    EXPECT_EQ(packet, error_packet(0, "the file became shorter while it was sent"));
    EXPECT_EQ(report().end, TftpEnd::file_error);
}

TEST_P(TftpServerOverLoopback, StoppingTellsTheClients) {
    start();
    Peer client = peer();
    client.request("large");
    client.receive();
    stop();
    EXPECT_EQ(client.receive(), error_packet(0, "the server is stopping"));
    EXPECT_EQ(report().end, TftpEnd::server_stopped);
}

TEST_P(TftpServerOverLoopback, SeveralWorkersShareTheClients) {
    options_.workers = 3;
    start();
    for (std::uint8_t host = 1; host < 20; ++host) {
        Peer client(server_->port(), {127, 0, 0, host});
        client.request("small");
        EXPECT_EQ(client.fetch(), "hello");
        EXPECT_EQ(report().end, TftpEnd::completed);
    }
}

TEST_P(TftpServerOverLoopback, NewContentServesNewRequests) {
    start();
    folder_.write("other/only-there", "new");
    Peer client = peer();
    client.request("only-there");
    EXPECT_EQ(client.receive(), error_packet(1, "no such file"));
    server_->publish(std::make_shared<Content>(std::vector<ContentRoot>{}, folder_ / "other"));
    client.request("only-there");
    EXPECT_EQ(client.receive().substr(4), "new");
}

TEST(TftpServer, TransfersUseTheGivenPorts) {
    const tests::TemporaryFolder folder;
    folder.write("small", "hello");
    TftpServerOptions options;
    options.port = 0;
    options.addresses = {loopback};
    options.first_port = 47'100;
    options.last_port = 47'101;
    auto server =
        TftpServer::open(options, std::make_shared<Content>(std::vector<ContentRoot>{}, folder.path()));
    ASSERT_TRUE(server);
    const std::jthread thread([&](const std::stop_token& stop) { (*server)->run(stop); });
    Peer a((*server)->port()), b((*server)->port()), c((*server)->port());
    a.request("small");
    b.request("small");
    EXPECT_EQ(a.receive().substr(4), "hello");
    EXPECT_EQ(b.receive().substr(4), "hello");
    EXPECT_EQ(a.transfer_port() + b.transfer_port(), 47'100 + 47'101);
    c.request("small");
    EXPECT_EQ(c.receive(), error_packet(0, "no free port (tftp-port-range)"));
}

TEST(TftpServer, ATakenPortNamesSettingAndRemedy) {
    const auto held = io::UdpSocket::bind({loopback, 0});
    ASSERT_TRUE(held);
    TftpServerOptions options;
    options.port = held->port();
    options.addresses = {loopback};
    const auto server = TftpServer::open(options, std::make_shared<Content>(std::vector<ContentRoot>{}, ""));
    ASSERT_FALSE(server);
    EXPECT_THAT(server.error().what, testing::HasSubstr("belongs to another program"));
    EXPECT_EQ(server.error().where, "tftp-port = " + std::to_string(held->port()));
    EXPECT_THAT(server.error().remedy, testing::HasSubstr("tftp = external"));
}

TEST(TftpServer, AnAddressOfAnotherMachineIsAnError) {
    TftpServerOptions options;
    options.port = 0;
    options.addresses = {base::Ipv4Address(192, 0, 2, 1)};
    const auto server = TftpServer::open(options, std::make_shared<Content>(std::vector<ContentRoot>{}, ""));
    ASSERT_FALSE(server);
    EXPECT_EQ(server.error().where, "tftp on 192.0.2.1:0");
}

TEST(TftpServer, AReversedPortRangeIsAnError) {
    TftpServerOptions options;
    options.port = 0;
    options.first_port = 10;
    options.last_port = 9;
    EXPECT_FALSE(TftpServer::open(options, std::make_shared<Content>(std::vector<ContentRoot>{}, "")));
}

}  // namespace
}  // namespace pomona::servers
