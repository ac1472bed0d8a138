#include <pomona/model/boot_paths.hpp>

#include <gtest/gtest.h>

namespace pomona::model {
namespace {

using base::Ipv4Address;

NetBootImage lion() {
    NetBootImage image;
    image.share = "NetBootSP0";
    image.share_path = "/srv/images";
    image.folder = "Lion.nbi";
    image.boot_files = {{.architecture = "i386", .path = "i386/booter"},
                        {.architecture = "ppc", .path = "booter"}};
    return image;
}

TEST(TftpPath, NamesShareFolderAndBootFile) {
    const NetBootImage image = lion();
    EXPECT_EQ(tftp_path(image, image.boot_files[0]), "nbi/NetBootSP0/Lion.nbi/i386/booter");
    EXPECT_EQ(tftp_path(image, image.boot_files[1]), "nbi/NetBootSP0/Lion.nbi/booter");
}

TEST(TftpPath, KeepsSpacesAsTheyAre) {
    NetBootImage image = lion();
    image.folder = "10.6 Another Example.nbi";
    EXPECT_EQ(tftp_path(image, image.boot_files[0]), "nbi/NetBootSP0/10.6 Another Example.nbi/i386/booter");
}

TEST(TftpPath, IsRelativeToAnExternalServersRoot) {
    NetBootImage image = lion();
    image.external_tftp_folder = "images/Lion.nbi";
    EXPECT_EQ(tftp_path(image, image.boot_files[0]), "images/Lion.nbi/i386/booter");
}

TEST(RootPathOption, IsEmptyWithoutARoot) {
    EXPECT_EQ(root_path_option(lion(), Ipv4Address(10, 0, 1, 5)), "");
}

struct RootPathCase {
    const char* name;
    ImageType type;
    const char* share_path;
    const char* folder;
    const char* local_file;
    const char* expected;
};

class RootPathOptionOf : public testing::TestWithParam<RootPathCase> {};

TEST_P(RootPathOptionOf, LocalFile) {
    NetBootImage image = lion();
    image.type = GetParam().type;
    image.share_path = GetParam().share_path;
    image.folder = GetParam().folder;
    image.root_path = RootPath{.local_file = GetParam().local_file, .elsewhere = {}};
    EXPECT_EQ(root_path_option(image, Ipv4Address(10, 0, 1, 5)), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Table, RootPathOptionOf,
    testing::Values(RootPathCase{"nfs", ImageType::nfs, "/srv/images", "Lion.nbi", "NetBoot.dmg",
                                 "nfs:10.0.1.5:/srv/images:Lion.nbi/NetBoot.dmg"},
                    RootPathCase{"nfs_escapes_colons", ImageType::nfs, "/srv/a:b", "c:d.nbi", "e:f.dmg",
                                 R"(nfs:10.0.1.5:/srv/a\:b:c\:d.nbi/e\:f.dmg)"},
                    // The kernel takes the backslash before a colon away and leaves every other where it is.
                    RootPathCase{"nfs_keeps_backslashes", ImageType::nfs, R"(/srv/a\b)", R"(c\:d.nbi)",
                                 "e.dmg", R"(nfs:10.0.1.5:/srv/a\b:c\\:d.nbi/e.dmg)"},
                    RootPathCase{"nfs_keeps_spaces", ImageType::nfs, "/srv/my images", "Mac OS.nbi",
                                 "Net Boot.dmg", "nfs:10.0.1.5:/srv/my images:Mac OS.nbi/Net Boot.dmg"},
                    RootPathCase{"http", ImageType::http, "/srv/images", "Lion.nbi", "NetBoot.dmg",
                                 "http://10.0.1.5/NetBoot/NetBootSP0/Lion.nbi/NetBoot.dmg"},
                    RootPathCase{
                        "http_escapes", ImageType::http, "/srv/images", "Mac OS #1?.nbi", "sub/é%.dmg",
                        "http://10.0.1.5/NetBoot/NetBootSP0/Mac%20OS%20%231%3F.nbi/sub/%C3%A9%25.dmg"}),
    [](const auto& test) { return test.param.name; });

TEST(RootPathOption, LoadBalanceServerTakesOurPlace) {
    NetBootImage image = lion();
    image.type = ImageType::http;
    image.root_path = RootPath{.local_file = "NetBoot.dmg", .elsewhere = {}};
    image.load_balance_server = Ipv4Address(10, 0, 9, 9);
    EXPECT_EQ(root_path_option(image, Ipv4Address(10, 0, 1, 5)),
              "http://10.0.9.9/NetBoot/NetBootSP0/Lion.nbi/NetBoot.dmg");
}

TEST(RootPathOption, ElsewhereIsFinished) {
    NetBootImage image = lion();
    image.type = ImageType::nfs;
    image.root_path = RootPath{.local_file = {}, .elsewhere = "nfs:10.0.1.7:/exports:Lion/NetBoot.dmg"};
    image.load_balance_server = Ipv4Address(10, 0, 9, 9);
    EXPECT_EQ(root_path_option(image, Ipv4Address(10, 0, 1, 5)), "nfs:10.0.1.7:/exports:Lion/NetBoot.dmg");
}

TEST(BootFileFor, FindsTheArchitecture) {
    const NetBootImage image = lion();
    ASSERT_NE(image.boot_file_for("ppc"), nullptr);
    EXPECT_EQ(image.boot_file_for("ppc")->path, "booter");
    EXPECT_EQ(image.boot_file_for("arm"), nullptr);
    EXPECT_EQ(image.boot_file_for(""), nullptr);
}

}  // namespace
}  // namespace pomona::model
