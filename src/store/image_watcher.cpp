#include "store/image_watcher.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <system_error>

namespace pomona::store {

namespace {

/// Between two looks at a busy queue, so that the copy of a disk image does not keep this thread busy too.
constexpr std::chrono::milliseconds breath{20};

}  // namespace

ImageWatcher::ImageWatcher(ImageFolderSettings settings, base::Snapshot<model::Catalogue>& published,
                           OnReload on_reload)
    : ImageWatcher(std::move(settings), published, std::move(on_reload), Timing{}) {}

ImageWatcher::ImageWatcher(ImageFolderSettings settings, base::Snapshot<model::Catalogue>& published,
                           OnReload on_reload, Timing timing)
    : settings_(std::move(settings)),
      published_(published),
      on_reload_(std::move(on_reload)),
      timing_(timing),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (!wake_) throw std::system_error(errno, std::generic_category(), "eventfd");
    for (const ImageRoot& root : settings_.roots) root_paths_.push_back(root.path);
}

void ImageWatcher::start() {
    read(true);
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void ImageWatcher::reload() {
    requested_ = true;
    wake();
}

void ImageWatcher::wake() const {
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);
}

void ImageWatcher::run(const std::stop_token& stop) {
    const std::stop_callback wake_to_stop(stop, [this] { wake(); });
    while (!stop.stop_requested()) {
        if (wait(next_deadline())) {
            last_change_ = Clock::now();
            if (!first_change_) first_change_ = last_change_;
        }
        if (stop.stop_requested()) break;
        if (requested_.exchange(false)) {
            read(true);
            continue;
        }
        const auto now = Clock::now();
        if (now >= next_root_check_) {
            next_root_check_ = now + timing_.root_check;
            if (root_identities() != identities_) {
                read(false);
                continue;
            }
        }
        const bool settled = first_change_ && (now >= last_change_ + timing_.quiet ||
                                               now >= *first_change_ + timing_.longest_wait);
        const bool blind = !watch_.blind_spot().empty() && now >= next_blind_reading_;
        if (settled || blind) read(false);
    }
}

ImageWatcher::Clock::time_point ImageWatcher::next_deadline() const {
    auto deadline = next_root_check_;
    if (!watch_.blind_spot().empty()) deadline = std::min(deadline, next_blind_reading_);
    if (first_change_) {
        deadline = std::min({deadline, last_change_ + timing_.quiet, *first_change_ + timing_.longest_wait});
    }
    return deadline;
}

bool ImageWatcher::wait(Clock::time_point until) {
    std::array<::pollfd, 2> polled = {::pollfd{.fd = wake_.get(), .events = POLLIN, .revents = 0},
                                      ::pollfd{.fd = watch_.descriptor(), .events = POLLIN, .revents = 0}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    (void)::poll(polled.data(), polled.size(), static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000)));
    std::uint64_t count = 0;
    const bool woken = ::read(wake_.get(), &count, sizeof count) == sizeof count;
    if (woken || polled[1].revents == 0) return false;
    const bool changed = watch_.drain();
    // Ends early for stop and reload only.
    (void)::poll(polled.data(), 1, static_cast<int>(breath.count()));
    return changed;
}

ImageWatcher::RootIdentities ImageWatcher::root_identities() const {
    RootIdentities identities;
    for (const std::string& path : root_paths_) {
        const io::Descriptor root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        struct ::stat status{};
        if (root && ::fstat(root.get(), &status) == 0) {
            identities.emplace_back(status.st_dev, status.st_ino);
        } else {
            identities.emplace_back(0, 0);
        }
    }
    return identities;
}

void ImageWatcher::read(bool requested) {
    first_change_.reset();
    ImageReload report{.catalogue = published_.current(),
                       .problems = {},
                       .folders = 0,
                       .catalogue_changed = false,
                       .problems_changed = false,
                       .requested = requested};
    try {
        identities_ = root_identities();
        watch_.update(root_paths_);
        ImageReading reading = read_image_folders(settings_);
        report.problems = std::move(reading.problems);
        report.folders = reading.folders;
        if (!watch_.blind_spot().empty()) {
            report.problems.push_back({.severity = model::ImageProblem::Severity::warning,
                                       .path = root_paths_.empty() ? std::string() : root_paths_.front(),
                                       .key = {},
                                       .what = "some changes go unnoticed: " + watch_.blind_spot(),
                                       .remedy = "the images are read from time to time; to have it at once, "
                                                 "ask for a reload"});
        }
        report.catalogue_changed =
            !last_problems_ || !std::ranges::equal(reading.catalogue.images(), report.catalogue->images());
        if (report.catalogue_changed) {
            report.catalogue = std::make_shared<const model::Catalogue>(std::move(reading.catalogue));
            published_.publish(report.catalogue);
        }
    } catch (const std::exception& error) {
        // Out of memory or of descriptors: what was published stays.
        report.problems = {{.severity = model::ImageProblem::Severity::error,
                            .path = root_paths_.empty() ? std::string() : root_paths_.front(),
                            .key = {},
                            .what = std::string("the images could not be read: ") + error.what(),
                            .remedy = "the images read before stay published"}};
    }
    report.problems_changed = !last_problems_ || *last_problems_ != report.problems;
    last_problems_ = report.problems;
    const auto now = Clock::now();
    next_root_check_ = now + timing_.root_check;
    next_blind_reading_ = now + timing_.blind_reading;
    if (on_reload_) on_reload_(report);
}

}  // namespace pomona::store
