// The HTTP server over loopback, with handlers of the test's own.
#include "servers/http_server.hpp"

#include "support/temporary_folder.hpp"

#include <pomona/base/shared_state.hpp>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace pomona::servers {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

const base::Ipv4Address loopback(127, 0, 0, 1);

class Peer {
  public:
    explicit Peer(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in server{};
        server.sin_family = AF_INET;
        server.sin_port = htons(port);
        server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&server), sizeof server), 0);
        const timeval patience{.tv_sec = 5, .tv_usec = 0};
        ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    }
    void send(std::string_view text) const {
        EXPECT_EQ(::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(text.size()));
    }
    /// Until the end of the connection, or until `enough` stands in it.
    std::string receive(std::string_view enough = {}) const {
        std::string all;
        std::array<char, 65536> part{};
        while (enough.empty() || !all.contains(enough)) {
            const ssize_t count = ::recv(socket_.get(), part.data(), part.size(), 0);
            if (count <= 0) break;
            all.append(part.data(), static_cast<std::size_t>(count));
        }
        return all;
    }

  private:
    io::Descriptor socket_;
};

HttpReply text_reply(std::string text) {
    HttpReply reply;
    reply.headers.emplace_back("Content-Type", "text/plain");
    reply.body.emplace_back(std::move(text));
    return reply;
}

class HttpServerOverLoopback : public testing::Test {
  protected:
    HttpServerOverLoopback() {
        options_.port = 0;
        options_.addresses = {loopback};
        options_.on_end = [this](const HttpReport& report) {
            reports_.with([&](auto& list) { list.push_back(report); });
        };
    }
    ~HttpServerOverLoopback() override { stop(); }

    void start(HttpHandler handler) {
        auto opened = HttpServer::open(options_, std::move(handler));
        ASSERT_TRUE(opened) << opened.error().text();
        server_ = std::move(*opened);
        thread_ = std::jthread([this](const std::stop_token& stop) { server_->run(stop); });
    }
    void stop() {
        if (!thread_.joinable()) return;
        thread_.request_stop();
        thread_.join();
    }
    [[nodiscard]] Peer peer() const { return Peer(server_->port()); }
    std::string fetch(std::string_view path, std::string_view method = "GET") const {
        const Peer client = peer();
        client.send(std::string(method) + " " + std::string(path) +
                    " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        return client.receive();
    }
    /// The next report, waiting for it.
    HttpReport report() {
        const auto end = std::chrono::steady_clock::now() + 5s;
        while (std::chrono::steady_clock::now() < end) {
            std::optional<HttpReport> first;
            reports_.with([&](auto& list) {
                if (list.empty()) return;
                first = list.front();
                list.erase(list.begin());
            });
            if (first) return *first;
            std::this_thread::sleep_for(2ms);
        }
        ADD_FAILURE() << "no report came";
        return {};
    }

    HttpServerOptions options_;
    tests::TemporaryFolder folder_;
    std::unique_ptr<HttpServer> server_;

  private:
    base::Guarded<std::vector<HttpReport>> reports_{std::vector<HttpReport>{}};
    std::jthread thread_;
};

TEST_F(HttpServerOverLoopback, TheHandlerSeesTheRequestAndItsAnswerIsSent) {
    base::Guarded<std::string> seen{std::string()};
    start([&](const HttpRequest& request) {
        seen.with([&](std::string& text) {
            text = std::string(request.method) + ' ' + request.target.path + ' ' +
                   std::string(request.target.value("mac").value_or("none")) + ' ' +
                   std::string(request.range) + ' ' + std::string(request.user_agent) + ' ' +
                   std::string(request.host) + ' ' + request.client.address.text() + ' ' +
                   request.local.text();
        });
        return text_reply("hello");
    });
    const Peer client = peer();
    client.send("GET /a%20b?mac=52%3A54 HTTP/1.1\r\nHost: h\r\nUser-Agent: GRUB\r\nRange: bytes=1-\r\n\r\n");
    const std::string answer = client.receive("hello");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("\r\nContent-Length: 5\r\n"));
    EXPECT_THAT(answer, EndsWith("\r\n\r\nhello"));
    EXPECT_EQ(seen.with([](const std::string& text) { return text; }),
              "GET /a b 52:54 bytes=1- GRUB h 127.0.0.1 127.0.0.1");
    const HttpReport told = report();
    EXPECT_EQ(told.end, HttpEnd::completed);
    EXPECT_EQ(told.target, "/a%20b?mac=52%3A54");
    EXPECT_EQ(told.bytes, 5U);
    EXPECT_EQ(told.status, 200U);
}

