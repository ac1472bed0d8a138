#include <pomona/base/shared_state.hpp>

#include <gtest/gtest.h>

#include <thread>

namespace pomona::base {
namespace {

TEST(Snapshot, ReadersKeepWhatTheyTook) {
    Snapshot<int> snapshot(std::make_shared<const int>(1));
    const auto held = snapshot.current();
    snapshot.publish(std::make_shared<const int>(2));
    EXPECT_EQ(*held, 1);
    EXPECT_EQ(*snapshot.current(), 2);
}

TEST(Snapshot, PublishesAcrossThreads) {
    Snapshot<int> snapshot(std::make_shared<const int>(0));
    std::jthread writer([&] {
        for (int i = 1; i <= 1000; ++i) snapshot.publish(std::make_shared<const int>(i));
    });
    int last = 0;
    for (int i = 0; i < 1000; ++i) {
        const int now = *snapshot.current();
        EXPECT_GE(now, last);
        last = now;
    }
}

TEST(Guarded, CountsWithoutLosingOne) {
    Guarded<int> counter(0);
    {
        std::jthread other([&] {
            for (int i = 0; i < 1000; ++i) counter.with([](int& n) { ++n; });
        });
        for (int i = 0; i < 1000; ++i) counter.with([](int& n) { ++n; });
    }
    EXPECT_EQ(counter.with([](const int& n) { return n; }), 2000);
}

}  // namespace
}  // namespace pomona::base
