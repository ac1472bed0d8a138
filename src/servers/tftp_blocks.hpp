// The DATA packets of one file, laid out in a buffer exactly as they leave.
#pragma once

#include "io/file.hpp"

#include <pomona/base/bytes.hpp>
#include <pomona/codec/netascii.hpp>
#include <pomona/codec/tftp.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pomona::servers {

/// Reads blocks of a file, in octet or netascii mode, straight behind their headers. Windows are read when
/// they leave, so a waiting transfer costs no buffer; only for block by block transfers some blocks are read
/// ahead, which saves a tenth of the processor time.
class TftpBlocks {
  public:
    /// `ahead`: read ahead, for transfers with a window of one block.
    TftpBlocks(io::File file, codec::TftpMode mode, std::uint16_t blksize, bool ahead);

    /// Number of blocks, counting the short one at the end; not known in netascii before the end was seen.
    [[nodiscard]] std::optional<std::uint64_t> count() const { return count_; }
    /// Octets on the wire as far as known beforehand: the file's size in octet mode.
    [[nodiscard]] std::optional<std::uint64_t> size_on_wire() const;
    [[nodiscard]] std::uint64_t file_size() const { return file_.size(); }
    [[nodiscard]] std::uint16_t blksize() const { return blksize_; }
    /// Payload octets of the blocks before `block`; for netascii an upper bound once the end was passed.
    [[nodiscard]] std::uint64_t payload_before(std::uint64_t block) const;

    struct Filled {
        std::size_t blocks = 0;  ///< less than asked only behind the end
        base::Bytes octets;      ///< all of them, one behind the other; valid until the next call
        std::string problem;     ///< not empty: the file cannot be read any more, in words
    };
    /// `count` blocks from `first` on, laid out in `buffer` (which has room for them) or kept from before.
    /// `base` is the first block that may be asked for again.
    Filled take(std::uint64_t base, std::uint64_t first, std::size_t count, base::MutableBytes buffer);

  private:
    /// Where a block of the netascii form begins in the file.
    struct Place {
        std::uint64_t block = 1;
        std::uint64_t offset = 0;
        codec::NetasciiEncoder encoder;
    };

    Filled read_octet(std::uint64_t first, std::size_t count, base::MutableBytes buffer) const;
    Filled take_ahead(std::uint64_t block);
    Filled read_netascii(std::uint64_t base, std::uint64_t first, std::size_t count,
                         base::MutableBytes buffer);
    /// One block at `place`, which moves on; its payload size, or nothing with `problem` set.
    std::optional<std::size_t> next_netascii(Place& place, std::uint8_t* to, std::string& problem);

    io::File file_;
    codec::TftpMode mode_;
    std::uint16_t blksize_;
    bool ahead_;
    std::vector<std::uint8_t> kept_blocks_;  ///< read ahead; the last of a file is shorter
    std::uint64_t kept_first_ = 0;
    std::uint64_t kept_end_ = 0;  ///< exclusive
    std::size_t kept_octets_ = 0;
    std::optional<std::uint64_t> count_;
    std::uint64_t wire_size_ = 0;  ///< netascii, once the end was seen
    Place kept_;                   ///< at or before the oldest block that may be asked for again
    Place next_;                   ///< behind the last block that was laid out
};

}  // namespace pomona::servers
