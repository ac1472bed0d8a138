#include "app/port_holders.hpp"

#include "support/temporary_folder.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace pomona::app {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* headings =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref "
    "pointer\n";

std::string socket_line(const std::string& local, const std::string& inode) {
    return "  12: " + local + " 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 " +
           inode + " 2 0000000000000000 0\n";
}

class FakeProc {
  public:
    void process(const std::string& pid, const std::string& program, const std::string& inode) const {
        (void)folder.write(pid + "/comm", program + "\n");
        std::filesystem::create_directories(folder / (pid + "/fd"));
        std::filesystem::create_symlink("/dev/null", folder / (pid + "/fd/0"));
        std::filesystem::create_symlink("socket:[" + inode + "]", folder / (pid + "/fd/7"));
    }
    tests::TemporaryFolder folder;
};

TEST(PortHolders, AreNamedWithAddress) {
    const FakeProc proc;
    (void)proc.folder.write("net/udp", headings + socket_line("0100007F:0043", "111") +
                                           socket_line("00000000:0045", "222") +
                                           socket_line("0B01000A:0043", "333"));
    proc.process("20", "dnsmasq", "333");
    proc.process("10", "dhcpd", "111");
    proc.process("30", "tftpd", "222");
    EXPECT_THAT(udp_port_holders(67, proc.folder.path()),
                ElementsAre(PortHolder{"dhcpd", 10, base::Ipv4Address(127, 0, 0, 1)},
                            PortHolder{"dnsmasq", 20, base::Ipv4Address(10, 0, 1, 11)}));
    EXPECT_THAT(udp_port_holders(69, proc.folder.path()),
                ElementsAre(PortHolder{"tftpd", 30, base::Ipv4Address()}));
    EXPECT_THAT(udp_port_holders(68, proc.folder.path()), IsEmpty());
}

TEST(PortHolders, OfTcpAreThoseWhoListen) {
    const FakeProc proc;
    (void)proc.folder.write(
        "net/tcp",
        std::string(headings) +
            "   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 111 1\n"
            "   1: 0B01000A:0050 0C01000A:1234 01 00000000:00000000 00:00000000 00000000 0 0 222 1\n");
    proc.process("10", "apache2", "111");
    proc.process("20", "worker", "222");
    EXPECT_THAT(tcp_port_holders(80, proc.folder.path()),
                ElementsAre(PortHolder{"apache2", 10, base::Ipv4Address()}));
    EXPECT_THAT(udp_port_holders(80, proc.folder.path()), IsEmpty());
}

TEST(PortHolders, SocketsOfIpv6Count) {
    const FakeProc proc;
    (void)proc.folder.write("net/udp6", headings + socket_line("00000000000000000000000000000000:0045", "5"));
    proc.process("10", "in.tftpd", "5");
    EXPECT_THAT(udp_port_holders(69, proc.folder.path()),
                ElementsAre(PortHolder{"in.tftpd", 10, base::Ipv4Address()}));
}

TEST(PortHolders, ProgramsThatCannotBeSeenHaveNoName) {
    const FakeProc proc;
    (void)proc.folder.write("net/udp", headings + socket_line("00000000:0043", "111"));
    EXPECT_THAT(udp_port_holders(67, proc.folder.path()),
                ElementsAre(PortHolder{"", 0, base::Ipv4Address()}));
}

TEST(PortHolders, OddLinesAreNoSockets) {
    const FakeProc proc;
    (void)proc.folder.write("net/udp", std::string(headings) + "\n1: x\n" + socket_line("nonsense", "1") +
                                           socket_line(":", "2") + socket_line("00000000:", "3"));
    EXPECT_THAT(udp_port_holders(67, proc.folder.path()), IsEmpty());
    EXPECT_THAT(udp_port_holders(67, proc.folder / "none"), IsEmpty());
}

TEST(PortHolders, FindThisVeryProgram) {
    const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), size), 0);
    ASSERT_EQ(::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), 0);
    const auto holders = udp_port_holders(::ntohs(address.sin_port));
    ::close(socket);
    EXPECT_THAT(holders, ElementsAre(PortHolder{"unit_app", ::getpid(), base::Ipv4Address(127, 0, 0, 1)}));
}

}  // namespace
}  // namespace pomona::app
