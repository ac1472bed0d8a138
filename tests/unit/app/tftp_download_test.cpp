#include "app/tftp_download.hpp"

#include "support/wire.hpp"

#include <gmock/gmock.h>

namespace pomona::app {
namespace {

using testing::HasSubstr;
using tests::be16;
using tests::join;
using tests::octets;
using tests::Payload;

Payload zero_ended(std::string_view text) {
    return join({octets(text), Payload{0}});
}
Payload data(std::uint16_t block, std::size_t length, std::uint8_t fill = 7) {
    return join({be16(3), be16(block), Payload(length, fill)});
}
Payload ack(std::uint16_t block) {
    return join({be16(4), be16(block)});
}
Payload oack(std::initializer_list<std::pair<std::string_view, std::string_view>> options) {
    Payload packet = be16(6);
    for (const auto& [name, value] : options) packet = join({packet, zero_ended(name), zero_ended(value)});
    return packet;
}

class TftpDownloadTest : public testing::Test {
  protected:
    TftpDownload make(const TftpDownload::Options& options = {}) {
        return {"nbi/grub", options,
                [this](base::Bytes piece) { file_.insert(file_.end(), piece.begin(), piece.end()); }};
    }
    Payload file_;
};

TEST_F(TftpDownloadTest, AsksForOptions) {
    EXPECT_EQ(make().request(), join({be16(1), zero_ended("nbi/grub"), zero_ended("octet"),
                                      zero_ended("tsize"), zero_ended("0"), zero_ended("blksize"),
                                      zero_ended("1456"), zero_ended("windowsize"), zero_ended("16")}));
    const Payload plain = make({.windowsize = 1}).request();
    EXPECT_THAT(std::string(base::as_text(plain)), testing::Not(HasSubstr("windowsize")));
}

TEST_F(TftpDownloadTest, WithoutOptionsItIsRfc1350) {
    auto transfer = make();
    EXPECT_EQ(transfer.take(data(1, 512)), ack(1));
    EXPECT_EQ(transfer.take(data(2, 512)), ack(2));
    EXPECT_FALSE(transfer.finished());
    EXPECT_EQ(transfer.take(data(3, 100)), ack(3));
    EXPECT_TRUE(transfer.finished());
    EXPECT_EQ(transfer.octets(), 1124U);
    EXPECT_EQ(file_.size(), 1124U);
    EXPECT_EQ(transfer.take(data(4, 512)), std::nullopt) << "after the end";
    EXPECT_EQ(transfer.silence(), std::nullopt);
}

TEST_F(TftpDownloadTest, AnEmptyLastBlockEnds) {
    auto transfer = make();
    (void)transfer.take(data(1, 512));
    EXPECT_EQ(transfer.take(data(2, 0)), ack(2));
    EXPECT_TRUE(transfer.finished());
}

TEST_F(TftpDownloadTest, AWindowIsAcknowledgedOnce) {
    auto transfer = make();
    EXPECT_EQ(transfer.take(oack({{"blksize", "1000"}, {"TSIZE", "3500"}, {"windowsize", "2"}})), ack(0));
    EXPECT_EQ(transfer.tsize(), 3500U);
    EXPECT_EQ(transfer.take(data(1, 1000)), std::nullopt);
    EXPECT_EQ(transfer.take(data(2, 1000)), ack(2));
    EXPECT_EQ(transfer.take(data(3, 1000)), std::nullopt);
    EXPECT_EQ(transfer.take(data(4, 500)), ack(4)) << "the last one at once";
    EXPECT_TRUE(transfer.finished());
}

TEST_F(TftpDownloadTest, ATrainOfPacketsInOneIsTakenApart) {
    auto transfer = make();
    (void)transfer.take(oack({{"blksize", "1000"}, {"windowsize", "4"}}));
    EXPECT_EQ(transfer.take(join({data(1, 1000, 1), data(2, 1000, 2), data(3, 1000, 3), data(4, 1000, 4)})),
              ack(4));
    EXPECT_EQ(transfer.take(join({data(5, 1000, 5), data(6, 10, 6)})), ack(6));
    EXPECT_TRUE(transfer.finished());
    EXPECT_EQ(file_.size(), 5010U);
    EXPECT_EQ(file_[3999], 4);
    EXPECT_EQ(file_[4000], 5);
}

TEST_F(TftpDownloadTest, AGapIsToldOnceAndTheWindowBeginsAnew) {
    auto transfer = make();
    (void)transfer.take(oack({{"blksize", "1000"}, {"windowsize", "4"}}));
    EXPECT_EQ(transfer.take(data(1, 1000)), std::nullopt);
    EXPECT_EQ(transfer.take(data(3, 1000)), ack(1));
    EXPECT_EQ(transfer.take(data(4, 1000)), std::nullopt);
    for (std::uint16_t block = 2; block <= 4; ++block)
        EXPECT_EQ(transfer.take(data(block, 1000)), std::nullopt);
    EXPECT_EQ(transfer.take(data(5, 1000)), ack(5));
    EXPECT_EQ(transfer.misplaced(), 2U);
    EXPECT_EQ(file_.size(), 5000U);
}

TEST_F(TftpDownloadTest, ARepeatedBlockIsAcknowledgedAgainButNotTakenTwice) {
    auto transfer = make();
    (void)transfer.take(data(1, 512));
    EXPECT_EQ(transfer.take(data(1, 512)), ack(1)) << "our acknowledgement was lost";
    EXPECT_EQ(file_.size(), 512U);
    EXPECT_EQ(transfer.take(data(2, 1)), ack(2));
    EXPECT_TRUE(transfer.finished());
}

TEST_F(TftpDownloadTest, ARepeatedOptionAnswerIsAcknowledgedUntilDataCame) {
    auto transfer = make();
    EXPECT_EQ(transfer.take(oack({{"blksize", "512"}})), ack(0));
    EXPECT_EQ(transfer.take(oack({{"blksize", "512"}})), ack(0));
    (void)transfer.take(data(1, 512));
    EXPECT_EQ(transfer.take(oack({{"blksize", "512"}})), std::nullopt);
}

TEST_F(TftpDownloadTest, TheBlockNumberWraps) {
    auto transfer = make();
    (void)transfer.take(oack({{"blksize", "8"}}));
    for (int block = 1; block <= 65536 + 10; ++block) {
        ASSERT_EQ(transfer.take(data(static_cast<std::uint16_t>(block), 8)),
                  ack(static_cast<std::uint16_t>(block)));
    }
    EXPECT_EQ(transfer.blocks(), 65546U);
}

TEST_F(TftpDownloadTest, SilenceRepeatsAndThenGivesUp) {
    auto transfer = make({.patience = 3});
    EXPECT_EQ(transfer.silence(), transfer.request());
    (void)transfer.take(data(1, 512));
    EXPECT_EQ(transfer.silence(), ack(1));
    EXPECT_EQ(transfer.silence(), ack(1));
    EXPECT_EQ(transfer.silence(), std::nullopt);
    ASSERT_TRUE(transfer.failure());
    EXPECT_EQ(transfer.failure()->text(), "TFTP nbi/grub: the server fell silent after 512 octets");
    EXPECT_EQ(transfer.silences(), 4U);
}

TEST_F(TftpDownloadTest, NobodyAnswers) {
    auto transfer = make({.patience = 1});
    EXPECT_EQ(transfer.silence(), std::nullopt);
    EXPECT_THAT(transfer.failure()->text(), HasSubstr("no answer"));
}

struct Refusal {
    const char* name;
    Payload packet;
    const char* says;
    /// Code of the ERROR packet to send, 0 for none.
    std::uint16_t code;
};
class TftpDownloadFails : public testing::TestWithParam<Refusal> {};
TEST_P(TftpDownloadFails, WithAReason) {
    TftpDownload transfer("a\nb", {.windowsize = 4}, [](base::Bytes) {});
    const auto answer = transfer.take(GetParam().packet);
    ASSERT_TRUE(transfer.failure());
    EXPECT_THAT(transfer.failure()->text(), HasSubstr(GetParam().says));
    EXPECT_THAT(transfer.failure()->text(), HasSubstr("a?b"));
    ASSERT_EQ(answer.has_value(), GetParam().code != 0);
    if (answer) {
        EXPECT_EQ(Payload(answer->begin(), answer->begin() + 4), join({be16(5), be16(GetParam().code)}));
    }
    EXPECT_EQ(transfer.take(data(1, 512)), std::nullopt);
}
INSTANTIATE_TEST_SUITE_P(
    Cases, TftpDownloadFails,
    testing::ValuesIn(std::vector<Refusal>{
        Refusal{"error", join({be16(5), be16(1), zero_ended("File \x1b not found")}),
                "error 1 \"File ? not found\"", 0},
        Refusal{"error_without_text", join({be16(5), be16(2)}), "error 2 \"\"", 0},
        Refusal{"blksize_too_large", oack({{"blksize", "1457"}}), "block size of \"1457\" where 1456", 8},
        Refusal{"blksize_too_small", oack({{"blksize", "7"}}), "block size of \"7\"", 8},
        Refusal{"window_too_large", oack({{"windowsize", "5"}}), "window of \"5\" where 4", 8},
        Refusal{"window_zero", oack({{"windowsize", "0"}}), "window of \"0\"", 8},
        Refusal{"no_number", oack({{"tsize", "12x"}}), "file size of \"12x\"", 8},
        Refusal{"too_long", join({be16(3), be16(1), Payload(600, 0)}), "longer than agreed", 4}}),
    [](const auto& test) { return test.param.name; });

TEST_F(TftpDownloadTest, AWrongSizeIsAFailure) {
    auto transfer = make();
    (void)transfer.take(oack({{"blksize", "512"}, {"tsize", "101"}}));
    (void)transfer.take(data(1, 100));
    EXPECT_FALSE(transfer.finished());
    EXPECT_THAT(transfer.failure()->text(), HasSubstr("ended after 100 octets although the server said 101"));
}

TEST_F(TftpDownloadTest, NoiseIsPassedOver) {
    auto transfer = make();
    for (const Payload& noise : {Payload{}, Payload{0}, Payload{0, 9, 1, 1}, ack(3), Payload{0, 1}}) {
        EXPECT_EQ(transfer.take(noise), std::nullopt);
    }
    EXPECT_FALSE(transfer.failure());
    EXPECT_EQ(transfer.take(data(1, 1)), ack(1));
}

}  // namespace
}  // namespace pomona::app
