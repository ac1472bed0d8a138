// Snapshot<T>: an immutable value that is replaced whole. Guarded<T>: data that cannot be touched without its
// mutex. These two are all that threads of this program share.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

namespace pomona::base {

/// Readers take the current value and keep it as long as they like; publishing replaces it for later readers.
/// A mutex around the pointer is as fast as std::atomic<shared_ptr> of g++ 12 and clean under thread
/// sanitizer.
template <typename T>
class Snapshot {
  public:
    explicit Snapshot(std::shared_ptr<const T> first) : value_(std::move(first)) {}

    [[nodiscard]] std::shared_ptr<const T> current() const {
        const std::scoped_lock lock(mutex_);
        return value_;
    }
    void publish(std::shared_ptr<const T> next) {
        const std::scoped_lock lock(mutex_);
        value_.swap(next);
        // The old value is released by `next` after the lock.
    }

  private:
    mutable std::mutex mutex_;
    std::shared_ptr<const T> value_;
};

/// `with([](T& data) { ... })` is the only way in, and holds the mutex for exactly that long.
template <typename T>
class Guarded {
  public:
    template <typename... Args>
    explicit Guarded(Args&&... args) : data_(std::forward<Args>(args)...) {}

    template <typename Function>
    decltype(auto) with(Function&& function) {
        const std::scoped_lock lock(mutex_);
        return std::forward<Function>(function)(data_);
    }
    template <typename Function>
    decltype(auto) with(Function&& function) const {
        const std::scoped_lock lock(mutex_);
        return std::forward<Function>(function)(data_);
    }

  private:
    mutable std::mutex mutex_;
    T data_;
};

}  // namespace pomona::base
