#include "servers/line_budget.hpp"

#include <gtest/gtest.h>

namespace pomona::servers {
namespace {

using std::chrono::milliseconds;

TEST(LineBudget, SoManyLinesASecondAndTheRestIsCounted) {
    LineBudget budget(3);
    const LineBudget::Time start{std::chrono::hours(24 * 400)};
    int written = 0;
    for (int i = 0; i < 10; ++i) {
        const auto verdict = budget.ask(start + milliseconds(i));
        written += verdict.write ? 1 : 0;
        EXPECT_EQ(verdict.held_back, 0U) << i;
    }
    EXPECT_EQ(written, 3);

    const auto next = budget.ask(start + milliseconds(1'500));
    EXPECT_TRUE(next.write);
    EXPECT_EQ(next.held_back, 7U);
    const auto later = budget.ask(start + milliseconds(9'000));
    EXPECT_TRUE(later.write);
    EXPECT_EQ(later.held_back, 0U) << "it was told already";
}

}  // namespace
}  // namespace pomona::servers
