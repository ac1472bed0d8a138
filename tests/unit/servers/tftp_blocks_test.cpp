#include "servers/tftp_blocks.hpp"

#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace pomona::servers {
namespace {

using codec::TftpMode;

std::string pattern(std::size_t size, std::string_view alphabet) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = alphabet[(i * i + i / 7) % alphabet.size()];
    return text;
}

std::string as_netascii(std::string_view text) {
    std::string wire;
    for (const char c : text) {
        if (c == '\n') wire += '\r';
        wire += c;
        if (c == '\r') wire += '\0';
    }
    return wire;
}

struct BlocksCase {
    TftpMode mode;
    std::size_t size;
    std::uint16_t blksize;
    bool ahead;
};
std::ostream& operator<<(std::ostream& out, const BlocksCase& c) {
    return out << (c.mode == TftpMode::octet ? "octet " : "netascii ") << c.size << " octets, blocks of "
               << c.blksize << (c.ahead ? " ahead" : "");
}

class TftpBlocksOf : public testing::TestWithParam<BlocksCase> {
  protected:
    TftpBlocksOf() {
        const BlocksCase& c = GetParam();
        const std::string text = pattern(c.size, "ab\nc\r\rd\n\nefghijklmnop");
        folder_.write("file", text);
        expected_ = c.mode == TftpMode::octet ? text : as_netascii(text);
        last_ = expected_.size() / c.blksize + 1;
    }
    TftpBlocks open() {
        auto file = io::File::open_beneath(folder_.path(), "file");
        return {std::move(*file), GetParam().mode, GetParam().blksize, GetParam().ahead};
    }
    /// What DATA packets `first` to `first + count - 1` look like, one behind the other.
    std::string laid_out(std::uint64_t first, std::size_t count) {
        std::string octets;
        for (std::uint64_t block = first; block < first + count && block <= last_; ++block) {
            octets += {'\0', '\3', static_cast<char>(block >> 8), static_cast<char>(block)};
            octets += expected_.substr((block - 1) * GetParam().blksize, GetParam().blksize);
        }
        return octets;
    }

    tests::TemporaryFolder folder_;
    std::string expected_;
    std::uint64_t last_ = 0;
    std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(1 << 17);
};

TEST_P(TftpBlocksOf, ComeInWindowsAndAgain) {
    for (const std::size_t window : {std::size_t{1}, std::size_t{3}, std::size_t{64}}) {
        TftpBlocks blocks = open();
        std::uint64_t base = 1;
        std::size_t sent = 0;
        while (base <= last_) {
            // The window in two trains, then again from its beginning, then on from its middle.
            for (const std::uint64_t first : {base, base + window / 2, base}) {
                const std::size_t count = window - static_cast<std::size_t>(first - base);
                const auto filled = blocks.take(base, first, count, buffer_);
                ASSERT_EQ(filled.problem, "");
                ASSERT_EQ(base::as_text(filled.octets), laid_out(first, count)) << "block " << first;
                ASSERT_EQ(filled.blocks,
                          first > last_ ? 0 : std::min<std::uint64_t>(count, last_ + 1 - first));
            }
            base += std::max<std::size_t>(1, window - sent++ % 2);
        }
        EXPECT_EQ(blocks.count(), last_);
        EXPECT_EQ(blocks.payload_before(last_ + 1), expected_.size());
        EXPECT_EQ(blocks.payload_before(1), 0U);
    }
}

INSTANTIATE_TEST_SUITE_P(
    Table, TftpBlocksOf,
    testing::ValuesIn(std::vector<BlocksCase>{
        BlocksCase{TftpMode::octet, 0, 512, false}, BlocksCase{TftpMode::octet, 0, 512, true},
        BlocksCase{TftpMode::octet, 1, 512, true}, BlocksCase{TftpMode::octet, 511, 512, true},
        BlocksCase{TftpMode::octet, 512, 512, true}, BlocksCase{TftpMode::octet, 513, 512, false},
        BlocksCase{TftpMode::octet, 100'000, 512, true}, BlocksCase{TftpMode::octet, 100'000, 8, true},
        BlocksCase{TftpMode::octet, 145'600, 1456, true}, BlocksCase{TftpMode::octet, 145'600, 1456, false},
        BlocksCase{TftpMode::netascii, 0, 512, false}, BlocksCase{TftpMode::netascii, 1, 8, false},
        BlocksCase{TftpMode::netascii, 3000, 8, false}, BlocksCase{TftpMode::netascii, 10'000, 512, false},
        BlocksCase{TftpMode::netascii, 10'000, 513, false}}));

TEST(TftpBlocks, AFileThatShrinksIsAProblem) {
    const tests::TemporaryFolder folder;
    folder.write("file", std::string(100'000, 'x'));
    for (const bool ahead : {false, true}) {
        for (const TftpMode mode : {TftpMode::octet, TftpMode::netascii}) {
            folder.write("file", std::string(100'000, 'x'));
            TftpBlocks blocks(std::move(*io::File::open_beneath(folder.path(), "file")), mode, 512, ahead);
            std::filesystem::resize_file(folder / "file", 1000);
            std::vector<std::uint8_t> buffer(1 << 16);
            EXPECT_EQ(blocks.take(1, 100, 1, buffer).problem, "the file became shorter while it was sent");
        }
    }
}

TEST(TftpBlocks, AFileThatGrowsIsSentAsItWas) {
    const tests::TemporaryFolder folder;
    folder.write("file", "12345");
    TftpBlocks blocks(std::move(*io::File::open_beneath(folder.path(), "file")), TftpMode::octet, 512, false);
    folder.write("file", "1234567890");
    std::vector<std::uint8_t> buffer(1 << 16);
    EXPECT_EQ(blocks.take(1, 1, 1, buffer).octets.size(), 4U + 5U);
    EXPECT_EQ(blocks.size_on_wire(), 5U);
}

}  // namespace
}  // namespace pomona::servers
