// TcpListener and TcpState over loopback.
#include "io/tcp_socket.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

namespace pomona::io {
namespace {

using namespace std::chrono_literals;

const base::Ipv4Address loopback(127, 0, 0, 1);

/// True as soon as it is so, or not within two seconds.
bool soon(const std::function<bool()>& question) {
    for (const auto end = std::chrono::steady_clock::now() + 2s; std::chrono::steady_clock::now() < end;) {
        if (question()) return true;
        std::this_thread::sleep_for(1ms);
    }
    return false;
}

class TcpPair : public testing::Test {
  protected:
    TcpPair() : listener_(*TcpListener::open({loopback, 0})) {
        peer_ = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in server{};
        server.sin_family = AF_INET;
        server.sin_port = htons(listener_.port());
        server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::connect(peer_.get(), reinterpret_cast<const sockaddr*>(&server), sizeof server), 0);
        auto arrival = listener_.accept();
        EXPECT_TRUE(arrival);
        if (arrival) ours_ = std::move(arrival->descriptor), from_ = arrival->from, to_ = arrival->to;
    }
    [[nodiscard]] TcpState state() const { return tcp_state(ours_.get()); }
    void send(int descriptor, std::string_view text) const {
        EXPECT_EQ(::send(descriptor, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    }

    TcpListener listener_;
    Descriptor peer_;
    Descriptor ours_;
    base::Endpoint from_;
    base::Endpoint to_;
};

TEST_F(TcpPair, BothEndsAreKnown) {
    EXPECT_EQ(from_.address, loopback);
    EXPECT_NE(from_.port, 0);
    EXPECT_EQ(to_, (base::Endpoint{loopback, listener_.port()}));
    EXPECT_EQ(listener_.accept().error(), EAGAIN);
    EXPECT_EQ(TcpListener::open({loopback, listener_.port()}).error(), EADDRINUSE);
}

TEST_F(TcpPair, OctetsAreCounted) {
    EXPECT_TRUE(state().open);
    send(peer_.get(), "question");
    EXPECT_TRUE(soon([&] { return state().unread == 8; }));
    EXPECT_EQ(state().received, 8U);
    send(ours_.get(), "an answer");
    EXPECT_TRUE(soon([&] { return state().unacknowledged == 0 && state().acknowledged == 9; }));
}

TEST_F(TcpPair, TheEndsAreSeen) {
    EXPECT_FALSE(state().peer_finished);
    ::shutdown(peer_.get(), SHUT_WR);
    EXPECT_TRUE(soon([&] { return state().peer_finished; }));
    EXPECT_TRUE(state().open);
    ::shutdown(ours_.get(), SHUT_WR);
    EXPECT_TRUE(soon([&] { return !state().open; }));
    EXPECT_EQ(state().unacknowledged, 0U);
}

TEST_F(TcpPair, AFullPeerTakesNone) {
    const int small = 4096;
    ::setsockopt(peer_.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    const std::string much(4 << 20, 'x');
    ASSERT_GT(::send(ours_.get(), much.data(), much.size(), MSG_DONTWAIT), 0);
    EXPECT_TRUE(soon([&] { return state().peer_takes_none; }));
    EXPECT_GT(state().unacknowledged, 0U);
}

TEST_F(TcpPair, AResetIsAReset) {
    reset_tcp(ours_.get());
    EXPECT_FALSE(state().open);
    char octet = 0;
    EXPECT_EQ(::recv(peer_.get(), &octet, 1, 0), -1);
    EXPECT_EQ(errno, ECONNRESET);
}

TEST_F(TcpPair, AResetMayComeWithTheClosing) {
    reset_tcp_when_closed(ours_.get());
    EXPECT_TRUE(state().open);
    ours_.close();
    char octet = 0;
    EXPECT_EQ(::recv(peer_.get(), &octet, 1, 0), -1);
    EXPECT_EQ(errno, ECONNRESET);
}

TEST(TcpStateOfNothing, IsZero) {
    EXPECT_FALSE(tcp_state(-1).open);
    EXPECT_EQ(tcp_state(-1).received, 0U);
}

}  // namespace
}  // namespace pomona::io
