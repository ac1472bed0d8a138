#include <pomona/policy/tftp_transfer.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <ostream>
#include <random>
#include <string_view>
#include <vector>

namespace pomona::policy {
namespace {

using namespace std::chrono_literals;
using Kind = TftpStep::Kind;
using Time = TftpTransfer::Time;

constexpr Time t0{};

TftpStep blocks(std::uint64_t first, std::uint32_t count) {
    return {Kind::send_blocks, first, count};
}
const TftpStep wait{Kind::wait, 0, 0};
const TftpStep done{Kind::done, 0, 0};

TEST(TftpTransfer, SendsBlockAfterBlock) {
    TftpTransfer transfer(false, 1, 3, {});
    EXPECT_EQ(transfer.start(t0), blocks(1, 1));
    EXPECT_EQ(transfer.on_ack(1, t0 + 1ms), blocks(2, 1));
    EXPECT_EQ(transfer.on_ack(2, t0 + 2ms), blocks(3, 1));
    EXPECT_EQ(transfer.on_ack(3, t0 + 3ms), done);
    EXPECT_EQ(transfer.retransmissions(), 0U);
    EXPECT_EQ(transfer.on_ack(3, t0 + 4ms), wait);
    EXPECT_EQ(transfer.on_time(t0 + 1h), wait);
}

TEST(TftpTransfer, TheOackComesFirstAndIsAcknowledgedWithZero) {
    TftpTransfer transfer(true, 4, 3, {});
    EXPECT_EQ(transfer.start(t0).kind, Kind::send_oack);
    EXPECT_EQ(transfer.on_ack(1, t0), wait) << "no block was sent yet";
    EXPECT_EQ(transfer.on_ack(0, t0 + 1ms), blocks(1, 3));
    EXPECT_TRUE(transfer.all_sent());
    EXPECT_EQ(transfer.on_ack(3, t0 + 2ms), done);
}

TEST(TftpTransfer, ALostOackIsRepeated) {
    TftpTransfer transfer(true, 1, 1, {});
    transfer.start(t0);
    EXPECT_EQ(transfer.on_time(t0 + 499ms), wait);
    EXPECT_EQ(transfer.on_time(t0 + 500ms).kind, Kind::send_oack);
    EXPECT_EQ(transfer.on_time(t0 + 1s), wait) << "the wait has doubled";
    EXPECT_EQ(transfer.on_time(t0 + 1500ms).kind, Kind::send_oack);
    EXPECT_EQ(transfer.on_ack(0, t0 + 1501ms), blocks(1, 1));
    EXPECT_EQ(transfer.retransmissions(), 2U);
}

TEST(TftpTransfer, WindowsSlideByWholeWindows) {
    TftpTransfer transfer(false, 4, 10, {});
    EXPECT_EQ(transfer.start(t0), blocks(1, 4));
    EXPECT_EQ(transfer.on_ack(4, t0 + 1ms), blocks(5, 4));
    EXPECT_EQ(transfer.on_ack(8, t0 + 2ms), blocks(9, 2));
    EXPECT_EQ(transfer.on_ack(10, t0 + 3ms), done);
}

TEST(TftpTransfer, AnAckInsideTheWindowRestartsItThere) {
    TftpTransfer transfer(false, 4, 100, {});
    transfer.start(t0);
    EXPECT_EQ(transfer.on_ack(2, t0 + 1ms), blocks(3, 4));
    EXPECT_EQ(transfer.retransmissions(), 2U) << "blocks 3 and 4";
    EXPECT_EQ(transfer.on_ack(6, t0 + 2ms), blocks(7, 4));
}

TEST(TftpTransfer, ADuplicateAckCausesNoPacket) {
    for (const std::uint16_t window : {std::uint16_t{1}, std::uint16_t{8}}) {
        TftpTransfer transfer(false, window, 1000, {});
        transfer.start(t0);
        EXPECT_EQ(transfer.on_ack(window, t0 + 1ms).kind, Kind::send_blocks);
        for (int i = 0; i < 100; ++i) EXPECT_EQ(transfer.on_ack(window, t0 + 1ms), wait);
        EXPECT_EQ(transfer.on_ack(0, t0 + 1ms), wait) << "older than old";
        EXPECT_EQ(transfer.on_ack(static_cast<std::uint16_t>(2 * window), t0 + 2ms).kind, Kind::send_blocks);
        EXPECT_EQ(transfer.retransmissions(), 0U);
    }
}

TEST(TftpTransfer, ADuplicateAckBringsTheTimeoutNearerOnce) {
    TftpTransfer transfer(false, 8, 1000, {});
    transfer.start(t0);
    transfer.on_ack(8, t0 + 1ms);
    const Time usual = transfer.deadline();
    EXPECT_EQ(transfer.on_ack(8, t0 + 2ms), wait);
    EXPECT_EQ(transfer.deadline(), t0 + 1ms + 3ms);
    EXPECT_LT(transfer.deadline(), usual);
    EXPECT_EQ(transfer.on_time(t0 + 4ms), blocks(9, 8));
    const Time after = transfer.deadline();
    EXPECT_EQ(after, t0 + 4ms + 30ms) << "an early repetition does not lengthen the next wait";
    EXPECT_EQ(transfer.on_time(after), blocks(9, 8));
    EXPECT_EQ(transfer.deadline(), after + 60ms) << "real timeouts double";
}

TEST(TftpTransfer, AClientThatRepeatsItsAckForEverIsNotServedFaster) {
    TftpTransfer transfer(false, 8, 1000, {});
    transfer.start(t0);
    transfer.on_ack(8, t0 + 1ms);
    int packets = 0;
    for (Time now = t0 + 2ms; now < t0 + 10s; now += 1ms) {
        transfer.on_ack(8, now);
        if (transfer.on_time(now).kind == Kind::send_blocks) ++packets;
    }
    EXPECT_LE(packets, 4 + 9) << "four early ones, then 30, 60, 120 ms ...";
    TftpStep step;
    Time now = t0 + 10s;
    for (; step.kind != Kind::give_up && now < t0 + 200s; now += 1s) {
        transfer.on_ack(8, now);
        step = transfer.on_time(now);
    }
    EXPECT_EQ(step.kind, Kind::give_up) << "it lives, but there is no progress";
    EXPECT_NEAR(std::chrono::duration<double>(now - t0).count(), 120, 10);
}

TEST(TftpTransfer, AnAckForWhatWasNeverSentIsIgnored) {
    TftpTransfer transfer(false, 4, 100, {});
    transfer.start(t0);
    EXPECT_EQ(transfer.on_ack(5, t0), wait);
    EXPECT_EQ(transfer.on_ack(0xffff, t0), wait);
    EXPECT_EQ(transfer.first_unacknowledged(), 1U);
}

TEST(TftpTransfer, AnAckOfTheFirstSendingCountsAfterARepetition) {
    TftpTransfer transfer(false, 4, 100, {});
    transfer.start(t0);
    transfer.on_ack(2, t0 + 1ms);  // now 3..6
    transfer.on_time(t0 + 10s);    // 3..6 again
    EXPECT_EQ(transfer.on_ack(6, t0 + 10s), blocks(7, 4));
}

TEST(TftpTransfer, BlockNumbersWrapToZero) {
    TftpTransfer transfer(false, 1, 140'000, {});
    transfer.start(t0);
    Time now = t0;
    for (std::uint64_t block = 1; block < 140'000; ++block) {
        now += 1ms;
        ASSERT_EQ(transfer.on_ack(static_cast<std::uint16_t>(block), now), blocks(block + 1, 1));
    }
    EXPECT_EQ(transfer.on_ack(static_cast<std::uint16_t>(140'000), now), done);
}

TEST(TftpTransfer, AWindowMayLieAcrossTheWrap) {
    TftpTransfer transfer(false, 64, 70'000, {});
    transfer.start(t0);
    for (std::uint64_t block = 64; block <= 65'472; block += 64) {
        transfer.on_ack(static_cast<std::uint16_t>(block), t0);
    }
    ASSERT_EQ(transfer.first_unacknowledged(), 65'473U);
    EXPECT_EQ(transfer.on_ack(65'500, t0).first, 65'501U);
    EXPECT_EQ(transfer.on_ack(static_cast<std::uint16_t>(65'564), t0), blocks(65'565, 64));
    EXPECT_EQ(transfer.on_ack(65'500, t0), wait) << "of the lap before";
}

TEST(TftpTransfer, ListsOfUnknownLengthEndWhereTheyAreSaidTo) {
    TftpTransfer transfer(false, 4, std::nullopt, {});
    EXPECT_EQ(transfer.start(t0), blocks(1, 4));
    EXPECT_FALSE(transfer.all_sent());
    transfer.ends_with(2);
    EXPECT_TRUE(transfer.all_sent());
    EXPECT_EQ(transfer.on_ack(2, t0), done);
}

TEST(TftpTransfer, TheRoundTripSetsTheTimeout) {
    TftpTransfer transfer(false, 1, 1000, {});
    transfer.start(t0);
    EXPECT_EQ(transfer.deadline(), t0 + 500ms) << "nothing measured yet";
    transfer.on_ack(1, t0 + 100ms);
    EXPECT_EQ(transfer.deadline(), t0 + 100ms + 300ms) << "RFC 6298: R + 4 * R/2";
}

TEST(TftpTransfer, ARepeatedBlockIsNotMeasuredAndKeepsTheLongTimeout) {
    TftpTransfer transfer(false, 1, 1000, {});
    Time now = t0;
    transfer.start(now);
    transfer.on_ack(1, now += 1ms);
    EXPECT_EQ(transfer.on_time(now += 30ms), blocks(2, 1));
    transfer.on_ack(2, now += 1us);  // of which sending?
    EXPECT_EQ(transfer.deadline(), now + 60ms);
    transfer.on_ack(3, now += 1ms);
    EXPECT_EQ(transfer.deadline(), now + 30ms);
}

TEST(TftpTransfer, TheClientsTimeoutIsObeyed) {
    TftpTiming timing;
    timing.asked_timeout = 5s;
    TftpTransfer transfer(false, 1, 10, timing);
    transfer.start(t0);
    EXPECT_EQ(transfer.deadline(), t0 + 5s);
    transfer.on_ack(1, t0 + 1ms);
    transfer.on_ack(1, t0 + 2ms);
    EXPECT_EQ(transfer.deadline(), t0 + 5001ms);
    transfer.on_time(t0 + 5001ms);
    EXPECT_EQ(transfer.deadline(), t0 + 10001ms);
}

TEST(TftpTransfer, GivesUpOnASilentClient) {
    TftpTransfer transfer(false, 1, 10, {});
    transfer.start(t0);
    int packets = 1;
    TftpStep step;
    do {
        step = transfer.on_time(transfer.deadline());
        packets += step.kind == Kind::send_blocks ? 1 : 0;
    } while (step.kind == Kind::send_blocks);
    EXPECT_EQ(step.kind, Kind::give_up);
    EXPECT_EQ(transfer.deadline(), t0 + 30s);
    EXPECT_EQ(packets, 7) << "after 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 23.5 s";
    EXPECT_EQ(transfer.on_ack(1, t0 + 31s), wait);
}

TEST(TftpTransfer, ALongTimeoutOptionLeavesRoomForRepetitions) {
    TftpTiming timing;
    timing.asked_timeout = 200s;
    TftpTransfer transfer(false, 1, 10, timing);
    transfer.start(t0);
    EXPECT_EQ(transfer.on_time(t0 + 200s).kind, Kind::send_blocks);
    EXPECT_EQ(transfer.on_time(t0 + 400s).kind, Kind::send_blocks);
    EXPECT_EQ(transfer.on_time(t0 + 800s).kind, Kind::give_up);
}

TEST(TftpTransfer, ARepeatedRequestRepeatsTheFirstPacketButNotAtOnce) {
    TftpTransfer transfer(true, 1, 10, {});
    transfer.start(t0);
    EXPECT_EQ(transfer.on_repeated_request(t0 + 1ms), wait) << "copied by the network";
    EXPECT_EQ(transfer.on_repeated_request(t0 + 400ms).kind, Kind::send_oack);
    transfer.on_ack(0, t0 + 401ms);
    EXPECT_EQ(transfer.on_repeated_request(t0 + 10s), wait);
}

// ---------------------------------------------------------------------------------------------------------------
// A whole download over a link in memory that loses, doubles and delays.

struct Link {
    std::string_view name;
    double loss = 0;
    double doubling = 0;
    double delay = 0;  ///< share of packets that arrive after the next ones
    std::uint16_t windowsize = 1;
    std::uint64_t blocks = 1000;
    bool chatty = false;  ///< the client answers every block that it did not expect
};
std::ostream& operator<<(std::ostream& out, const Link& link) {
    return out << link.name;
}

struct Outcome {
    bool completed = false;
    std::uint64_t packets = 0;
    Time end;
};

/// A client after RFC 7440 at the other end of `link`.
Outcome download(const Link& link, unsigned seed) {
    struct Packet {
        Time arrives;
        std::uint64_t order;
        std::uint64_t block;  ///< without wrap, to detect a wrong block
        bool ack;
        bool oack;
        bool operator<(const Packet& other) const {
            return arrives != other.arrives ? arrives > other.arrives : order > other.order;
        }
    };
    std::minstd_rand random(seed);
    std::uniform_real_distribution<> chance(0, 1);
    std::vector<Packet> wire;
    std::uint64_t order = 0;
    Outcome outcome;
    const auto put = [&](Time now, Packet packet) {
        const int copies = chance(random) < link.loss ? 0 : chance(random) < link.doubling ? 2 : 1;
        for (int i = 0; i < copies; ++i) {
            packet.arrives = now + (chance(random) < link.delay ? 900us : 200us);
            packet.order = order++;
            wire.push_back(packet);
            std::push_heap(wire.begin(), wire.end());
        }
    };

    TftpTransfer transfer(true, link.windowsize, link.blocks, {});
    std::uint64_t next = 1;
    unsigned in_window = 0;
    bool gap_told = false;
    bool finished = false;
    Time client_deadline = t0 + 1s;
    const auto acknowledge = [&](Time now) {
        in_window = 0;
        put(now, {{}, 0, next - 1, true, false});
    };
    const auto carry_out = [&](Time now, const TftpStep& step) {
        if (step.kind == Kind::send_oack) put(now, {{}, 0, 0, false, true});
        for (std::uint64_t i = 0; i < step.count; ++i) {
            ++outcome.packets;
            put(now, {{}, 0, step.first + i, false, false});
        }
        outcome.completed = outcome.completed || step.kind == Kind::done;
        return step.kind != Kind::give_up && step.kind != Kind::done;
    };
    Time now = t0;
    bool running = carry_out(now, transfer.start(now));
    for (int i = 0; i < 2'000'000 && running; ++i) {
        const Time timer = finished ? transfer.deadline() : std::min(transfer.deadline(), client_deadline);
        if (wire.empty() || wire.front().arrives > timer) {
            now = timer;
            if (now >= transfer.deadline()) running = carry_out(now, transfer.on_time(now));
            if (!finished && now >= client_deadline) {
                client_deadline = now + 1s;
                if (next > 1 || transfer.anything_acknowledged()) acknowledge(now);
            }
            continue;
        }
        std::pop_heap(wire.begin(), wire.end());
        const Packet packet = wire.back();
        wire.pop_back();
        now = packet.arrives;
        if (packet.ack) {
            running = carry_out(now, transfer.on_ack(static_cast<std::uint16_t>(packet.block), now));
        } else if (packet.oack) {
            if (next == 1) acknowledge(now);
        } else if (packet.block == next) {
            ++next;
            gap_told = false;
            client_deadline = now + 1s;
            finished = next > link.blocks;
            if (++in_window >= link.windowsize || finished) acknowledge(now);
        } else if (packet.block > next) {
            EXPECT_LT(packet.block, next + link.windowsize) << "a block outside of the window";
            if (!gap_told || link.chatty) acknowledge(now);
            gap_told = true;
        } else if (link.chatty || packet.block == next - 1) {
            // The end of a window that came again: its ACK was lost.
            acknowledge(now);
        }
    }
    outcome.end = now;
    EXPECT_TRUE(outcome.completed || !finished || link.loss > 0) << link.name;
    return outcome;
}

class LossyLink : public testing::TestWithParam<Link> {};

TEST_P(LossyLink, EveryDownloadCompletes) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        const Outcome outcome = download(GetParam(), seed);
        EXPECT_TRUE(outcome.completed) << "seed " << seed;
    }
}

INSTANTIATE_TEST_SUITE_P(
    Table, LossyLink,
    testing::ValuesIn(std::vector<Link>{
        Link{.name = "clean"}, Link{.name = "one block", .blocks = 1}, Link{.name = "loss 1 %", .loss = 0.01},
        Link{.name = "loss 20 %", .loss = 0.2, .blocks = 200}, Link{.name = "doubling", .doubling = 0.3},
        Link{.name = "everything twice", .doubling = 1}, Link{.name = "reordering", .delay = 0.3},
        Link{.name = "window clean", .windowsize = 16},
        Link{.name = "window loss 1 %", .loss = 0.01, .windowsize = 16},
        Link{.name = "window loss 20 %", .loss = 0.2, .windowsize = 16, .blocks = 200},
        Link{.name = "window doubling", .doubling = 0.3, .windowsize = 16},
        Link{.name = "window reordering", .delay = 0.1, .windowsize = 16},
        Link{.name = "window chatty",
             .loss = 0.02,
             .doubling = 0.05,
             .delay = 0.05,
             .windowsize = 16,
             .chatty = true},
        Link{.name = "wrap", .loss = 0.001, .windowsize = 64, .blocks = 70'000},
        Link{.name = "all together", .loss = 0.05, .doubling = 0.05, .delay = 0.05, .windowsize = 64}}));

TEST(TftpTransfer, NoSorcerersApprentice) {
    // Every packet of the network comes twice, also every ACK: still every block is sent once.
    const Outcome lockstep = download({.name = "", .doubling = 1, .chatty = true}, 1);
    EXPECT_EQ(lockstep.packets, 1000U);
    const Outcome window = download({.name = "", .doubling = 1, .windowsize = 16, .chatty = true}, 1);
    EXPECT_LE(window.packets, 2100U) << "this client acknowledges every block twice, as if it missed one";
}

TEST(TftpTransfer, ALossyLinkCostsMillisecondsNotSeconds) {
    const Outcome lockstep = download({.name = "", .loss = 0.01, .blocks = 3000}, 7);
    EXPECT_LT(lockstep.end - t0, 5s) << "about 60 losses of 30 ms each";
    const Outcome window = download({.name = "", .loss = 0.01, .windowsize = 64, .blocks = 20'000}, 7);
    EXPECT_LT(window.end - t0, 2s);
    EXPECT_LT(window.packets, 40'000U);
}

}  // namespace
}  // namespace pomona::policy