TEST_F(HttpServerOverLoopback, HeadIsAnsweredWithoutTheBody) {
    start([](const HttpRequest&) { return text_reply("hello"); });
    const std::string answer = fetch("/", "HEAD");
    EXPECT_THAT(answer, HasSubstr("\r\nContent-Length: 5\r\n"));
    EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
}

TEST_F(HttpServerOverLoopback, PartsOfTextAndFileComeInTheirOrder) {
    const std::string path = folder_.write("file", "0123456789");
    start([&](const HttpRequest&) {
        HttpReply reply;
        reply.file = *io::File::open_beneath(folder_.path(), "file");
        reply.body = {HttpPart("<"), HttpPart(HttpFilePart{7, 3}), HttpPart("|"),
                      HttpPart(HttpFilePart{0, 2}), HttpPart(">")};
        return reply;
    });
    EXPECT_THAT(fetch("/"), EndsWith("\r\n\r\n<789|01>"));
}

TEST_F(HttpServerOverLoopback, AFileThatShrinksIsToldAndCut) {
    folder_.write("file", std::string(100, 'x'));
    start([&](const HttpRequest& request) {
        HttpReply reply;
        reply.file = *io::File::open_beneath(folder_.path(), "file");
        reply.body.emplace_back(HttpFilePart{0, 1'000'000});
        if (request.target.path == "/pieces") reply.body.emplace_back("end");
        return reply;
    });
    for (const char* path : {"/whole", "/pieces"}) {
        const std::string answer = fetch(path);
        EXPECT_LT(answer.size(), 1000U);
        EXPECT_EQ(report().end, HttpEnd::file_error) << path;
    }
}

TEST_F(HttpServerOverLoopback, AHandlerThatThrowsCostsOnlyItsAnswer) {
    start([](const HttpRequest& request) -> HttpReply {
        if (request.target.path == "/throw") throw std::runtime_error("no luck");
        return text_reply("fine");
    });
    EXPECT_THAT(fetch("/throw"), StartsWith("HTTP/1.1 500 "));
    EXPECT_EQ(report().detail, "no luck");
    EXPECT_THAT(fetch("/"), EndsWith("fine"));
}

TEST_F(HttpServerOverLoopback, ATargetThatCannotBeDecodedNeverReachesTheHandler) {
    start([](const HttpRequest&) { return text_reply("seen"); });
    EXPECT_THAT(fetch("/a%00b"), StartsWith("HTTP/1.1 400 "));
    EXPECT_THAT(fetch("/a%4"), StartsWith("HTTP/1.1 400 "));
    EXPECT_EQ(report().end, HttpEnd::refused);
}

TEST_F(HttpServerOverLoopback, ConnectionsBeyondTheLimitAreToldSo) {
    options_.max_connections_per_client = 2;
    options_.next_request = 300ms;
    start([](const HttpRequest&) { return text_reply("fine"); });
    const Peer one = peer();
    const Peer two = peer();
    for (const Peer* client : {&one, &two}) {
        client->send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        EXPECT_THAT(client->receive("fine"), EndsWith("fine"));
    }
    EXPECT_THAT(fetch("/"), StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(one.receive(), "") << "idle connections end by themselves";
}

TEST_F(HttpServerOverLoopback, APortThatIsTakenIsToldWithItsRemedy) {
    start([](const HttpRequest&) { return HttpReply(); });
    HttpServerOptions second = options_;
    second.port = server_->port();
    const auto refused = HttpServer::open(second, [](const HttpRequest&) { return HttpReply(); });
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().text(), HasSubstr("belongs to another program"));
    EXPECT_THAT(refused.error().where, StartsWith("http-port = "));
    EXPECT_THAT(refused.error().remedy, HasSubstr("http-port"));
}

TEST(HttpEndNames, AreDistinct) {
    std::vector<std::string_view> names;
    for (int end = 0; end <= static_cast<int>(HttpEnd::server_stopped); ++end)
        names.push_back(http_end_name(static_cast<HttpEnd>(end)));
    std::ranges::sort(names);
    EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
    EXPECT_EQ(std::ranges::count(names, "unknown"), 0);
}

}  // namespace
}  // namespace pomona::servers
