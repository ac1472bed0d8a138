#include "store/image_watcher.hpp"

#include "support/image_folder_fixture.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace pomona::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using tests::default_key;
using tests::plist_text;
using tests::TemporaryFolder;
using tests::write_file;
using tests::write_image;
using namespace std::chrono_literals;

/// Nothing here takes that long; a busy machine may.
constexpr auto patience = 20s;

/// A watcher with short times, and what it reported.
class Watched {
  public:
    explicit Watched(std::vector<ImageRoot> roots,
                     ImageWatcher::Timing timing = {.quiet = 50ms, .longest_wait = 400ms, .root_check = 60ms})
        : published_(std::make_shared<const model::Catalogue>()),
          watcher_(
              settings(std::move(roots)), published_, [this](const ImageReload& reload) { note(reload); },
              timing) {
        watcher_.start();
    }

    ImageWatcher& watcher() { return watcher_; }
    [[nodiscard]] std::shared_ptr<const model::Catalogue> current() const { return published_.current(); }
    [[nodiscard]] std::vector<std::string> folders() const {
        std::vector<std::string> names;
        for (const auto& image : current()->images()) names.push_back(image.folder);
        return names;
    }

    template <typename Condition>
    bool wait_for(const Condition& condition) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, patience,
                                 [&] { return !reloads_.empty() && condition(reloads_.back()); });
    }
    bool wait_for_images(std::size_t count) {
        return wait_for(
            [&](const ImageReload& reload) { return reload.catalogue->images().size() == count; });
    }
    std::size_t readings() {
        const std::scoped_lock lock(mutex_);
        return reloads_.size();
    }
    ImageReload last() {
        const std::scoped_lock lock(mutex_);
        return reloads_.back();
    }

  private:
    static ImageFolderSettings settings(std::vector<ImageRoot> roots) {
        ImageFolderSettings settings;
        settings.roots = std::move(roots);
        settings.resolve = [](const std::string&) { return std::nullopt; };
        return settings;
    }
    void note(const ImageReload& reload) {
        const std::scoped_lock lock(mutex_);
        reloads_.push_back(reload);
        changed_.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<ImageReload> reloads_;
    base::Snapshot<model::Catalogue> published_;
    ImageWatcher watcher_;
};

std::vector<ImageRoot> root_of(const TemporaryFolder& root) {
    return {{.name = "NetBootSP0", .path = root.path()}};
}

TEST(ImageWatcher, PublishesBeforeStartReturns) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "A", 1, default_key);
    Watched watched(root_of(root));
    EXPECT_THAT(watched.folders(), ElementsAre("a.nbi"));
    EXPECT_EQ(watched.readings(), 1U);
    const ImageReload first = watched.last();
    EXPECT_TRUE(first.requested);
    EXPECT_TRUE(first.catalogue_changed);
    EXPECT_TRUE(first.problems_changed);
    EXPECT_EQ(first.folders, 1U);
    EXPECT_THAT(first.problems, IsEmpty());
    EXPECT_EQ(first.catalogue, watched.current());
}

TEST(ImageWatcher, NoticesImagesThatComeAndGo) {
    const TemporaryFolder root;
    Watched watched(root_of(root));
    write_image(root / "a.nbi", "A", 1, default_key);
    ASSERT_TRUE(watched.wait_for_images(1));
    EXPECT_FALSE(watched.last().requested);
    write_image(root / "b.nbi", "B", 2);
    ASSERT_TRUE(watched.wait_for_images(2));
    std::filesystem::remove_all(root / "a.nbi");
    ASSERT_TRUE(watched.wait_for_images(1));
    EXPECT_THAT(watched.folders(), ElementsAre("b.nbi"));
}

TEST(ImageWatcher, NoticesChangesInsideAnImage) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "A", 1, default_key);
    Watched watched(root_of(root));
    write_file(root / "a.nbi/NBImageInfo.plist", plist_text("New name", 1));
    ASSERT_TRUE(watched.wait_for([](const ImageReload& r) {
        return !r.catalogue->empty() && r.catalogue->images()[0].name == "New name";
    }));
    std::filesystem::remove(root / "a.nbi/i386/booter");
    ASSERT_TRUE(watched.wait_for_images(0));
    EXPECT_THAT(watched.last().problems[0].text(), HasSubstr("is missing"));
    write_file(root / "a.nbi/i386/booter", tests::universal_efi_program());
    ASSERT_TRUE(watched.wait_for_images(1));
    EXPECT_EQ(watched.current()->images()[0].boot_files[0].width, model::EfiWidth::universal);
}

TEST(ImageWatcher, ReadersKeepWhatTheyTook) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "A", 1, default_key);
    Watched watched(root_of(root));
    const auto taken = watched.current();
    std::filesystem::remove_all(root / "a.nbi");
    ASSERT_TRUE(watched.wait_for_images(0));
    EXPECT_EQ(taken->images()[0].name, "A");
}

TEST(ImageWatcher, WaitsForQuiet) {
    const TemporaryFolder root;
    Watched watched(root_of(root), {.quiet = 10min, .longest_wait = 20min, .root_check = 10ms});
    write_image(root / "a.nbi", "A", 1, default_key);
    std::this_thread::sleep_for(150ms);
    EXPECT_EQ(watched.readings(), 1U);
    EXPECT_TRUE(watched.current()->empty());
}

