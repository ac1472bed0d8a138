// The thread of a Worker.
#include "io/worker.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <pthread.h>

namespace pomona::io {

namespace {

constexpr std::size_t longest_thread_name = 15;

}  // namespace

// One thread runs the loop: Asio may leave out what several would need.
Worker::Worker(std::string name, OnFailure on_failure)
    : name_(std::move(name)), on_failure_(std::move(on_failure)), context_(1) {}

Worker::~Worker() {
    stop();
}

void Worker::start() {
    thread_ = std::jthread([this] { run(stop_.get_token()); });
}

void Worker::request_stop() {
    stop_.request_stop();
}

void Worker::stop() {
    stop_.request_stop();
    if (thread_.joinable()) thread_.join();
}

void Worker::run(const std::stop_token& stop) {
    pthread_setname_np(pthread_self(), name_.substr(0, longest_thread_name).c_str());
    const auto work = boost::asio::make_work_guard(context_);
    const std::stop_callback on_stop(stop, [this] { context_.stop(); });
    while (!stop.stop_requested()) {
        try {
            context_.run();
        } catch (...) {
            on_failure_(name_, std::current_exception());
        }
    }
}

}  // namespace pomona::io
