#include "store/folder_watch.hpp"

#include <linux/magic.h>
#include <sys/inotify.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace pomona::store {

namespace {

constexpr std::uint32_t watched_changes = IN_CREATE | IN_DELETE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_FROM |
                                          IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF |
                                          IN_ONLYDIR;

/// i386/x86_64 is as deep as boot files lie.
constexpr int watched_depth = 2;
constexpr int most_folders_per_image = 64;

/// Other hosts change files there without a word to inotify.
bool is_network_file_system(const std::string& path) {
    constexpr std::array<std::uint32_t, 5> types = {NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, SMB2_SUPER_MAGIC,
                                                    CIFS_SUPER_MAGIC, V9FS_MAGIC};
    struct ::statfs status{};
    if (::statfs(path.c_str(), &status) != 0) return false;
    return std::ranges::find(types, static_cast<std::uint32_t>(status.f_type)) != types.end();
}

}  // namespace

FolderWatch::FolderWatch() : inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    if (!inotify_) {
        blind_spot_ = "inotify is not available: " + std::generic_category().message(errno);
    }
}

void FolderWatch::add(const std::string& path) {
    const int watch = ::inotify_add_watch(inotify_.get(), path.c_str(), watched_changes);
    if (watch >= 0) {
        wanted_.insert(watch);
    } else if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) {
        blind_spot_ = path + " cannot be watched: " + std::generic_category().message(errno);
    }
}

void FolderWatch::add_below(const std::string& folder, int depth, int& left) {
    std::error_code error;
    for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
         at.increment(error)) {
        std::error_code unknown;
        if (at->is_symlink(unknown) || !at->is_directory(unknown)) continue;
        if (--left < 0) return;
        add(at->path().string());
        if (depth > 1) add_below(at->path().string(), depth - 1, left);
    }
}

void FolderWatch::update(const std::vector<std::string>& roots) {
    if (!inotify_) return;
    blind_spot_.clear();
    wanted_.clear();
    for (const std::string& root : roots) {
        add(root);
        if (is_network_file_system(root)) blind_spot_ = root + " lies on a network file system";
        std::error_code error;
        for (std::filesystem::directory_iterator at(root, error), end; !error && at != end;
             at.increment(error)) {
            std::error_code unknown;
            if (at->path().extension() != ".nbi" || !at->is_directory(unknown)) continue;
            add(at->path().string());
            int left = most_folders_per_image;
            add_below(at->path().string(), watched_depth, left);
        }
    }
    for (const int watch : watches_) {
        // Fails for folders that are gone; the kernel has dropped those by itself.
        if (!wanted_.contains(watch)) (void)::inotify_rm_watch(inotify_.get(), watch);
    }
    watches_ = wanted_;
}

bool FolderWatch::drain() {
    bool changed = false;
    alignas(::inotify_event) std::array<char, 16384> buffer{};
    while (inotify_) {
        const ssize_t count = ::read(inotify_.get(), buffer.data(), buffer.size());
        if (count <= 0) break;
        for (std::size_t at = 0; at < static_cast<std::size_t>(count);) {
            ::inotify_event event{};
            std::memcpy(&event, buffer.data() + at, sizeof event);
            // The end of a watch is our own doing, or comes after the event that tells of the change.
            if ((event.mask & IN_IGNORED) == 0) changed = true;
            at += sizeof event + event.len;
        }
    }
    return changed;
}

}  // namespace pomona::store
