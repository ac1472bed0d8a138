#include "store/folder_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <thread>
#include <utility>

namespace pomona::store {

namespace {

constexpr std::chrono::milliseconds pause{50};

}  // namespace

std::optional<FolderLock> FolderLock::take(const std::string& folder, Kind kind,
                                           std::chrono::milliseconds patience) {
    io::Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!opened) return FolderLock(io::Descriptor());
    const int operation = (kind == Kind::alone ? LOCK_EX : LOCK_SH) | LOCK_NB;
    const auto end = std::chrono::steady_clock::now() + patience;
    while (::flock(opened.get(), operation) != 0) {
        if (errno == EINTR) continue;
        if (errno != EWOULDBLOCK) return FolderLock(io::Descriptor());
        if (std::chrono::steady_clock::now() >= end) return std::nullopt;
        std::this_thread::sleep_for(pause);
    }
    return FolderLock(std::move(opened));
}

}  // namespace pomona::store
