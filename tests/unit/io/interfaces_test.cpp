#include "io/interfaces.hpp"

#include "support/net_namespace.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <stdexcept>

namespace pomona::io {
namespace {

using base::Ipv4Network;

Interface find(const std::vector<Interface>& all, const std::string& name) {
    const auto found = std::ranges::find(all, name, &Interface::name);
    if (found == all.end()) throw std::runtime_error("no interface " + name);
    return *found;
}

class InterfacesTest : public testing::Test {
  protected:
    std::vector<Interface> list() {
        const auto inside = cable_.near.enter();
        return list_interfaces();
    }
    tests::Cable cable_;
};

TEST_F(InterfacesTest, TellsNameMacMtuAndState) {
    cable_.near.run("ip link set near0 mtu 1400");
    const auto all = list();
    ASSERT_EQ(all.size(), 2U);
    EXPECT_TRUE(all[0].loopback);
    EXPECT_TRUE(all[0].up);
    EXPECT_FALSE(all[0].ethernet);
    EXPECT_EQ(all[0].addresses, std::vector{*Ipv4Network::parse("127.0.0.1/8")});
    EXPECT_EQ(all[1].name, "near0");
    EXPECT_GT(all[1].index, all[0].index);
    EXPECT_EQ(all[1].mac.text(), "02:00:00:00:00:01");
    EXPECT_EQ(all[1].mtu, 1400);
    EXPECT_TRUE(all[1].up);
    EXPECT_TRUE(all[1].ethernet);
    EXPECT_FALSE(all[1].loopback);
    EXPECT_FALSE(all[1].enslaved);
    EXPECT_TRUE(all[1].addresses.empty());
}

TEST_F(InterfacesTest, WithoutCarrierItIsNotUp) {
    cable_.far.run("ip link set far0 down");
    EXPECT_FALSE(find(list(), "near0").up);
    cable_.far.run("ip link set far0 up");
    EXPECT_TRUE(find(list(), "near0").up);
    cable_.near.run("ip link set near0 down");
    EXPECT_FALSE(find(list(), "near0").up);
}

TEST_F(InterfacesTest, PrimaryAddressesComeFirst) {
    cable_.near.run(
        "ip addr add 10.9.0.5/24 dev near0 && ip addr add 10.9.0.4/24 dev near0 && "
        "ip addr add 192.168.7.1/16 dev near0 && ip addr add 10.9.0.1/24 dev near0");
    const std::vector<Ipv4Network> expected = {
        *Ipv4Network::parse("10.9.0.5/24"), *Ipv4Network::parse("192.168.7.1/16"),
        *Ipv4Network::parse("10.9.0.4/24"), *Ipv4Network::parse("10.9.0.1/24")};
    EXPECT_EQ(find(list(), "near0").addresses, expected);
}

TEST_F(InterfacesTest, APointToPointAddressIsOurSide) {
    cable_.near.run("ip addr add 10.9.0.5 peer 10.9.0.9/32 dev near0");
    EXPECT_EQ(find(list(), "near0").addresses.at(0).address().text(), "10.9.0.5");
}

TEST_F(InterfacesTest, ABridgeIsServedInsteadOfItsMember) {
    cable_.near.run("ip link add br9 type bridge && ip link set near0 master br9 && ip link set br9 up");
    EXPECT_TRUE(find(list(), "near0").enslaved);
    EXPECT_FALSE(find(list(), "br9").enslaved);
    EXPECT_TRUE(find(list(), "br9").ethernet);
}

TEST_F(InterfacesTest, ATunnelIsNotEthernet) {
    cable_.near.run("ip tuntap add tun9 mode tun && ip link set tun9 up && ip addr add 10.8.0.1/24 dev tun9");
    const Interface tunnel = find(list(), "tun9");
    EXPECT_FALSE(tunnel.ethernet);
    EXPECT_FALSE(tunnel.up) << "no program holds its other end";
    EXPECT_TRUE(tunnel.mac.is_zero());
}

TEST_F(InterfacesTest, ManyInterfacesAreListedInOrder) {
    std::string commands;
    for (int number = 100; number < 150; ++number) {
        const std::string name = "v" + std::to_string(number);
        commands += "link add " + name + " type veth peer name " + name + "p\n";
        commands += "addr add 10.7." + std::to_string(number) + ".1/24 dev " + name + "\n";
    }
    cable_.near.run("printf '" + commands + "' | ip -batch -");
    const auto all = list();
    ASSERT_EQ(all.size(), 102U);
    EXPECT_TRUE(std::ranges::is_sorted(all, {}, &Interface::index));
    EXPECT_EQ(find(all, "v149").addresses.at(0).text(), "10.7.149.1/24");
    EXPECT_TRUE(find(all, "v149p").addresses.empty());
}

class InterfaceMonitorTest : public InterfacesTest {
  protected:
    // Whether a message comes within half a second.
    bool changed(InterfaceMonitor& monitor) {
        pollfd waiting{monitor.descriptor(), POLLIN, 0};
        return poll(&waiting, 1, 500) == 1 && monitor.drain();
    }
};

TEST_F(InterfaceMonitorTest, TellsOfLinksAndAddresses) {
    const auto inside = cable_.near.enter();
    InterfaceMonitor monitor;
    EXPECT_FALSE(monitor.drain()) << "and does not block";
    for (const char* command :
         {"ip addr add 10.9.0.5/24 dev near0", "ip addr del 10.9.0.5/24 dev near0", "ip link set near0 down",
          "ip link set near0 mtu 1300", "ip link add v9 type veth peer name v8", "ip link del v9"}) {
        cable_.near.run(command);
        EXPECT_TRUE(changed(monitor)) << command;
        EXPECT_FALSE(monitor.drain()) << "empty after " << command;
    }
}

TEST_F(InterfaceMonitorTest, LostMessagesCountAsAChange) {
    const auto inside = cable_.near.enter();
    InterfaceMonitor monitor;
    std::string commands;
    for (int i = 0; i < 4000; ++i) commands += "link set near0 mtu " + std::to_string(1000 + i % 400) + "\n";
    cable_.near.run("printf '" + commands + "' | ip -batch -");
    EXPECT_TRUE(changed(monitor));
    EXPECT_FALSE(monitor.drain());
}

}  // namespace
}  // namespace pomona::io
