// ImageWatcher: keeps the published catalogue equal to the image roots. It reads them again when they changed
// and have been quiet for a while, or when asked, on a thread of its own, and replaces the catalogue whole.
#pragma once

#include "io/descriptor.hpp"
#include "store/folder_watch.hpp"
#include "store/image_folders.hpp"

#include <pomona/base/shared_state.hpp>
#include <pomona/model/catalogue.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace pomona::store {

/// One reading, told to whoever logs.
struct ImageReload {
    /// What is published now.
    std::shared_ptr<const model::Catalogue> catalogue;
    std::vector<model::ImageProblem> problems;
    std::size_t folders = 0;
    /// Against the reading before; both true for the first.
    bool catalogue_changed = false;
    bool problems_changed = false;
    /// By start() or reload(), not by a change on disk.
    bool requested = false;
};

class ImageWatcher {
  public:
    struct Timing {
        /// No change for that long, then the folders are read ...
        std::chrono::milliseconds quiet{500};
        /// ... but not later than that after the first change.
        std::chrono::milliseconds longest_wait{5000};
        /// How often to look whether a root came, went or was replaced (mounts make no noise).
        std::chrono::milliseconds root_check{2000};
        /// How often to read when some changes go unnoticed (network file systems, no more watches).
        std::chrono::milliseconds blind_reading{30000};
    };

    /// Called after each reading; by start() in its caller's thread, later in the watcher's thread.
    using OnReload = std::function<void(const ImageReload&)>;

    /// Throws std::system_error when the kernel gives no descriptors.
    ImageWatcher(ImageFolderSettings settings, base::Snapshot<model::Catalogue>& published,
                 OnReload on_reload);
    ImageWatcher(ImageFolderSettings settings, base::Snapshot<model::Catalogue>& published,
                 OnReload on_reload, Timing timing);
    ImageWatcher(const ImageWatcher&) = delete;
    ImageWatcher& operator=(const ImageWatcher&) = delete;
    /// Stops and joins the thread.
    ~ImageWatcher() = default;

    /// Reads and publishes before it returns, then starts the thread. Once only.
    void start();

    /// Reads again as soon as possible, on the watcher's thread. From any thread.
    void reload();

  private:
    using Clock = std::chrono::steady_clock;
    /// Device and inode of each root, zeros when it cannot be opened.
    using RootIdentities = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

    void run(const std::stop_token& stop);
    void read(bool requested);
    void wake() const;
    /// True when a change was noticed before `until`.
    bool wait(Clock::time_point until);
    [[nodiscard]] Clock::time_point next_deadline() const;
    [[nodiscard]] RootIdentities root_identities() const;

    ImageFolderSettings settings_;
    base::Snapshot<model::Catalogue>& published_;
    OnReload on_reload_;
    Timing timing_;

    FolderWatch watch_;
    io::Descriptor wake_;
    std::atomic<bool> requested_ = false;

    // Touched by start() before the thread begins, by the thread afterwards.
    std::vector<std::string> root_paths_;
    RootIdentities identities_;
    std::optional<std::vector<model::ImageProblem>> last_problems_;
    std::optional<Clock::time_point> first_change_;
    Clock::time_point last_change_;
    Clock::time_point next_root_check_;
    Clock::time_point next_blind_reading_;

    std::jthread thread_;
};

}  // namespace pomona::store
