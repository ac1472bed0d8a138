#include "servers/content.hpp"

#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <ostream>
#include <string>
#include <string_view>

namespace pomona::servers {
namespace {

using Kind = io::FileProblem::Kind;
using namespace std::string_view_literals;

class ContentFiles : public testing::Test {
  protected:
    ContentFiles() {
        folder_.write("images/GRUB.nbi/i386/booter", "booter");
        folder_.write("images/Mac OS X.nbi/i386/x86_64/kernelcache", "kernel");
        folder_.write("images/GRUB.nbi/i386/100%41", "percent");
        folder_.write("more/Lion.nbi/i386/booter", "lion");
        folder_.write("plain/pxe/file", "plain");
        folder_.write("plain/back\\slash", "odd");
        folder_.write("plain/nbi/unknown/file", "not a share");
        folder_.write("plain/nbi/NetBootSP0/shadowed", "never seen");
        folder_.write("secret", "secret");
        std::filesystem::create_symlink("../../secret", folder_ / "images/GRUB.nbi/way-out");
        std::filesystem::create_symlink("i386/booter", folder_ / "images/GRUB.nbi/link");
    }
    [[nodiscard]] Content content(bool with_plain = true) const {
        return Content({{"NetBootSP0", folder_ / "images"}, {"NetBootSP1", (folder_ / "more") + "/"}},
                       with_plain ? folder_ / "plain" : std::string());
    }

    tests::TemporaryFolder folder_;
};

TEST_F(ContentFiles, AreFoundUnderEveryName) {
    const struct {
        std::string_view asked;
        std::string_view file;
    } table[] = {
        {"nbi/NetBootSP0/GRUB.nbi/i386/booter", "images/GRUB.nbi/i386/booter"},
        {"/nbi/NetBootSP0/GRUB.nbi/i386/booter", "images/GRUB.nbi/i386/booter"},
        {"//nbi///NetBootSP0//GRUB.nbi/./i386//booter", "images/GRUB.nbi/i386/booter"},
        {"nbi/NetBootSP1/Lion.nbi/i386/booter", "more/Lion.nbi/i386/booter"},
        {"/private/tftpboot/NetBoot/NetBootSP0/GRUB.nbi/i386/booter", "images/GRUB.nbi/i386/booter"},
        {"private/tftpboot/nbi/NetBootSP0/GRUB.nbi/i386/booter", "images/GRUB.nbi/i386/booter"},
        {"NetBoot/NetBootSP0/GRUB.nbi/i386/booter", "images/GRUB.nbi/i386/booter"},
        {"nbi/NetBootSP0/Mac OS X.nbi/i386/x86_64/kernelcache",
         "images/Mac OS X.nbi/i386/x86_64/kernelcache"},
        {"nbi/NetBootSP0/GRUB.nbi/link", "images/GRUB.nbi/link"},
        {"nbi/NetBootSP0/GRUB.nbi/i386/100%41", "images/GRUB.nbi/i386/100%41"},
        {"pxe/file", "plain/pxe/file"},
        {"/pxe/file", "plain/pxe/file"},
        {"/private/tftpboot/pxe/file", "plain/pxe/file"},
        {"nbi/unknown/file", "plain/nbi/unknown/file"},
        {"back\\slash", "plain/back\\slash"},
        {"pxe\\file", "plain/pxe/file"},
        {"\\nbi\\NetBootSP0\\GRUB.nbi\\i386\\booter", "images/GRUB.nbi/i386/booter"},
    };
    for (const auto& row : table) {
        const auto file = content().open(row.asked);
        ASSERT_TRUE(file) << row.asked << ": " << file.error().what << ' ' << file.error().looked_for;
        EXPECT_EQ(file->path, folder_ / row.file);
        EXPECT_EQ(file->file.size(), std::filesystem::file_size(folder_ / row.file)) << row.asked;
    }
}

TEST_F(ContentFiles, NothingElseIsReachable) {
    const struct {
        std::string_view asked;
        Kind kind;
    } table[] = {
        {"../secret", Kind::forbidden},
        {"/../secret", Kind::forbidden},
        {"pxe/../../secret", Kind::forbidden},
        {"pxe/../pxe/file", Kind::forbidden},
        {"nbi/NetBootSP0/../secret", Kind::forbidden},
        {"nbi/NetBootSP0/GRUB.nbi/../../../secret", Kind::forbidden},
        {"nbi/../secret", Kind::forbidden},
        {"/private/tftpboot/../../secret", Kind::forbidden},
        {"..\\secret", Kind::forbidden},
        {"pxe\\..\\..\\secret", Kind::forbidden},
        {"nbi/NetBootSP0/GRUB.nbi/way-out", Kind::forbidden},
        {"nbi/NetBootSP0/GRUB.nbi", Kind::forbidden},
        {"pxe", Kind::forbidden},
        {"/etc/passwd", Kind::missing},
        {"//etc/passwd", Kind::missing},
        {"nbi/NetBootSP0/shadowed", Kind::missing},
        {"nbi/NetBootSP0/%2e%2e/secret", Kind::missing},
        {"nbi/NetBootSP0", Kind::forbidden},
        {"nbi/NetBootSP2/x", Kind::missing},
        {"nbi", Kind::forbidden},
        {"NetBootSP0/GRUB.nbi/i386/booter", Kind::missing},
        {"", Kind::missing},
        {"/", Kind::missing},
        {"///.//", Kind::missing},
        {"pxe/file\0x"sv, Kind::missing},
        {"pxe/FILE", Kind::missing},
    };
    for (const auto& row : table) {
        const auto file = content().open(row.asked);
        ASSERT_FALSE(file) << row.asked << " gave " << file->path;
        EXPECT_EQ(file.error().kind, row.kind) << row.asked << ": " << file.error().what;
        EXPECT_FALSE(file.error().what.empty());
    }
}

TEST_F(ContentFiles, TheProblemSaysWhereItLooked) {
    EXPECT_EQ(content().open("nbi/NetBootSP0/x").error(),
              (ContentProblem{Kind::missing, "no such file", folder_ / "images/x"}));
    EXPECT_EQ(content().open("/private/tftpboot/x").error().looked_for,
              (folder_ / "plain/private/tftpboot/x") + ", " + (folder_ / "plain/x"));
    EXPECT_EQ(content().open("a\\x").error().looked_for,
              (folder_ / "plain/a\\x") + ", " + (folder_ / "plain/a/x"));
    EXPECT_EQ(content().open("../x").error().looked_for, "../x");
}

TEST_F(ContentFiles, WithoutAPlainRootThereAreOnlyImages) {
    const Content images_only = content(false);
    EXPECT_TRUE(images_only.open("nbi/NetBootSP0/GRUB.nbi/i386/booter"));
    const auto other = images_only.open("pxe/file");
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error(), (ContentProblem{Kind::missing, "no root folder serves this path", "pxe/file"}));
}

TEST_F(ContentFiles, AnEndlessNameIsOnlyMissing) {
    const auto file = content().open(std::string(100'000, '/') + "x");
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().kind, Kind::missing);
    EXPECT_LT(file.error().looked_for.size(), 200U);
}

}  // namespace
}  // namespace pomona::servers
