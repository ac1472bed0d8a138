#include "io/worker.hpp"

#include <boost/asio/steady_timer.hpp>
#include <gtest/gtest.h>
#include <pthread.h>

#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <stdexcept>

namespace pomona::io {
namespace {

void no_failure(const std::string&, std::exception_ptr) {
    ADD_FAILURE() << "no exception was expected";
}

TEST(Worker, RunsWhatIsPostedOnItsOwnNamedThread) {
    std::promise<std::string> name;
    Worker worker("clients-of-pomona", no_failure);
    worker.post([&] {
        std::array<char, 32> text{};
        pthread_getname_np(pthread_self(), text.data(), text.size());
        name.set_value(text.data());
    });
    auto told = name.get_future();
    EXPECT_EQ(told.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout) << "not started yet";
    worker.start();
    EXPECT_EQ(told.get(), "clients-of-pomo");
    EXPECT_EQ(worker.name(), "clients-of-pomona");
}

TEST(Worker, StaysWithNothingToDoAndStopsWhenAsked) {
    std::promise<void> ran;
    Worker worker("idle", no_failure);
    worker.start();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    worker.post([&] { ran.set_value(); });
    EXPECT_EQ(ran.get_future().wait_for(std::chrono::seconds(5)), std::future_status::ready);
    worker.stop();
    worker.stop();
    worker.post([] { ADD_FAILURE() << "nothing runs after the end"; });
}

TEST(Worker, StopsAlthoughTimersWait) {
    Worker worker("timer", no_failure);
    boost::asio::steady_timer timer(worker.context(), std::chrono::hours(1));
    timer.async_wait([](const boost::system::error_code&) { ADD_FAILURE() << "too early"; });
    worker.start();
    const auto before = std::chrono::steady_clock::now();
    worker.stop();
    EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
}

TEST(Worker, AHandlerMayStopItsOwnWorker) {
    std::atomic<int> ran = 0;
    std::promise<void> asked;
    {
        Worker worker("self", no_failure);
        worker.post([&] {
            ++ran;
            worker.request_stop();
            asked.set_value();
        });
        worker.post([&] { ++ran; });
        worker.start();
        asked.get_future().wait();
    }
    EXPECT_EQ(ran, 1);
}

TEST(Worker, AnEscapedExceptionIsToldAndTheLoopGoesOn) {
    std::promise<std::string> told;
    std::promise<void> ran;
    Worker worker("failing", [&](const std::string& name, const std::exception_ptr& failure) {
        try {
            std::rethrow_exception(failure);
        } catch (const std::exception& error) {
            told.set_value(name + ": " + error.what());
        }
    });
    worker.start();
    worker.post([] { throw std::runtime_error("out of apples"); });
    EXPECT_EQ(told.get_future().get(), "failing: out of apples");
    worker.post([&] { ran.set_value(); });
    EXPECT_EQ(ran.get_future().wait_for(std::chrono::seconds(5)), std::future_status::ready);
}

TEST(Worker, WithoutStartItJustGoes) {
    Worker worker("never", no_failure);
    worker.post([] { ADD_FAILURE() << "never started"; });
    worker.stop();
}

}  // namespace
}  // namespace pomona::io
