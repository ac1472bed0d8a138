// LineBudget: how many log lines of one kind a flood of packets may cost. Knows no clock; used by one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

namespace pomona::servers {

class LineBudget {
  public:
    using Time = std::chrono::steady_clock::time_point;

    explicit LineBudget(unsigned lines_a_second) : lines_a_second_(lines_a_second) {}

    struct Verdict {
        bool write = false;
        /// Lines of earlier seconds that were not written and that nobody was told of yet.
        std::uint64_t held_back = 0;
    };
    /// Asks to write one line.
    Verdict ask(Time now) {
        Verdict verdict;
        if (now - second_ >= std::chrono::seconds(1)) {
            verdict.held_back = std::exchange(held_back_, 0);
            second_ = now;
            lines_ = 0;
        }
        verdict.write = lines_ < lines_a_second_;
        ++(verdict.write ? lines_ : held_back_);
        return verdict;
    }

  private:
    std::uint64_t lines_a_second_;
    Time second_;
    std::uint64_t lines_ = 0;
    std::uint64_t held_back_ = 0;
};

}  // namespace pomona::servers
