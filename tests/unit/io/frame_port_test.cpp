#include "io/frame_port.hpp"

#include "support/net_namespace.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

namespace pomona::io {
namespace {

using tests::Cable;
using Frame = std::vector<std::uint8_t>;

// Ethernet, IPv4, UDP from 68 to `port`, and `payload` octets; the far end's broadcast. The first octet of
// the payload is `mark`.
Frame datagram(std::uint16_t port, std::uint8_t mark, std::size_t payload = 300) {
    const std::size_t ip_length = 28 + payload;
    Frame frame(14 + ip_length);
    base::ByteWriter writer(frame);
    writer.bytes(std::array<std::uint8_t, 6>{0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
    writer.bytes(std::array<std::uint8_t, 6>{0x02, 0, 0, 0, 0, 0x02});
    writer.u16(0x0800);
    writer.u16(0x4500);
    writer.u16(static_cast<std::uint16_t>(ip_length));
    writer.u32(0);
    writer.u8(64);
    writer.u8(17);
    writer.u16(0);
    writer.u32(0);
    writer.u32(0xffffffff);
    writer.u16(68);
    writer.u16(port);
    writer.u16(static_cast<std::uint16_t>(8 + payload));
    writer.u16(0);
    writer.u8(mark);
    return frame;
}

Frame tagged(const Frame& plain, std::uint16_t tci) {
    Frame frame(plain.begin(), plain.begin() + 12);
    for (const int octet : {0x81, 0x00, tci >> 8, tci & 0xff})
        frame.push_back(static_cast<std::uint8_t>(octet));
    frame.insert(frame.end(), plain.begin() + 12, plain.end());
    return frame;
}

constexpr std::size_t mark_offset = 42;

FramePort open_port(const tests::NetNamespace& where, const std::string& name,
                    const FramePort::Options& options) {
    const auto inside = where.enter();
    auto port = FramePort::open(name, options);
    if (!port) throw std::runtime_error(port.error().text());
    return std::move(*port);
}

// Drains until `count` frames came or half a second passed.
std::vector<Frame> receive(FramePort& port, std::size_t count) {
    std::vector<Frame> frames;
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
    while (frames.size() < count && std::chrono::steady_clock::now() < end) {
        pollfd waiting{port.descriptor(), POLLIN, 0};
        poll(&waiting, 1, 20);
        const auto drained =
            port.drain(1000, [&](base::Bytes frame) { frames.emplace_back(frame.begin(), frame.end()); });
        if (!drained) throw std::runtime_error(drained.error().text());
    }
    return frames;
}

class FramePortTest : public testing::Test {
  protected:
    Cable cable_;
    FramePort far_ = open_port(cable_.far, Cable::far_name, {});
    FramePort near_ = open_port(cable_.near, Cable::near_name, {.filter = "udp dst port 67"});
};

TEST_F(FramePortTest, PassesWhatTheFilterPasses) {
    ASSERT_TRUE(far_.inject(datagram(68, 1)));
    ASSERT_TRUE(far_.inject(datagram(67, 2)));
    ASSERT_TRUE(far_.inject(datagram(69, 3)));
    ASSERT_TRUE(far_.inject(datagram(67, 4)));
    const auto frames = receive(near_, 3);
    ASSERT_EQ(frames.size(), 2U);
    EXPECT_EQ(frames[0], datagram(67, 2));
    EXPECT_EQ(frames[1][mark_offset], 4);
    EXPECT_EQ(near_.statistics().received, 2U);
    EXPECT_EQ(near_.statistics().received, 2U) << "asking does not count twice";
    EXPECT_EQ(near_.statistics().dropped, 0U);
}

TEST_F(FramePortTest, DoesNotSeeWhatThisHostSends) {
    FramePort beside = open_port(cable_.near, Cable::near_name, {.filter = "udp dst port 67"});
    ASSERT_TRUE(near_.inject(datagram(67, 1)));
    ASSERT_TRUE(beside.inject(datagram(67, 2)));
    EXPECT_TRUE(receive(near_, 1).empty());
    EXPECT_TRUE(receive(beside, 1).empty());
    EXPECT_EQ(near_.statistics().received, 0U) << "outgoing frames take no slot of the ring";
    EXPECT_EQ(receive(far_, 2).size(), 2U);
}

TEST_F(FramePortTest, DrainStopsAtItsLimitAndLosesNothing) {
    for (std::uint8_t mark = 0; mark < 10; ++mark) ASSERT_TRUE(far_.inject(datagram(67, mark)));
    std::vector<int> marks;
    const auto take = [&](base::Bytes frame) { marks.push_back(frame[mark_offset]); };
    EXPECT_EQ(near_.drain(4, take), 4);
    EXPECT_EQ(near_.drain(0, take), 0);
    EXPECT_EQ(near_.drain(-1, take), 0);
    EXPECT_EQ(near_.drain(100, take), 6);
    EXPECT_EQ(near_.drain(100, take), 0) << "and does not block";
    EXPECT_EQ(marks, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST_F(FramePortTest, AnExceptionOfTheTakerComesThroughAndThePortGoesOn) {
    for (std::uint8_t mark = 0; mark < 3; ++mark) ASSERT_TRUE(far_.inject(datagram(67, mark)));
    EXPECT_THROW((void)near_.drain(10, [](base::Bytes) { throw std::runtime_error("taker"); }),
                 std::runtime_error);
    const auto rest = receive(near_, 2);
    ASSERT_EQ(rest.size(), 2U);
    EXPECT_EQ(rest[0][mark_offset], 1);
}

TEST_F(FramePortTest, CutsFramesAtTheSnapshotLength) {
    FramePort small = open_port(cable_.near, Cable::near_name, {.filter = "udp", .snapshot_bytes = 128});
    ASSERT_TRUE(far_.inject(datagram(67, 1, 1000)));
    const auto frames = receive(small, 1);
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_EQ(frames[0].size(), 128U);
    FramePort large = open_port(cable_.near, Cable::near_name, {.filter = "udp", .snapshot_bytes = 1600});
    ASSERT_TRUE(far_.inject(datagram(67, 1, 1472)));
    EXPECT_EQ(receive(large, 1).at(0).size(), 1514U);
}

// As if the thread slept the whole time.
TEST_F(FramePortTest, TheDefaultRingHoldsFiveThousandRequests) {
    for (int i = 0; i < 5000; ++i) ASSERT_TRUE(far_.inject(datagram(67, 1, 548)));
    EXPECT_EQ(receive(near_, 5000).size(), 5000U);
    EXPECT_EQ(near_.statistics().dropped, 0U);
}

TEST_F(FramePortTest, CountsWhatTheRingCouldNotHold) {
    FramePort small = open_port(cable_.near, Cable::near_name, {.filter = "udp", .ring_bytes = 64 << 10});
    for (int i = 0; i < 500; ++i) ASSERT_TRUE(far_.inject(datagram(67, 1)));
    const auto frames = receive(small, 500);
    EXPECT_LT(frames.size(), 500U);
    EXPECT_EQ(small.statistics().dropped, 500U - frames.size());
}

// The kernel keeps the tag beside the frame, so that the filter sees through it; libpcap puts it back in. A
// VLAN device on top sees the same frame once more, without the tag.
TEST_F(FramePortTest, TheParentSeesFramesOfVlansWithTheirTag) {
    const Frame sent = tagged(datagram(67, 1), 0x6005);
    ASSERT_TRUE(far_.inject(sent));
    ASSERT_TRUE(far_.inject(tagged(datagram(68, 1), 0x6005)));
    EXPECT_EQ(receive(near_, 2), std::vector<Frame>{sent});
}

TEST_F(FramePortTest, APriorityTagArrivesAsVlanZero) {
    const Frame sent = tagged(datagram(67, 1), 0xa000);
    ASSERT_TRUE(far_.inject(sent));
    EXPECT_EQ(receive(near_, 1), std::vector<Frame>{sent});
}

TEST_F(FramePortTest, PromiscuousSeesFramesForOtherHosts) {
    Frame foreign = datagram(67, 1);
    foreign[0] = 0x02;
    FramePort ear = open_port(cable_.near, Cable::near_name, {.filter = "udp", .promiscuous = true});
    ASSERT_TRUE(far_.inject(foreign));
    EXPECT_EQ(receive(ear, 1), std::vector<Frame>{foreign});
}

TEST_F(FramePortTest, AVanishedInterfaceIsAnError) {
    cable_.near.run("ip link del near0");
    pollfd waiting{near_.descriptor(), POLLIN, 0};
    EXPECT_EQ(poll(&waiting, 1, 500), 1) << "the loop wakes up";
    base::Result<int> drained = 0;
    for (int i = 0; i < 100 && drained; ++i) drained = near_.drain(10, [](base::Bytes) {});
    ASSERT_FALSE(drained);
    EXPECT_EQ(drained.error().where, "interface near0");
    EXPECT_FALSE(near_.inject(datagram(68, 1)));
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(near_.drain(10, [](base::Bytes) {})) << "and stays one";
}

TEST_F(FramePortTest, AnInterfaceThatWentDownWorksAgainWhenItIsUp) {
    for (int round = 0; round < 3; ++round) {
        cable_.near.run("ip link set near0 down");
        for (int i = 0; i < 20; ++i) ASSERT_TRUE(near_.drain(10, [](base::Bytes) {})) << "round " << round;
        EXPECT_FALSE(near_.inject(datagram(68, 1)));
        cable_.near.run("ip link set near0 up");
        ASSERT_TRUE(far_.inject(datagram(67, 9)));
        EXPECT_EQ(receive(near_, 1).size(), 1U) << "round " << round;
        EXPECT_TRUE(near_.inject(datagram(68, 1)));
    }
}

TEST_F(FramePortTest, ADownInterfaceDoesNotKeepTheThreadBusy) {
    cable_.near.run("ip link set near0 down");
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(near_.drain(10, [](base::Bytes) {}));
    pollfd waiting{near_.descriptor(), POLLIN, 0};
    EXPECT_EQ(poll(&waiting, 1, 50), 0);
}

TEST_F(FramePortTest, RefusesAFrameLongerThanTheInterfaceTakes) {
    EXPECT_FALSE(near_.inject(datagram(68, 1, 3000)));
    EXPECT_TRUE(near_.inject(datagram(68, 1)));
}

TEST_F(FramePortTest, KeepsWorkingWhenMoved) {
    FramePort moved = std::move(near_);
    ASSERT_TRUE(far_.inject(datagram(67, 1)));
    EXPECT_EQ(receive(moved, 1).size(), 1U);
    near_ = std::move(moved);
    ASSERT_TRUE(far_.inject(datagram(67, 2)));
    EXPECT_EQ(receive(near_, 1).size(), 1U);
}

// Takes what waits until the ring is there, which alone hears a tag.
void await_ring(FramePort& port, FramePort& far) {
    const Frame sent = tagged(datagram(67, 0xff), 5);
    for (int i = 0; i < 20; ++i) {
        ASSERT_TRUE(far.inject(sent));
        const auto frames = receive(port, 1);
        if (!frames.empty() && frames.back() == sent) return;
    }
    FAIL() << "the ring never came";
}

class FramePortAtOnce : public testing::Test {
  protected:
    Cable cable_;
    FramePort far_ = open_port(cable_.far, Cable::far_name, {});
    FramePort near_ =
        open_port(cable_.near, Cable::near_name, {.filter = "udp dst port 67", .at_once = true});
};

TEST_F(FramePortAtOnce, MissesNothingWhileTheRingTakesOver) {
    constexpr int count = 20'000;
    std::vector<int> heard;
    const auto take = [&](base::Bytes frame) {
        const int number = frame[mark_offset] << 8 | frame[mark_offset + 1];
        if (heard.empty() || heard.back() < number) heard.push_back(number);
    };
    for (int i = 0; i < count; ++i) {
        Frame frame = datagram(67, static_cast<std::uint8_t>(i >> 8));
        frame[mark_offset + 1] = static_cast<std::uint8_t>(i);
        ASSERT_TRUE(far_.inject(frame));
        ASSERT_TRUE(far_.inject(datagram(68, 1))) << "which the filter keeps out";
        if (i % 16 == 0) {
            ASSERT_TRUE(near_.drain(1000, take));
        }
    }
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(near_.drain(1000, take));
    EXPECT_EQ(heard.size(), std::size_t{count}) << "each at least once, and in their order";
    EXPECT_GE(near_.statistics().received, std::uint64_t{count});
    EXPECT_EQ(near_.statistics().dropped, 0U);
    await_ring(near_, far_);
}

TEST_F(FramePortAtOnce, SendsBeforeAndAfterTheRingIsThere) {
    ASSERT_TRUE(near_.inject(datagram(68, 1)));
    EXPECT_EQ(receive(far_, 1).size(), 1U);
    await_ring(near_, far_);
    ASSERT_TRUE(near_.inject(datagram(68, 2)));
    EXPECT_EQ(receive(far_, 1).back()[mark_offset], 2);
    EXPECT_TRUE(receive(near_, 1).empty()) << "and hears nothing of it";
}

TEST_F(FramePortAtOnce, StopsAtItsLimitAndGoesOnAfterAnException) {
    for (std::uint8_t mark = 0; mark < 5; ++mark) ASSERT_TRUE(far_.inject(datagram(67, mark)));
    std::vector<int> marks;
    const auto take = [&](base::Bytes frame) { marks.push_back(frame[mark_offset]); };
    EXPECT_EQ(near_.drain(2, take), 2);
    EXPECT_THROW((void)near_.drain(10, [](base::Bytes) { throw std::runtime_error("taker"); }),
                 std::runtime_error);
    EXPECT_EQ(near_.drain(10, take), 2);
    EXPECT_EQ(marks, (std::vector<int>{0, 1, 3, 4}));
}

TEST_F(FramePortAtOnce, AVanishedInterfaceIsAnErrorAfterTheRingCameAndBefore) {
    FramePort crossed =
        open_port(cable_.near, Cable::near_name, {.filter = "udp dst port 67", .at_once = true});
    await_ring(crossed, far_);
    FramePort fresh =
        open_port(cable_.near, Cable::near_name, {.filter = "udp dst port 67", .at_once = true});
    cable_.near.run("ip link del near0");
    for (FramePort* const port : {&crossed, &fresh}) {
        base::Result<int> drained = 0;
        for (int i = 0; i < 100 && drained; ++i) {
            pollfd waiting{port->descriptor(), POLLIN, 0};
            EXPECT_EQ(poll(&waiting, 1, 500), 1) << "the loop wakes up";
            drained = port->drain(10, [](base::Bytes) {});
        }
        ASSERT_FALSE(drained);
        EXPECT_EQ(drained.error().where, "interface near0");
    }
}

TEST_F(FramePortAtOnce, ADownInterfaceDoesNotKeepTheThreadBusy) {
    await_ring(near_, far_);
    cable_.near.run("ip link set near0 down");
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(near_.drain(10, [](base::Bytes) {}));
    pollfd waiting{near_.descriptor(), POLLIN, 0};
    EXPECT_EQ(poll(&waiting, 1, 50), 0);
}

struct Refusal {
    const char* name;
    const char* interface;
    const char* filter;
    const char* setup;
    const char* what;
    const char* where;
};

class FramePortRefuses : public testing::TestWithParam<Refusal> {};

TEST_P(FramePortRefuses, WithWhatWhereAndRemedy) {
    const Cable cable;
    if (*GetParam().setup != '\0') cable.near.run(GetParam().setup);
    const auto inside = cable.near.enter();
    for (const bool at_once : {false, true}) {
        const auto port =
            FramePort::open(GetParam().interface, {.filter = GetParam().filter, .at_once = at_once});
        ASSERT_FALSE(port) << at_once;
        EXPECT_NE(port.error().what.find(GetParam().what), std::string::npos) << port.error().text();
        EXPECT_EQ(port.error().where, GetParam().where);
        EXPECT_NE(port.error().remedy, "");
    }
}

INSTANTIATE_TEST_SUITE_P(
    Cases, FramePortRefuses,
    testing::ValuesIn(std::vector<Refusal>{
        Refusal{"missing", "eth77", "udp", "", "no such interface", "interface eth77"},
        Refusal{"empty_name", "", "udp", "", "no such interface", "interface "},
        Refusal{"down", "near0", "udp", "ip link set near0 down", "is down", "interface near0"},
        Refusal{"any", "any", "udp", "", "Not an Ethernet interface", "interface any"},
        Refusal{"tunnel", "tun9", "udp", "ip tuntap add tun9 mode tun && ip link set tun9 up",
                "Not an Ethernet interface", "interface tun9"},
        Refusal{"bad_filter", "near0", "udp dst prt 67", "", "Wrong capture filter",
                "filter 'udp dst prt 67'"}}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace pomona::io