TEST(ImageWatcher, EndlessNoiseDoesNotPutOffTheReading) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "A", 1, default_key);
    Watched watched(root_of(root), {.quiet = 10min, .longest_wait = 200ms});
    write_image(root / "b.nbi", "B", 2);
    const auto start = std::chrono::steady_clock::now();
    while (watched.current()->images().size() < 2 && std::chrono::steady_clock::now() - start < patience) {
        write_file(root / "a.nbi/noise", "x");
        std::this_thread::sleep_for(10ms);
    }
    EXPECT_EQ(watched.current()->images().size(), 2U);
}

TEST(ImageWatcher, ReadsOnRequest) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "A", 1, default_key);
    Watched watched(root_of(root), {.quiet = 10min, .longest_wait = 20min});
    const auto before = watched.current();
    watched.watcher().reload();
    ASSERT_TRUE(watched.wait_for([&](const ImageReload&) { return true; }));
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (watched.readings() < 2 && std::chrono::steady_clock::now() < deadline)
        std::this_thread::sleep_for(5ms);
    ASSERT_EQ(watched.readings(), 2U);
    EXPECT_TRUE(watched.last().requested);
    EXPECT_FALSE(watched.last().catalogue_changed);
    EXPECT_FALSE(watched.last().problems_changed);
    EXPECT_EQ(watched.current(), before) << "an equal catalogue is not replaced";
    write_image(root / "b.nbi", "B", 2);
    watched.watcher().reload();
    EXPECT_TRUE(watched.wait_for_images(2)) << "long before the quiet time is over";
}

TEST(ImageWatcher, ARootMayComeLater) {
    const TemporaryFolder folder;
    const TemporaryFolder other;
    write_image(other / "b.nbi", "B", 2, default_key);
    auto roots = root_of(other);
    roots.push_back({.name = "NetBootSP1", .path = folder / "later"});
    Watched watched(roots);
    EXPECT_EQ(watched.last().problems.size(), 1U);
    EXPECT_THAT(watched.folders(), ElementsAre("b.nbi"));
    write_image(folder / "later/a.nbi", "A", 1);
    ASSERT_TRUE(watched.wait_for(
        [](const ImageReload& r) { return r.catalogue->images().size() == 2 && r.problems.empty(); }));
    // And it is watched from then on.
    write_image(folder / "later/c.nbi", "C", 3);
    EXPECT_TRUE(watched.wait_for_images(3));
}

TEST(ImageWatcher, ARootThatGoesTakesOnlyItsOwnImages) {
    const TemporaryFolder folder;
    const TemporaryFolder other;
    write_image(other / "b.nbi", "B", 2, default_key);
    write_image(folder / "images/a.nbi", "A", 1);
    auto roots = root_of(other);
    roots.push_back({.name = "NetBootSP1", .path = folder / "images"});
    Watched watched(roots);
    EXPECT_EQ(watched.current()->images().size(), 2U);
    std::filesystem::rename(folder / "images", folder / "away");
    ASSERT_TRUE(watched.wait_for_images(1));
    EXPECT_THAT(watched.folders(), ElementsAre("b.nbi"));
    EXPECT_THAT(watched.last().problems[0].text(), HasSubstr("the image root cannot be read"));
    std::filesystem::rename(folder / "away", folder / "images");
    EXPECT_TRUE(watched.wait_for_images(2));
}

TEST(ImageWatcher, ARootThatIsReplacedIsReadAnew) {
    const TemporaryFolder folder;
    write_image(folder / "one/a.nbi", "A", 1, default_key);
    write_image(folder / "two/b.nbi", "B", 2, default_key);
    std::filesystem::create_directory_symlink("one", folder / "images");
    Watched watched({{.name = "NetBootSP0", .path = folder / "images"}});
    EXPECT_THAT(watched.folders(), ElementsAre("a.nbi"));
    std::filesystem::remove(folder / "images");
    std::filesystem::create_directory_symlink("two", folder / "images");
    EXPECT_TRUE(watched.wait_for([](const ImageReload& r) {
        return r.catalogue->images().size() == 1 && r.catalogue->images()[0].folder == "b.nbi";
    }));
}

TEST(ImageWatcher, EveryCatalogueSeenIsWhole) {
    const TemporaryFolder root;
    for (int i = 1; i <= 3; ++i)
        write_image(root / (std::to_string(i) + ".nbi"), "Image", i, i == 1 ? default_key : "");
    Watched watched(root_of(root), {.quiet = 1ms, .longest_wait = 5ms, .root_check = 5ms});
    std::jthread reader([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            const auto catalogue = watched.current();
            for (const auto& image : catalogue->images()) {
                ASSERT_EQ(catalogue->find(image.id), &image);
                ASSERT_FALSE(image.boot_files.empty());
            }
        }
    });
    for (int round = 0; round < 40; ++round) {
        const std::string name = root / ("4." + std::to_string(round) + ".nbi");
        write_image(name, "Another", 100 + round);
        if (round % 3 == 0) watched.watcher().reload();
        std::this_thread::sleep_for(2ms);
        std::filesystem::remove_all(name);
    }
    reader.request_stop();
    reader.join();
    EXPECT_TRUE(watched.wait_for_images(3));
}

TEST(ImageWatcher, StopsAtOnceAndWithoutStart) {
    const TemporaryFolder root;
    const auto start = std::chrono::steady_clock::now();
    {
        Watched watched(root_of(root), {.quiet = 10min, .longest_wait = 20min, .root_check = 10min});
    }
    {
        base::Snapshot<model::Catalogue> published(std::make_shared<const model::Catalogue>());
        const ImageWatcher never_started({}, published, {});
    }
    EXPECT_LT(std::chrono::steady_clock::now() - start, patience);
}

}  // namespace
}  // namespace pomona::store
