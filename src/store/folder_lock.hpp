// FolderLock: tells programs that keep something in one folder apart, by flock(2) on the folder itself:
// nothing is left behind, and the kernel lets go when the holder ends, however it ends.
#pragma once

#include "io/descriptor.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace pomona::store {

class FolderLock {
  public:
    enum class Kind : std::uint8_t {
        alone,   ///< nobody else, of either kind
        shared,  ///< beside others that share
    };

    /// Nothing when another process keeps it from us for all of `patience`. A folder that cannot be opened,
    /// or whose file system knows no locks, yields a lock that protects nothing.
    static std::optional<FolderLock> take(const std::string& folder, Kind kind,
                                          std::chrono::milliseconds patience = {});

  private:
    explicit FolderLock(io::Descriptor folder) : folder_(std::move(folder)) {}

    io::Descriptor folder_;
};

}  // namespace pomona::store
