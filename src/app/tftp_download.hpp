// TftpDownload: the receiving side of one TFTP transfer (RFC 1350, 2347, 2348, 2349, 7440), without a
// network: packets and silences in, packets out.
#pragma once

#include <pomona/base/bytes.hpp>
#include <pomona/base/error.hpp>
#include <pomona/codec/tftp.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace pomona::app {

class TftpDownload {
  public:
    struct Options {
        std::uint16_t blksize = 1456;
        std::uint16_t windowsize = 16;
        /// Silences in a row after which the transfer is given up.
        int patience = 6;
    };
    using Packet = std::vector<std::uint8_t>;
    /// Takes the file piece by piece, in order.
    using Sink = std::function<void(base::Bytes)>;

    TftpDownload(std::string path, const Options& options, Sink sink);

    /// The read request, for the server's port 69.
    [[nodiscard]] Packet request() const;
    /// A packet of the server's transfer port. Returns what to answer there, if anything. A whole train of
    /// DATA packets in one (UDP_SEGMENT, captured before any device cut it) is taken apart.
    std::optional<Packet> take(base::Bytes packet);
    /// Nothing came for a while: the packet to send again.
    std::optional<Packet> silence();

    [[nodiscard]] bool finished() const { return finished_; }
    /// Set when the transfer cannot go on.
    [[nodiscard]] const std::optional<base::Error>& failure() const { return failure_; }

    [[nodiscard]] std::uint64_t octets() const { return octets_; }
    [[nodiscard]] std::uint64_t blocks() const { return blocks_; }
    /// Duplicate and out-of-order DATA packets.
    [[nodiscard]] std::uint64_t misplaced() const { return misplaced_; }
    [[nodiscard]] std::uint64_t silences() const { return silences_; }
    /// What the server granted; blksize 512 and windowsize 1 unless it said otherwise.
    [[nodiscard]] std::size_t blksize() const { return blksize_; }
    [[nodiscard]] std::size_t windowsize() const { return windowsize_; }
    [[nodiscard]] std::optional<std::uint64_t> tsize() const { return tsize_; }

  private:
    std::optional<Packet> take_data(std::uint16_t block, base::Bytes payload);
    std::optional<Packet> take_train(base::Bytes packets);
    std::optional<Packet> take_options(const codec::TftpOptions& granted);
    /// Ends the transfer; the server is told with an ERROR packet if it is to blame.
    std::optional<Packet> fail(std::string what, std::optional<codec::TftpErrorCode> tell = std::nullopt);
    [[nodiscard]] Packet acknowledgement() const;

    std::string path_;
    Options asked_;
    Sink sink_;
    std::size_t blksize_ = 512;
    std::size_t windowsize_ = 1;
    std::optional<std::uint64_t> tsize_;
    bool began_ = false;
    bool finished_ = false;
    std::optional<base::Error> failure_;
    std::uint64_t octets_ = 0;
    /// DATA packets taken in order; its low 16 bits are the number of the last one.
    std::uint64_t blocks_ = 0;
    std::size_t in_window_ = 0;
    /// One acknowledgement for a gap or a duplicate is enough until something new comes.
    bool repeated_ = false;
    std::uint64_t misplaced_ = 0;
    std::uint64_t silences_ = 0;
    int silences_in_a_row_ = 0;
};

}  // namespace pomona::app
