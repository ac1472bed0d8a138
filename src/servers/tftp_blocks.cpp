#include "servers/tftp_blocks.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

namespace pomona::servers {

namespace {

/// Enough to make the reading cheap, little enough for thousands of transfers.
constexpr std::size_t octets_ahead = 16'384;
constexpr std::size_t most_parts = 64;

std::string read_problem(std::ptrdiff_t result) {
    if (result >= 0) return "the file became shorter while it was sent";
    return "cannot read the file: " + std::generic_category().message(errno);
}

}  // namespace

TftpBlocks::TftpBlocks(io::File file, codec::TftpMode mode, std::uint16_t blksize, bool ahead)
    : file_(std::move(file)),
      mode_(mode),
      blksize_(blksize),
      ahead_(ahead && mode == codec::TftpMode::octet && blksize < octets_ahead / 4) {
    if (mode_ == codec::TftpMode::octet) count_ = file_.size() / blksize_ + 1;
}

std::optional<std::uint64_t> TftpBlocks::size_on_wire() const {
    if (mode_ == codec::TftpMode::octet) return file_.size();
    return std::nullopt;
}

std::uint64_t TftpBlocks::payload_before(std::uint64_t block) const {
    const std::uint64_t octets = (block - 1) * blksize_;
    if (mode_ == codec::TftpMode::octet) return std::min(octets, file_.size());
    return count_ ? std::min(octets, wire_size_) : octets;
}

TftpBlocks::Filled TftpBlocks::take(std::uint64_t base, std::uint64_t first, std::size_t count,
                                    base::MutableBytes buffer) {
    if (mode_ == codec::TftpMode::netascii) return read_netascii(base, first, count, buffer);
    if (ahead_ && count == 1) return take_ahead(first);
    return read_octet(first, count, buffer);
}

TftpBlocks::Filled TftpBlocks::take_ahead(std::uint64_t block) {
    const std::size_t segment = blksize_ + codec::tftp_data_header_size;
    if (block < kept_first_ || block >= kept_end_) {
        const std::size_t blocks = std::min(octets_ahead / segment, most_parts);
        // A small file, or the end of a large one, needs less.
        const auto left = static_cast<std::size_t>(std::min<std::uint64_t>(blocks, *count_ + 1 - block));
        kept_blocks_.resize(std::max(kept_blocks_.size(), left * segment));
        const Filled read = read_octet(block, left, kept_blocks_);
        if (!read.problem.empty()) return read;
        kept_first_ = block;
        kept_end_ = block + read.blocks;
        kept_octets_ = read.octets.size();
    }
    const auto at = static_cast<std::size_t>(block - kept_first_) * segment;
    return {1, {kept_blocks_.data() + at, std::min(segment, kept_octets_ - at)}, {}};
}

TftpBlocks::Filled TftpBlocks::read_octet(std::uint64_t first, std::size_t count,
                                          base::MutableBytes buffer) const {
    std::array<iovec, most_parts> parts{};
    const std::uint64_t offset = (first - 1) * blksize_;
    Filled filled;
    std::size_t octets = 0;
    std::size_t wanted = 0;
    for (; filled.blocks < std::min(count, most_parts) && first + filled.blocks <= *count_; ++filled.blocks) {
        std::uint8_t* const at = buffer.data() + octets;
        const std::uint64_t left = file_.size() - offset - wanted;
        const auto payload = static_cast<std::size_t>(std::min<std::uint64_t>(blksize_, left));
        codec::put_tftp_data_header(at, static_cast<std::uint16_t>(first + filled.blocks));
        parts[filled.blocks] = {at + codec::tftp_data_header_size, payload};
        octets += codec::tftp_data_header_size + payload;
        wanted += payload;
    }
    filled.octets = buffer.first(octets);
    if (wanted == 0) return filled;
    const std::ptrdiff_t got = file_.read({parts.data(), filled.blocks}, offset);
    if (got < 0 || static_cast<std::size_t>(got) != wanted) filled.problem = read_problem(got);
    return filled;
}

std::optional<std::size_t> TftpBlocks::next_netascii(Place& place, std::uint8_t* to, std::string& problem) {
    std::array<std::uint8_t, 2048> text{};
    std::size_t payload = 0;
    while (payload < blksize_) {
        const auto want = static_cast<std::size_t>(std::min(
            {std::uint64_t{text.size()}, std::uint64_t{blksize_ - payload}, file_.size() - place.offset}));
        if (want == 0 && !place.encoder.pending()) break;
        if (want > 0) {
            const iovec part{text.data(), want};
            const std::ptrdiff_t got = file_.read({&part, 1}, place.offset);
            if (got < 0 || static_cast<std::size_t>(got) != want) {
                problem = read_problem(got);
                return std::nullopt;
            }
        }
        const auto done = place.encoder.encode({text.data(), want}, {to + payload, blksize_ - payload});
        place.offset += done.consumed;
        payload += done.produced;
    }
    if (payload < blksize_) {
        count_ = place.block;
        wire_size_ = (place.block - 1) * blksize_ + payload;
    }
    ++place.block;
    return payload;
}

TftpBlocks::Filled TftpBlocks::read_netascii(std::uint64_t base, std::uint64_t first, std::size_t count,
                                             base::MutableBytes buffer) {
    Filled filled;
    std::size_t octets = 0;
    std::vector<std::uint8_t> skipped;
    const auto advance = [&](Place& place, std::uint64_t block) {
        if (place.block < block) skipped.resize(blksize_);
        while (place.block < block) {
            if (!next_netascii(place, skipped.data(), filled.problem)) return false;
        }
        return true;
    };
    if (next_.block <= base && kept_.block < next_.block) kept_ = next_;
    if (!advance(kept_, base)) return filled;
    if (next_.block != first) next_ = kept_;
    if (!advance(next_, first)) return filled;
    while (filled.blocks < count && (!count_ || next_.block <= *count_)) {
        std::uint8_t* const at = buffer.data() + octets;
        codec::put_tftp_data_header(at, static_cast<std::uint16_t>(next_.block));
        const auto payload = next_netascii(next_, at + codec::tftp_data_header_size, filled.problem);
        if (!payload) return filled;
        octets += codec::tftp_data_header_size + *payload;
        ++filled.blocks;
    }
    filled.octets = buffer.first(octets);
    return filled;
}

}  // namespace pomona::servers
