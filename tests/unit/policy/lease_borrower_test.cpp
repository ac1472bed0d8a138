#include <pomona/policy/lease_borrower.hpp>

#include <gtest/gtest.h>

#include <array>
#include <functional>

namespace pomona::policy {
namespace {

using base::Ipv4Address;
using base::MacAddress;
using codec::DhcpType;
using codec::Option;
using std::chrono::seconds;

const MacAddress mac({0x40, 0x6c, 0x8f, 0x37, 0x95, 0x27});
const base::Ipv4Network network(Ipv4Address(10, 0, 1, 11), 24);
const Ipv4Address lent(10, 0, 1, 100);
const Ipv4Address server(10, 0, 1, 2);
const model::TimePoint noon(seconds(1'700'000'000));

class Borrower : public testing::Test {
  protected:
    BorrowStep want(model::TimePoint now = noon) { return borrower_.want(mac, "eth0", network, 42, now); }

    BorrowStep reply(DhcpType type, model::TimePoint now = noon, Ipv4Address yiaddr = lent,
                     std::uint32_t xid = 42, Ipv4Address from = server) {
        std::array<std::uint8_t, 400> room{};
        codec::BootpHeader header;
        header.op = codec::bootreply;
        header.set_mac(mac);
        header.xid = xid;
        header.yiaddr = yiaddr;
        header.giaddr = network.address();
        codec::DhcpWriter writer(room, header, {}, {});
        writer.option_u8(Option::message_type, static_cast<std::uint8_t>(type));
        writer.option_address(Option::server_identifier, from);
        writer.option(Option::lease_time, std::array<std::uint8_t, 4>{0, 0, 0, 120});
        writer.option_address(Option::router, Ipv4Address(10, 0, 1, 1));
        const base::Bytes written = writer.finish();
        const std::vector<std::uint8_t> octets(written.begin(), written.end());
        return borrower_.on_reply(*codec::DhcpView::parse(octets), now);
    }
    BorrowStep lend(model::TimePoint now = noon) {
        want(now);
        reply(DhcpType::offer, now);
        return reply(DhcpType::ack, now);
    }

    static std::vector<int> types(const BorrowStep& step) {
        std::vector<int> found;
        for (const BorrowMessage& message : step.send) {
            found.push_back(static_cast<int>(*codec::DhcpView::parse(message.octets)->type()));
        }
        return found;
    }

    LeaseBorrower borrower_{{.keep = seconds(600), .most_loans = 2, .pause = seconds(30)}};
};

TEST_F(Borrower, AsksAsARelayDoes) {
    const BorrowStep step = want();
    ASSERT_EQ(types(step), std::vector<int>{1});
    EXPECT_EQ(step.send[0].interface, "eth0");
    EXPECT_EQ(step.send[0].from, network.address());
    const auto discover = codec::DhcpView::parse(step.send[0].octets);
    EXPECT_EQ(discover->header().mac(), mac);
    EXPECT_EQ(discover->header().giaddr, network.address());
    EXPECT_EQ(discover->header().hops, 1);
    EXPECT_TRUE(discover->header().ciaddr.is_zero());
    EXPECT_TRUE(types(want()).empty()) << "it is under way";
    EXPECT_EQ(borrower_.find(mac), nullptr);

    const BorrowStep request = reply(DhcpType::offer);
    ASSERT_EQ(types(request), std::vector<int>{3});
    const auto taken = codec::DhcpView::parse(request.send[0].octets);
    EXPECT_EQ(taken->option_address(Option::requested_address), lent);
    EXPECT_EQ(taken->option_address(Option::server_identifier), server);

    const BorrowStep done = reply(DhcpType::ack);
    ASSERT_EQ(done.events.size(), 1U);
    EXPECT_EQ(done.events[0].kind, BorrowEvent::Kind::granted);
    ASSERT_NE(borrower_.find(mac), nullptr);
    EXPECT_EQ(borrower_.find(mac)->address, lent);
    EXPECT_EQ(borrower_.find(mac)->facts->router, Ipv4Address(10, 0, 1, 1));
    EXPECT_EQ(borrower_.find(mac)->lease_end, noon + seconds(120));
}

TEST_F(Borrower, AsksTheServerThatIsNamed) {
    EXPECT_EQ(want().send[0].to, Ipv4Address::broadcast());
    borrower_ = LeaseBorrower({.server = Ipv4Address(10, 0, 9, 2)});
    EXPECT_EQ(want().send[0].to, Ipv4Address(10, 0, 9, 2));
    EXPECT_EQ(reply(DhcpType::offer).send[0].to, Ipv4Address(10, 0, 9, 2));
    reply(DhcpType::ack);
    EXPECT_EQ(borrower_.return_all(noon).send[0].to, Ipv4Address(10, 0, 9, 2));
}

TEST_F(Borrower, TakesNothingThatIsWrong) {
    want();
    EXPECT_TRUE(types(reply(DhcpType::offer, noon, Ipv4Address())).empty()) << "no address";
    EXPECT_TRUE(types(reply(DhcpType::offer, noon, Ipv4Address(10, 9, 9, 9))).empty()) << "another network's";
    EXPECT_TRUE(types(reply(DhcpType::offer, noon, network.address())).empty()) << "ours";
    EXPECT_TRUE(types(reply(DhcpType::offer, noon, Ipv4Address(10, 0, 1, 255))).empty()) << "everybody's";
    EXPECT_TRUE(types(reply(DhcpType::offer, noon, lent, 41)).empty()) << "another loan's";
    EXPECT_TRUE(types(reply(DhcpType::ack)).empty()) << "not asked for yet";
    reply(DhcpType::offer);
    EXPECT_TRUE(reply(DhcpType::ack, noon, lent, 42, Ipv4Address(10, 0, 1, 3)).events.empty())
        << "another server's";
    EXPECT_EQ(borrower_.find(mac), nullptr);
}

TEST_F(Borrower, AsksAgainAndGivesUpInWords) {
    want();
    model::TimePoint now = noon;
    int repeats = 0;
    BorrowStep step;
    for (; step.events.empty(); step = borrower_.on_time(now)) {
        repeats += static_cast<int>(step.send.size());
        now = *borrower_.next_time();
        ASSERT_LT(now, noon + seconds(60));
    }
    EXPECT_EQ(repeats, 3);
    EXPECT_EQ(step.events[0].kind, BorrowEvent::Kind::refused);
    EXPECT_EQ(step.events[0].why, "no DHCP server offers an address of this network to a relay");
    EXPECT_TRUE(borrower_.is_refused(mac, now));
    EXPECT_TRUE(types(want(now)).empty()) << "not at once";
    EXPECT_EQ(types(want(now + seconds(30))), std::vector<int>{1});
}

TEST_F(Borrower, ANakIsARefusal) {
    want();
    reply(DhcpType::offer);
    const BorrowStep step = reply(DhcpType::nak);
    ASSERT_EQ(step.events.size(), 1U);
    EXPECT_EQ(step.events[0].why, "the DHCP server took its offer back (NAK)");
    EXPECT_EQ(borrower_.find(mac), nullptr);
}

TEST_F(Borrower, ProlongsWhileTheMachineAsks) {
    lend();
    EXPECT_EQ(borrower_.next_time(), noon + seconds(60));
    want(noon + seconds(50));
    const BorrowStep renewal = borrower_.on_time(noon + seconds(60));
    ASSERT_EQ(types(renewal), std::vector<int>{3});
    const auto request = codec::DhcpView::parse(renewal.send[0].octets);
    EXPECT_EQ(request->header().ciaddr, lent);
    EXPECT_FALSE(request->option(Option::requested_address));
    EXPECT_TRUE(reply(DhcpType::ack, noon + seconds(61)).events.empty()) << "nothing new";
    EXPECT_EQ(borrower_.find(mac)->lease_end, noon + seconds(181));
    EXPECT_EQ(borrower_.next_time(), noon + seconds(121));
}

TEST_F(Borrower, LosesWhatTheServerDoesNotProlong) {
    lend();
    model::TimePoint now = noon;
    BorrowStep step;
    int renewals = 0;
    for (; step.events.empty(); step = borrower_.on_time(now)) {
        renewals += static_cast<int>(step.send.size());
        now = *borrower_.next_time();
        ASSERT_LE(now, noon + seconds(121));
    }
    EXPECT_GE(renewals, 2);
    EXPECT_EQ(step.events[0].kind, BorrowEvent::Kind::lost);
    EXPECT_EQ(borrower_.find(mac), nullptr);
    lend(now);
    borrower_.on_time(now + seconds(60));
    EXPECT_EQ(reply(DhcpType::nak, now + seconds(61)).events[0].kind, BorrowEvent::Kind::lost);
    EXPECT_EQ(borrower_.find(mac), nullptr);
}

TEST_F(Borrower, GivesBackWhenNobodyAsksAnyMore) {
    lend();
    model::TimePoint now = noon;
    BorrowStep step;
    for (; step.events.empty(); step = borrower_.on_time(now)) {
        for (const int type : types(step)) {
            EXPECT_EQ(type, 3);
            reply(DhcpType::ack, now);
        }
        now = *borrower_.next_time();
        ASSERT_LE(now, noon + seconds(700));
    }
    EXPECT_EQ(now, noon + seconds(600));
    ASSERT_EQ(types(step), std::vector<int>{7});
    EXPECT_EQ(step.events[0].kind, BorrowEvent::Kind::returned);
    const auto release = codec::DhcpView::parse(step.send[0].octets);
    EXPECT_EQ(release->header().ciaddr, lent);
    EXPECT_EQ(release->option_address(Option::server_identifier), server);
    EXPECT_FALSE(borrower_.next_time());
}

TEST_F(Borrower, GivesEverythingBackAtTheEnd) {
    lend();
    EXPECT_EQ(types(borrower_.return_all(noon)), std::vector<int>{7});
    EXPECT_EQ(borrower_.find(mac), nullptr);
}

TEST_F(Borrower, StrangersCannotFillIt) {
    for (std::uint8_t n = 1; n <= 5; ++n) {
        const MacAddress stranger({2, 0, 0, 0, 0, n});
        const auto step = borrower_.want(stranger, "eth0", network, n, noon);
        EXPECT_EQ(step.send.size(), n <= 2 ? 1U : 0U);
        EXPECT_EQ(borrower_.is_asking(stranger), n <= 2);
        EXPECT_EQ(borrower_.is_refused(stranger, noon), n > 2);
    }
}

TEST_F(Borrower, GivesUpAnAddressThatAnotherHostUses) {
    lend();
    EXPECT_TRUE(borrower_.decline(mac, server, noon).events.empty()) << "it is not the one lent";
    const BorrowStep step = borrower_.decline(mac, lent, noon);
    ASSERT_EQ(types(step), (std::vector{4, 1})) << "and asks for another one";
    const auto told = codec::DhcpView::parse(step.send[0].octets);
    EXPECT_EQ(told->option_address(Option::requested_address), lent);
    EXPECT_EQ(told->option_address(Option::server_identifier), server);
    EXPECT_TRUE(told->header().ciaddr.is_zero());
    EXPECT_FALSE(told->option(Option::parameter_request_list));
    ASSERT_EQ(step.events.size(), 1U);
    EXPECT_EQ(step.events[0].kind, BorrowEvent::Kind::declined);
    EXPECT_EQ(borrower_.find(mac), nullptr);
    EXPECT_TRUE(borrower_.is_asking(mac));

    const Ipv4Address next(10, 0, 1, 101);
    reply(DhcpType::offer, noon, next);
    reply(DhcpType::ack, noon, next);
    EXPECT_EQ(borrower_.find(mac)->address, next);
    EXPECT_EQ(types(borrower_.decline(mac, next, noon)), (std::vector{4, 1}));
    reply(DhcpType::offer);
    reply(DhcpType::ack);
    const BorrowStep last = borrower_.decline(mac, lent, noon);
    EXPECT_EQ(types(last), std::vector<int>{4});
    ASSERT_EQ(last.events.size(), 2U);
    EXPECT_EQ(last.events[1].why, "the DHCP server lends addresses that other hosts use");
    EXPECT_TRUE(borrower_.is_refused(mac, noon));
}

}  // namespace
}  // namespace pomona::policy
