#include <pomona/policy/tftp_transfer.hpp>

#include <algorithm>

namespace pomona::policy {

namespace {

using Kind = TftpStep::Kind;

/// A duplicate ACK that means a lost first block of a window cannot be told from one that the network copied.
/// After this long without progress it is taken for a loss.
constexpr auto least_patience_with_duplicates = std::chrono::milliseconds(3);
/// A client that repeats the same ACK for ever gets no more than this.
constexpr unsigned most_hastenings = 4;

}  // namespace

TftpTransfer::TftpTransfer(bool with_oack, std::uint16_t windowsize, std::optional<std::uint64_t> blocks,
                           const TftpTiming& timing)
    : timing_(timing),
      windowsize_(std::max(windowsize, std::uint16_t{1})),
      awaits_oack_ack_(with_oack),
      last_(blocks) {
    if (timing_.asked_timeout) timing_.give_up = std::max(timing_.give_up, 4 * *timing_.asked_timeout);
}

TftpStep TftpTransfer::start(Time now) {
    last_heard_ = now;
    last_progress_ = now;
    if (!awaits_oack_ack_) return send_window(now, false);
    measurable_ = true;
    sent_at_ = now;
    deadline_ = now + timeout();
    return {Kind::send_oack, 0, 0};
}

TftpStep TftpTransfer::on_ack(std::uint16_t block, Time now) {
    if (finished_) return {};
    if (awaits_oack_ack_) {
        if (block != 0) return {};
        awaits_oack_ack_ = false;
        progress(now);
        return send_window(now, false);
    }
    const std::uint64_t before = base_ - 1;
    const auto ahead = static_cast<std::uint16_t>(block - static_cast<std::uint16_t>(before));
    if (before + ahead > high_) return {};  // of a block long past, or never sent
    last_heard_ = now;
    if (ahead == 0) {
        // Never resend here: every duplicate would be answered by a duplicate, for the rest of the file.
        if (acknowledged_) hasten();
        return {};
    }
    progress(now);
    base_ = before + ahead + 1;
    if (last_ && base_ > *last_) {
        finished_ = true;
        return {Kind::done, 0, 0};
    }
    // Less than the window: the client misses a block, so the window starts anew behind what it has (RFC
    // 7440).
    const bool gap = base_ <= high_;
    if (gap && now - sent_at_ < quickest_) {
        // This ACK cannot be about what went out last. Some clients acknowledge every block that they did not
        // expect; a window for each would be a flood.
        hasten();
        return {};
    }
    return send_window(now, gap);
}

TftpStep TftpTransfer::on_time(Time now) {
    if (finished_ || now < deadline_) return {};
    if (now - last_heard_ >= timing_.give_up || now - last_progress_ >= 4 * timing_.give_up) {
        finished_ = true;
        return {Kind::give_up, 0, 0};
    }
    // The nearer timeout is a guess and must not slow down the real ones.
    if (!early_) ++repeats_;
    early_ = false;
    if (awaits_oack_ack_) {
        ++retransmissions_;
        measurable_ = false;
        sent_at_ = now;
        deadline_ = next_deadline(now);
        return {Kind::send_oack, 0, 0};
    }
    return send_window(now, true);
}

TftpStep TftpTransfer::on_repeated_request(Time now) {
    if (finished_ || acknowledged_) return {};
    // A request that the network copied comes at once; a client repeats it after a good while.
    if (now - sent_at_ < std::chrono::milliseconds(200)) return {};
    deadline_ = now;
    return on_time(now);
}

void TftpTransfer::ends_with(std::uint64_t block) {
    last_ = block;
    high_ = std::min(high_, block);
}

TftpStep TftpTransfer::send_window(Time now, bool again) {
    std::uint64_t end = base_ + windowsize_;  // exclusive
    if (last_) end = std::min(end, *last_ + 1);
    if (again && high_ >= base_) retransmissions_ += std::min(end, high_ + 1) - base_;
    high_ = std::max(high_, end - 1);
    measurable_ = !again;
    sent_at_ = now;
    deadline_ = next_deadline(now);
    return {Kind::send_blocks, base_, static_cast<std::uint32_t>(end - base_)};
}

void TftpTransfer::progress(Time now) {
    // After a repetition the timeout stays long until a packet that went out once was acknowledged (Karn):
    // else a network slower than the timeout would get everything twice, for ever.
    if (measurable_) {
        measure(now - sent_at_);
        repeats_ = 0;
    }
    acknowledged_ = true;
    hastenings_ = 0;
    early_ = false;
    last_heard_ = now;
    last_progress_ = now;
}

void TftpTransfer::hasten() {
    if (early_ || hastenings_ == most_hastenings || !smoothed_ || timing_.asked_timeout) return;
    const Time nearer = sent_at_ + std::max<Duration>(2 * *smoothed_, least_patience_with_duplicates);
    if (nearer >= deadline_) return;
    early_ = true;
    ++hastenings_;
    deadline_ = nearer;
}

TftpTransfer::Time TftpTransfer::next_deadline(Time now) const {
    return std::min({now + timeout(), last_heard_ + timing_.give_up, last_progress_ + 4 * timing_.give_up});
}

void TftpTransfer::measure(Duration sample) {
    // RFC 6298, section 2.
    if (!smoothed_) {
        smoothed_ = sample;
        quickest_ = sample;
        variation_ = sample / 2;
        return;
    }
    quickest_ = std::min(quickest_, sample);
    const Duration difference = sample > *smoothed_ ? sample - *smoothed_ : *smoothed_ - sample;
    variation_ = (3 * variation_ + difference) / 4;
    smoothed_ = (7 * *smoothed_ + sample) / 8;
}

TftpTransfer::Duration TftpTransfer::timeout() const {
    if (timing_.asked_timeout) return *timing_.asked_timeout;
    Duration wait = timing_.first_timeout;
    if (smoothed_) wait = std::max(timing_.least_timeout, *smoothed_ + 4 * variation_);
    for (unsigned i = 0; i < repeats_ && wait < timing_.most_timeout; ++i) wait *= 2;
    return std::min(wait, timing_.most_timeout);
}

}  // namespace pomona::policy
