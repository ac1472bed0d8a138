#include "servers/address_probe.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace pomona::servers {
namespace {

using base::Ipv4Address;
using base::MacAddress;

const MacAddress ours({2, 0, 0, 0, 0, 1});
const MacAddress holder({0x40, 0x6c, 0x8f, 0x37, 0x95, 0x27});
const MacAddress other({0x40, 0x6c, 0x8f, 0x37, 0x95, 0x28});
const Ipv4Address address(10, 0, 1, 32);

class AddressProbeTest : public testing::Test {
  protected:
    bool ask(const std::string& interface = "eth0", MacAddress who = holder) {
        return probe_.ask(interface, ours, address, who,
                          [this](std::optional<MacAddress> found) { verdicts_.push_back(found); });
    }
    void hear(MacAddress owner, const std::string& interface = "eth0") {
        probe_.hear(interface, {.address = address, .owner = owner});
    }
    /// Until nothing is open any more.
    void wait() {
        loop_.restart();
        loop_.run();
    }

    boost::asio::io_context loop_;
    bool link_ = true;
    std::vector<std::pair<std::string, std::size_t>> sent_;
    std::vector<std::optional<MacAddress>> verdicts_;
    AddressProbe probe_{loop_, std::chrono::milliseconds(10),
                        [this](const std::string& interface, base::Bytes frame) {
                            sent_.emplace_back(interface, frame.size());
                            return link_;
                        }};
};

TEST_F(AddressProbeTest, SilenceMeansFree) {
    EXPECT_TRUE(ask());
    EXPECT_TRUE(verdicts_.empty()) << "others need time to answer";
    wait();
    EXPECT_EQ(verdicts_, (std::vector<std::optional<MacAddress>>{std::nullopt}));
    EXPECT_EQ(sent_, (std::vector<std::pair<std::string, std::size_t>>{{"eth0", codec::arp_frame_size}}));
}

TEST_F(AddressProbeTest, AnotherOwnerEndsItAtOnce) {
    ask();
    hear(other);
    EXPECT_EQ(verdicts_, (std::vector<std::optional<MacAddress>>{other}));
    wait();
    EXPECT_EQ(verdicts_.size(), 1U);
}

TEST_F(AddressProbeTest, ItsOwnHolderAndOtherLinksDoNotCount) {
    ask();
    hear(holder);
    hear(other, "eth1");
    EXPECT_TRUE(verdicts_.empty());
    wait();
    EXPECT_EQ(verdicts_, (std::vector<std::optional<MacAddress>>{std::nullopt}));
}

TEST_F(AddressProbeTest, WhatWasFreeAMomentAgoIsNotAskedForAgain) {
    ask();
    wait();
    EXPECT_TRUE(ask());
    EXPECT_EQ(verdicts_.size(), 2U);
    EXPECT_EQ(sent_.size(), 1U);
    // For another machine it is another question, and so it is once somebody has spoken from it.
    ask("eth0", other);
    EXPECT_EQ(sent_.size(), 2U);
    wait();
    hear(MacAddress({2, 2, 2, 2, 2, 2}));
    ask();
    EXPECT_EQ(sent_.size(), 3U);
    wait();
}

TEST_F(AddressProbeTest, RepetitionsShareOneProbe) {
    ask();
    ask();
    EXPECT_EQ(sent_.size(), 1U);
    wait();
    EXPECT_EQ(verdicts_.size(), 2U);
    // Two machines that want one address cannot both be asked for.
    ask("eth1");
    EXPECT_FALSE(ask("eth1", other));
    wait();
}

TEST_F(AddressProbeTest, AnAskedAgainAddressHasItsFullTime) {
    ask();
    hear(other);
    ask();
    EXPECT_EQ(verdicts_.size(), 1U);
    wait();
    EXPECT_EQ(verdicts_.size(), 2U);
    EXPECT_FALSE(verdicts_[1]);
}

TEST_F(AddressProbeTest, ALinkThatTakesNoFrameTakesNoAnswerEither) {
    link_ = false;
    EXPECT_TRUE(ask());
    EXPECT_EQ(verdicts_.size(), 1U);
}

}  // namespace
}  // namespace pomona::servers
