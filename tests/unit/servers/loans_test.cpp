#include "servers/loans.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <string>
#include <vector>

namespace pomona::servers {
namespace {

using base::Ipv4Address;
using base::MacAddress;
using codec::DhcpType;
using codec::Option;

const base::Ipv4Network network(Ipv4Address(10, 0, 1, 11), 24);

MacAddress machine(std::uint8_t n) {
    return MacAddress({2, 0, 0, 0, 0, n});
}

class LoansTest : public testing::Test {
  protected:
    void want(std::uint8_t n, std::uint8_t octet) {
        const std::array<std::uint8_t, 1> frame{octet};
        loans_.want(machine(n), "eth0", network, frame);
    }

    /// What a DHCP server says to the last message that left.
    void reply(DhcpType type) {
        const std::vector<std::uint8_t> asked = sent_.back().octets;
        codec::BootpHeader header = codec::DhcpView::parse(asked)->header();
        header.op = codec::bootreply;
        header.yiaddr = Ipv4Address(10, 0, 1, 100);
        std::array<std::uint8_t, 400> room{};
        codec::DhcpWriter writer(room, header, {}, {});
        writer.option_u8(Option::message_type, static_cast<std::uint8_t>(type));
        writer.option_address(Option::server_identifier, Ipv4Address(10, 0, 1, 2));
        codec::Datagram datagram{};
        datagram.source = {Ipv4Address(10, 0, 1, 2), codec::bootp_server_port};
        datagram.destination = {network.address(), codec::bootp_server_port};
        datagram.payload = writer.finish();
        EXPECT_TRUE(loans_.take(datagram));
    }

    boost::asio::io_context loop_;
    std::vector<policy::BorrowMessage> sent_;
    std::vector<std::uint8_t> answered_;
    Loans loans_{loop_,
                 {.most_loans = 2},
                 [this](const policy::BorrowMessage& message) { sent_.push_back(message); },
                 [this](const std::string&, base::Bytes frame) { answered_.push_back(frame[0]); }};
};

TEST_F(LoansTest, TheLastRequestIsHandledAgainWhenTheAddressIsThere) {
    want(1, 7);
    want(1, 8);
    reply(DhcpType::offer);
    EXPECT_TRUE(answered_.empty());
    reply(DhcpType::ack);
    EXPECT_EQ(answered_, std::vector<std::uint8_t>{8});
    EXPECT_EQ(loans_.waiting(), 0U);
}

TEST_F(LoansTest, StrangersWithoutALoanAreNotKept) {
    for (std::uint8_t n = 1; n <= 100; ++n) want(n, n);
    EXPECT_EQ(sent_.size(), 2U);
    EXPECT_EQ(loans_.waiting(), 2U);
}

TEST_F(LoansTest, AnAddressThatAnotherHostUsesIsReplaced) {
    want(1, 7);
    reply(DhcpType::offer);
    reply(DhcpType::ack);
    loans_.decline(machine(1), Ipv4Address(10, 0, 1, 100));
    want(1, 9);
    reply(DhcpType::offer);
    reply(DhcpType::ack);
    EXPECT_EQ(answered_, (std::vector<std::uint8_t>{7, 9}));
}

}  // namespace
}  // namespace pomona::servers
