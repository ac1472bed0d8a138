#include "servers/tftp_blocks.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

namespace pomona::servers {

namespace {

std::string read_problem(std::ptrdiff_t result) {
    if (result >= 0) return "the file became shorter while it was sent";
    return "cannot read the file: " + std::generic_category().message(errno);
}

}  // namespace

TftpBlocks::TftpBlocks(io::File file, codec::TftpMode mode, std::uint16_t blksize)
    : file_(std::move(file)), mode_(mode), blksize_(blksize) {
    if (mode_ == codec::TftpMode::Octet) count_ = file_.size() / blksize_ + 1;
}

std::optional<std::uint64_t> TftpBlocks::size_on_wire() const {
    if (mode_ == codec::TftpMode::Octet) return file_.size();
    return std::nullopt;
}

std::uint64_t TftpBlocks::payload_before(std::uint64_t block) const {
    const std::uint64_t octets = (block - 1) * blksize_;
    if (mode_ == codec::TftpMode::Octet) return std::min(octets, file_.size());
    return count_ ? std::min(octets, wire_size_) : octets;
}

TftpBlocks::Filled TftpBlocks::fill(std::uint64_t base, std::uint64_t first, std::size_t count,
                                    base::MutableBytes buffer) {
    return mode_ == codec::TftpMode::Octet ? fill_octet(first, count, buffer)
                                           : fill_netascii(base, first, count, buffer);
}

TftpBlocks::Filled TftpBlocks::fill_octet(std::uint64_t first, std::size_t count,
                                          base::MutableBytes buffer) const {
    constexpr std::size_t most_parts = 64;
    std::array<iovec, most_parts> parts;
    const std::uint64_t offset = (first - 1) * blksize_;
    Filled filled;
    std::size_t wanted = 0;
    for (; filled.blocks < std::min(count, most_parts) && first + filled.blocks <= *count_; ++filled.blocks) {
        std::uint8_t* const at = buffer.data() + filled.octets;
        const std::uint64_t left = file_.size() - offset - wanted;
        const auto payload = static_cast<std::size_t>(std::min<std::uint64_t>(blksize_, left));
        codec::put_tftp_data_header(at, static_cast<std::uint16_t>(first + filled.blocks));
        parts[filled.blocks] = {at + codec::tftp_data_header_size, payload};
        filled.octets += codec::tftp_data_header_size + payload;
        wanted += payload;
    }
    if (wanted == 0) return filled;
    const std::ptrdiff_t got = file_.read({parts.data(), filled.blocks}, offset);
    if (got < 0 || static_cast<std::size_t>(got) != wanted) filled.problem = read_problem(got);
    return filled;
}

std::optional<std::size_t> TftpBlocks::next_netascii(Place& place, std::uint8_t* to, std::string& problem) {
    std::array<std::uint8_t, 2048> text;
    std::size_t payload = 0;
    while (payload < blksize_) {
        const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(
            std::min<std::size_t>(text.size(), blksize_ - payload), file_.size() - place.offset));
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

TftpBlocks::Filled TftpBlocks::fill_netascii(std::uint64_t base, std::uint64_t first, std::size_t count,
                                             base::MutableBytes buffer) {
    Filled filled;
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
        std::uint8_t* const at = buffer.data() + filled.octets;
        codec::put_tftp_data_header(at, static_cast<std::uint16_t>(next_.block));
        const auto payload = next_netascii(next_, at + codec::tftp_data_header_size, filled.problem);
        if (!payload) return filled;
        filled.octets += codec::tftp_data_header_size + *payload;
        ++filled.blocks;
    }
    return filled;
}

}  // namespace pomona::servers
