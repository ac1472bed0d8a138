// One running TFTP transfer, server to client, without sockets and clock: which blocks go out after an ACK or
// a timeout (RFC 1350, RFC 1123 4.2.3.1, RFC 7440).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace pomona::policy {

/// When to repeat and when to stop. Round trips are measured, so that a lost packet on a quick network costs
/// some milliseconds; a client's own timeout option overrules that.
struct TftpTiming {
    using Duration = std::chrono::steady_clock::duration;

    Duration first_timeout = std::chrono::milliseconds(500);  ///< until a round trip was measured
    Duration least_timeout = std::chrono::milliseconds(30);
    Duration most_timeout = std::chrono::seconds(8);  ///< repeated timeouts double up to this
    Duration give_up = std::chrono::seconds(30);      ///< of silence; four times that without progress
    std::optional<Duration> asked_timeout;            ///< the timeout option, if granted
};

/// What the caller has to do next. Blocks count from 1 without wrapping; the wire carries the low 16 bits.
struct TftpStep {
    enum class Kind : std::uint8_t {
        wait,         ///< nothing; look at deadline()
        send_oack,    ///< the option acknowledgement, first time or again
        send_blocks,  ///< `count` blocks from `first` on; the list may end earlier, see ends_with()
        done,         ///< the last block was acknowledged
        give_up,      ///< the client is silent
    };
    Kind kind = Kind::wait;
    std::uint64_t first = 0;
    std::uint32_t count = 0;

    friend bool operator==(const TftpStep&, const TftpStep&) = default;
};

class TftpTransfer {
  public:
    using Time = std::chrono::steady_clock::time_point;
    using Duration = std::chrono::steady_clock::duration;

    /// `blocks` is the number of DATA packets if known, counting the short one at the end.
    TftpTransfer(bool with_oack, std::uint16_t windowsize, std::optional<std::uint64_t> blocks,
                 const TftpTiming& timing);

    /// The first packet: OACK, or the first window.
    TftpStep start(Time now);

    /// Any ACK of this client. A duplicate never causes a packet by itself (the Sorcerer's Apprentice bug of
    /// RFC 1123); it only brings the next timeout nearer.
    TftpStep on_ack(std::uint16_t block, Time now);

    /// To be called once deadline() has passed; before that it only waits.
    TftpStep on_time(Time now);

    /// The client repeated its request before it acknowledged anything: what start() sent was lost.
    TftpStep on_repeated_request(Time now);

    /// Found while producing blocks: `block` is the last one. For lists of unknown length.
    void ends_with(std::uint64_t block);

    [[nodiscard]] Time deadline() const { return deadline_; }
    /// The next block that the client still needs; nothing before it will be asked for again.
    [[nodiscard]] std::uint64_t first_unacknowledged() const { return base_; }
    [[nodiscard]] bool anything_acknowledged() const { return acknowledged_; }
    [[nodiscard]] Time last_progress() const { return last_progress_; }
    /// Everything was sent; only the last ACK is missing.
    [[nodiscard]] bool all_sent() const { return last_ && high_ >= *last_; }
    /// Packets that went out again.
    [[nodiscard]] std::uint64_t retransmissions() const { return retransmissions_; }

  private:
    TftpStep send_window(Time now, bool again);
    void progress(Time now);
    void hasten();
    [[nodiscard]] Time next_deadline(Time now) const;
    void measure(Duration sample);
    [[nodiscard]] Duration timeout() const;

    TftpTiming timing_;
    std::uint16_t windowsize_;
    bool awaits_oack_ack_;
    bool acknowledged_ = false;
    bool finished_ = false;
    bool measurable_ = false;  ///< what is under way went out only once (Karn)
    bool early_ = false;       ///< a duplicate ACK brought deadline_ nearer
    unsigned hastenings_ = 0;  ///< how often that happened since the last progress
    unsigned repeats_ = 0;     ///< timeouts since a round trip could be measured
    std::uint64_t base_ = 1;   ///< first block not acknowledged
    std::uint64_t high_ = 0;   ///< highest block ever sent
    std::optional<std::uint64_t> last_;
    std::uint64_t retransmissions_ = 0;
    std::optional<Duration> smoothed_;
    Duration variation_{};
    Duration quickest_{};  ///< round trip; nothing sent later than that can have been answered
    Time sent_at_{};
    Time last_heard_{};
    Time last_progress_{};
    Time deadline_{};
};

}  // namespace pomona::policy
