#include "io/file.hpp"

#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <string>

namespace pomona::io {
namespace {

using Kind = FileProblem::Kind;
namespace fs = std::filesystem;

std::string content(const File& file) {
    std::string text(static_cast<std::size_t>(file.size()), '\0');
    const iovec part{text.data(), text.size()};
    EXPECT_EQ(file.read({&part, 1}, 0), static_cast<std::ptrdiff_t>(text.size()));
    return text;
}

class FileBeneathRoot : public testing::Test {
  protected:
    void SetUp() override {
        folder_.write("root/a/file", "inside");
        folder_.write("outside", "secret");
        root_ = folder_ / "root";
    }
    Kind problem(const std::string& path) {
        const auto file = File::open_beneath(root_, path);
        EXPECT_FALSE(file) << path;
        if (file) return Kind::unavailable;
        EXPECT_FALSE(file.error().what.empty());
        return file.error().kind;
    }

    tests::TemporaryFolder folder_;
    std::string root_;
};

TEST_F(FileBeneathRoot, Opens) {
    const auto file = File::open_beneath(root_, "a/file");
    ASSERT_TRUE(file) << file.error().what;
    EXPECT_EQ(file->size(), 6U);
    EXPECT_EQ(content(*file), "inside");
}

TEST_F(FileBeneathRoot, ReadsIntoSeveralParts) {
    const auto file = File::open_beneath(root_, "a/file");
    ASSERT_TRUE(file);
    std::array<char, 2> first{};
    std::array<char, 9> second{};
    const std::array<iovec, 2> parts{iovec{first.data(), first.size()}, iovec{second.data(), second.size()}};
    EXPECT_EQ(file->read(parts, 1), 5) << "the end comes early";
    EXPECT_EQ(std::string(first.data(), 2) + std::string(second.data(), 3), "nside");
}

TEST_F(FileBeneathRoot, ThereIsNoWayOut) {
    fs::create_symlink("../../outside", root_ + "/a/up");
    fs::create_symlink(folder_ / "outside", root_ + "/absolute");
    fs::create_directory_symlink("..", root_ + "/parent");
    fs::create_symlink("/proc/self/root", root_ + "/magic");
    EXPECT_EQ(problem("../outside"), Kind::forbidden);
    EXPECT_EQ(problem("a/../../outside"), Kind::forbidden);
    EXPECT_EQ(problem("/etc/passwd"), Kind::forbidden);
    EXPECT_EQ(problem(folder_ / "outside"), Kind::forbidden);
    EXPECT_EQ(problem("a/up"), Kind::forbidden);
    EXPECT_EQ(problem("absolute"), Kind::forbidden);
    EXPECT_EQ(problem("parent/outside"), Kind::forbidden);
    EXPECT_EQ(problem("magic/etc/passwd"), Kind::forbidden);
}

TEST_F(FileBeneathRoot, LinksThatStayInsideAreFollowed) {
    fs::create_symlink("file", root_ + "/a/link");
    fs::create_directory_symlink("a", root_ + "/b");
    fs::create_symlink("../a/file", root_ + "/a/around");
    for (const char* path : {"a/link", "b/file", "b/link", "a/around"}) {
        const auto file = File::open_beneath(root_, path);
        ASSERT_TRUE(file) << path << ": " << file.error().what;
        EXPECT_EQ(content(*file), "inside");
    }
}

TEST_F(FileBeneathRoot, TheRootItselfMayBeALink) {
    fs::create_directory_symlink(root_, folder_ / "link");
    EXPECT_TRUE(File::open_beneath(folder_ / "link", "a/file"));
}

TEST_F(FileBeneathRoot, OnlyRegularFilesOpenAndNothingBlocks) {
    ASSERT_EQ(::mkfifo((root_ + "/fifo").c_str(), 0666), 0);
    fs::create_symlink("loop", root_ + "/loop");
    EXPECT_EQ(problem("fifo"), Kind::forbidden) << "and it did not wait for a writer";
    EXPECT_EQ(problem("a"), Kind::forbidden) << "a folder";
    EXPECT_EQ(problem("a/"), Kind::forbidden);
    EXPECT_EQ(problem("loop"), Kind::forbidden);
    const auto device = File::open_beneath("/dev", "null");
    ASSERT_FALSE(device);
    EXPECT_EQ(device.error().kind, Kind::forbidden);
}

TEST_F(FileBeneathRoot, MissingIsMissing) {
    using namespace std::string_literals;
    EXPECT_EQ(problem("nothing"), Kind::missing);
    EXPECT_EQ(problem("a/nothing"), Kind::missing);
    EXPECT_EQ(problem("a/file/below"), Kind::missing);
    EXPECT_EQ(problem(""), Kind::missing);
    EXPECT_EQ(problem("a/file\0.txt"s), Kind::missing) << "the name does not end at NUL";
    EXPECT_EQ(problem(std::string(300, 'x')), Kind::missing);
    const auto file = File::open_beneath(folder_ / "no-root", "a");
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error(), (FileProblem{Kind::missing, "the root folder does not exist"}));
}

}  // namespace
}  // namespace pomona::io
