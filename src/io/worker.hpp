// Worker: a named thread that runs one Boost.Asio loop, and ends by stop token. Everything the loop's
// handlers own belongs to that thread; others only post to it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <exception>
#include <functional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

namespace pomona::io {

class Worker {
  public:
    /// Told about an exception that escaped a handler, on the worker's thread. The loop goes on afterwards.
    /// Must not throw.
    using OnFailure = std::function<void(const std::string& worker, std::exception_ptr failure)>;

    /// Makes the loop, not yet the thread. Of `name` the kernel shows the first 15 octets.
    Worker(std::string name, OnFailure on_failure);
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    /// Stops and joins. Handlers that did not run yet are destroyed unrun.
    ~Worker();

    /// For setting up timers and descriptors before start(), and from handlers.
    [[nodiscard]] boost::asio::io_context& context() { return context_; }
    [[nodiscard]] const std::string& name() const { return name_; }

    /// Starts the thread; once. Throws std::system_error.
    void start();
    /// Asks the loop to end after the handler that runs now. From any thread.
    void request_stop();
    /// request_stop(), and waits for the end. Not from the worker's own thread.
    void stop();

    /// Runs `function` on the worker's thread, soon. From any thread.
    template <typename Function>
    void post(Function&& function) {
        boost::asio::post(context_, std::forward<Function>(function));
    }

  private:
    void run(const std::stop_token& stop);

    std::string name_;
    OnFailure on_failure_;
    boost::asio::io_context context_;
    // Not the thread's own: a handler may ask for the end while start() is still writing `thread_`.
    std::stop_source stop_;
    std::jthread thread_;
};

}  // namespace pomona::io
