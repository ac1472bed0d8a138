#include "io/udp_port.hpp"

#include "support/net_namespace.hpp"

#include <pomona/base/addresses.hpp>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace pomona::io {
namespace {

using base::Ipv4Address;

sockaddr_in socket_address(Ipv4Address address, std::uint16_t port) {
    sockaddr_in result{};
    result.sin_family = AF_INET;
    result.sin_port = htons(port);
    result.sin_addr.s_addr = htonl(address.value());
    return result;
}

class Socket {
  public:
    Socket(int type, int protocol) : descriptor_(socket(AF_INET, type, protocol)) {}
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    ~Socket() { close(descriptor_); }

    void share() {
        const int on = 1;
        setsockopt(descriptor_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    }
    bool bind_to(Ipv4Address address, std::uint16_t port) {
        const auto to = socket_address(address, port);
        return bind(descriptor_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
    }
    void send_to(Ipv4Address address, std::uint16_t port, const std::string& text) {
        const auto to = socket_address(address, port);
        EXPECT_EQ(sendto(descriptor_, text.data(), text.size(), 0, reinterpret_cast<const sockaddr*>(&to),
                         sizeof to),
                  static_cast<ssize_t>(text.size()));
    }
    // What comes within 300 ms.
    std::optional<std::vector<std::uint8_t>> receive() {
        pollfd waiting{descriptor_, POLLIN, 0};
        if (poll(&waiting, 1, 300) != 1) return std::nullopt;
        std::array<std::uint8_t, 2000> buffer{};
        const ssize_t length = recv(descriptor_, buffer.data(), buffer.size(), 0);
        if (length < 0) return std::nullopt;
        return std::vector<std::uint8_t>(buffer.begin(), buffer.begin() + length);
    }

  private:
    int descriptor_;
};

class UdpPortTest : public testing::Test {
  protected:
    UdpPortTest() {
        cable_.near.run("ip addr add 10.9.0.1/24 dev near0");
        cable_.far.run("ip addr add 10.9.0.2/24 dev far0");
    }
    // Sends a datagram to near's port 67 and waits for the ICMP error.
    bool icmp_error_comes() {
        const auto inside = cable_.far.enter();
        Socket ear(SOCK_RAW, IPPROTO_ICMP);
        Socket udp(SOCK_DGRAM, 0);
        udp.send_to(near_address_, 67, "hello");
        const auto packet = ear.receive();
        constexpr std::size_t icmp_type = 20;
        return packet && packet->size() > icmp_type && (*packet)[icmp_type] == 3;
    }

    const Ipv4Address near_address_{10, 9, 0, 1};
    const Ipv4Address far_address_{10, 9, 0, 2};
    tests::Cable cable_;
};

TEST_F(UdpPortTest, AHeldPortSendsNoIcmpErrorUntilItGoes) {
    EXPECT_TRUE(icmp_error_comes()) << "what holding is for";
    {
        const auto inside = cable_.near.enter();
        auto held = HeldUdpPort::hold(67);
        ASSERT_TRUE(held) << held.error().text();
        EXPECT_FALSE(icmp_error_comes());
        HeldUdpPort moved = std::move(*held);
        EXPECT_FALSE(icmp_error_comes());
    }
    EXPECT_TRUE(icmp_error_comes());
}

// Else our socket, being the newer one, would swallow that program's unicast datagrams.
TEST_F(UdpPortTest, APortOfASharingProgramIsLeftToIt) {
    const auto inside = cable_.near.enter();
    Socket other(SOCK_DGRAM, 0);
    other.share();
    ASSERT_TRUE(other.bind_to({}, 67));
    const auto held = HeldUdpPort::hold(67);
    ASSERT_FALSE(held);
    EXPECT_EQ(held.error().text(), "UDP port 67: Another program holds the port");
    EXPECT_FALSE(icmp_error_comes());
    EXPECT_TRUE(other.receive());
}

TEST_F(UdpPortTest, ASharingProgramThatComesLaterGetsEverything) {
    const auto inside = cable_.near.enter();
    const auto held = HeldUdpPort::hold(67);
    ASSERT_TRUE(held);
    Socket later(SOCK_DGRAM, 0);
    later.share();
    ASSERT_TRUE(later.bind_to({}, 67));
    EXPECT_FALSE(icmp_error_comes());
    EXPECT_TRUE(later.receive());
}

class RoutedSenderTest : public UdpPortTest {
  protected:
    // An IPv4 packet with an empty UDP datagram, as a relay would get it.
    static std::vector<std::uint8_t> packet(Ipv4Address from, Ipv4Address to, std::size_t payload = 4) {
        std::vector<std::uint8_t> octets(28 + payload);
        base::ByteWriter writer(octets);
        writer.u16(0x4500);
        writer.u16(static_cast<std::uint16_t>(octets.size()));
        writer.u32(0);
        writer.u8(64);
        writer.u8(17);
        writer.u16(0);
        writer.u32(from.value());
        writer.u32(to.value());
        writer.u16(67);
        writer.u16(67);
        writer.u16(static_cast<std::uint16_t>(8 + payload));
        writer.u16(0);
        return octets;
    }
    base::Result<void> send(const std::vector<std::uint8_t>& octets) {
        const auto inside = cable_.near.enter();
        auto sender = RoutedSender::open();
        if (!sender) return std::unexpected(sender.error());
        RoutedSender moved = std::move(*sender);
        return moved.send(octets);
    }
};

TEST_F(RoutedSenderTest, ReachesANetworkBehindTheNextHop) {
    // The relay's address is on no cable of ours; near has only a route to it.
    cable_.far.run("ip addr add 10.77.0.1/24 dev lo");
    cable_.near.run("ip route add 10.77.0.0/24 via 10.9.0.2");
    const auto inside = cable_.far.enter();
    Socket relay(SOCK_DGRAM, 0);
    ASSERT_TRUE(relay.bind_to(Ipv4Address(10, 77, 0, 1), 67));
    const auto sent = send(packet(near_address_, Ipv4Address(10, 77, 0, 1)));
    ASSERT_TRUE(sent) << sent.error().text();
    const auto received = relay.receive();
    ASSERT_TRUE(received);
    EXPECT_EQ(received->size(), 4U);
}

TEST_F(RoutedSenderTest, SaysInWordsWhatFailed) {
    EXPECT_EQ(send(packet(near_address_, Ipv4Address(192, 0, 2, 1))).error().text(),
              "sending to 192.0.2.1: There is no route; add one on this host: `ip route add ...`");
    EXPECT_EQ(send(packet(near_address_, far_address_, 2000)).error().text(),
              "sending to 10.9.0.2: The packet is longer than the way's MTU");
    EXPECT_EQ(send(packet(near_address_, Ipv4Address(10, 9, 0, 255))).error().text(),
              "sending to 10.9.0.255: The destination is a broadcast address");
    EXPECT_EQ(send({}).error().text(), "routed sending: Not an IPv4 packet");
    EXPECT_EQ(send(std::vector<std::uint8_t>(40, 0x60)).error().text(), "routed sending: Not an IPv4 packet");
}

}  // namespace
}  // namespace pomona::io
