#include "store/image_folders.hpp"

#include "support/image_folder_fixture.hpp"

#include <pomona/base/shared_state.hpp>
#include <pomona/model/boot_paths.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/fsuid.h>
#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace pomona::store {
namespace {

using model::ImageProblem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using tests::default_key;
using tests::TemporaryFolder;
using tests::write_file;
using tests::write_image;

ImageFolderSettings settings_for(const TemporaryFolder& root) {
    ImageFolderSettings settings;
    settings.roots = {{.name = "NetBootSP0", .path = root.path()}};
    settings.resolve = [](const std::string&) { return std::nullopt; };
    return settings;
}

std::string texts(const ImageReading& reading) {
    std::string texts;
    for (const ImageProblem& problem : reading.problems) texts += problem.text() + "\n";
    return texts;
}

TEST(ImageFolders, PublishesAnImage) {
    const TemporaryFolder root;
    write_image(root / "grub.nbi", "GRUB 2", 4097, default_key);
    const ImageReading reading = read_image_folders(settings_for(root));
    EXPECT_THAT(reading.problems, IsEmpty()) << texts(reading);
    ASSERT_EQ(reading.catalogue.images().size(), 1U);
    const model::NetBootImage& image = reading.catalogue.images()[0];
    EXPECT_EQ(image.id, base::BootImageId(0x81001001U));
    EXPECT_EQ(image.name, "GRUB 2");
    EXPECT_EQ(image.share, "NetBootSP0");
    EXPECT_EQ(image.share_path, root.path());
    ASSERT_EQ(image.boot_files.size(), 1U);
    EXPECT_EQ(image.boot_files[0].width, model::EfiWidth::x64);
    EXPECT_EQ(model::tftp_path(image, image.boot_files[0]), "nbi/NetBootSP0/grub.nbi/i386/booter");
    base::Snapshot<model::Catalogue> snapshot(std::make_shared<model::Catalogue>());
    snapshot.publish(std::make_shared<model::Catalogue>(reading.catalogue));
    EXPECT_EQ(snapshot.current()->find(image.id)->folder, "grub.nbi");
}

std::vector<std::string> folders(const ImageReading& reading) {
    std::vector<std::string> names;
    for (const auto& image : reading.catalogue.images()) names.push_back(image.folder);
    return names;
}

std::string plist_of(const TemporaryFolder& root, const char* folder) {
    return root / (std::string(folder) + "/NBImageInfo.plist");
}

/// The only problem of a reading, as text.
std::string only_problem(const ImageReading& reading) {
    return reading.problems.size() == 1 ? reading.problems[0].text() : "not one problem:\n" + texts(reading);
}

TEST(ImageFolders, OneBrokenImageHidesNoOther) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "A", 1, default_key);
    write_image(root / "b.nbi", "B", 2);
    write_file(root / "b.nbi/NBImageInfo.plist", "<plist><dict>\n<key>Name</key></dict></plist>");
    write_image(root / "c.nbi", "C", 3);
    const ImageReading reading = read_image_folders(settings_for(root));
    EXPECT_THAT(folders(reading), ElementsAre("a.nbi", "c.nbi"));
    EXPECT_EQ(reading.folders, 3U);
    EXPECT_TRUE(reading.has_errors());
    EXPECT_THAT(only_problem(reading), HasSubstr("error: " + plist_of(root, "b.nbi") + ": line 2"));
}

TEST(ImageFolders, ReadsByNameBytewiseWhateverTheDiskSays) {
    const TemporaryFolder root;
    int index = 1;
    for (const char* name :
         {"b.nbi", "\xc3\xa9t\xc3\xa9.nbi", "A b.nbi", "a.nbi", "Z.nbi", "10.6 Another Example.nbi"}) {
        write_image(root / name, name, index, index == 1 ? default_key : std::string_view());
        ++index;
    }
    EXPECT_THAT(folders(read_image_folders(settings_for(root))),
                ElementsAre("b.nbi", "10.6 Another Example.nbi", "A b.nbi", "Z.nbi", "a.nbi",
                            "\xc3\xa9t\xc3\xa9.nbi"));
}

TEST(ImageFolders, RootsComeInTheGivenOrder) {
    const TemporaryFolder first;
    const TemporaryFolder second;
    write_image(first / "z.nbi", "Z", 1, default_key);
    write_image(second / "a.nbi", "A", 2);
    ImageFolderSettings settings = settings_for(first);
    write_image(first / "y.nbi", "Y", 3);
    settings.roots.push_back({.name = "NetBootSP1", .path = second.path() + "/"});
    const ImageReading reading = read_image_folders(settings);
    EXPECT_THAT(folders(reading), ElementsAre("z.nbi", "y.nbi", "a.nbi"));
    EXPECT_EQ(reading.catalogue.images()[2].share, "NetBootSP1");
    EXPECT_EQ(reading.catalogue.images()[2].share_path, second.path()) << "without the slash";
}

TEST(ImageFolders, PinnedOrderAndDisabledListsFollowTheSettings) {
    const TemporaryFolder root;
    const std::string disabled =
        "<key>DisabledSystemIdentifiers</key><array><string>iMac12,1</string></array>";
    write_image(root / "a.nbi", "A", 1, std::string(default_key) + disabled);
    write_image(root / "b.nbi", "B", 2, disabled);
    ImageFolderSettings settings = settings_for(root);
    settings.pinned_order = {"b.nbi"};
    settings.honour_disabled_list = {"a.nbi"};
    const ImageReading reading = read_image_folders(settings);
    ASSERT_THAT(folders(reading), ElementsAre("b.nbi", "a.nbi"));
    EXPECT_THAT(reading.catalogue.images()[0].disabled_models, IsEmpty());
    EXPECT_THAT(reading.catalogue.images()[1].disabled_models, ElementsAre("iMac12,1"));
}

TEST(ImageFolders, NamesThatAreNoImagesAreLeftAlone) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "A", 1, default_key);
    write_image(root / "x.nbi.old", "X", 2);
    write_file(root / "notes.txt", "hello");
    write_file(root / "tools/readme", "hello");
    const ImageReading reading = read_image_folders(settings_for(root));
    EXPECT_THAT(folders(reading), ElementsAre("a.nbi"));
    EXPECT_THAT(reading.problems, IsEmpty()) << texts(reading);
    EXPECT_EQ(reading.folders, 1U);
}

/// One thing that is wrong with what lies in the root.
struct WrongCase {
    const char* name;
    std::function<void(const TemporaryFolder&)> make;
    model::ImageProblem::Severity severity;
    const char* path;
    const char* text;
};

class ImageFoldersTell : public testing::TestWithParam<WrongCase> {};

TEST_P(ImageFoldersTell, WhatIsWrongAndWhatToDo) {
    const TemporaryFolder root;
    write_image(root / "good.nbi", "Good", 1, default_key);
    GetParam().make(root);
    const ImageReading reading = read_image_folders(settings_for(root));
    EXPECT_THAT(folders(reading), ElementsAre("good.nbi"));
    ASSERT_EQ(reading.problems.size(), 1U) << texts(reading);
    EXPECT_EQ(reading.problems[0].severity, GetParam().severity);
    EXPECT_EQ(reading.problems[0].path, root / GetParam().path);
    EXPECT_THAT(reading.problems[0].text(), HasSubstr(GetParam().text));
    EXPECT_NE(reading.problems[0].remedy, "");
}

constexpr auto error = ImageProblem::Severity::error;
constexpr auto warning = ImageProblem::Severity::warning;

INSTANTIATE_TEST_SUITE_P(
    Table, ImageFoldersTell,
    testing::ValuesIn(std::vector<WrongCase>{
        WrongCase{"upper_case", [](const TemporaryFolder& r) { write_image(r / "x.NBI", "X", 2); }, warning,
                  "x.NBI", "lower case"},
        WrongCase{"a_file", [](const TemporaryFolder& r) { write_file(r / "x.nbi", "x"); }, warning, "x.nbi",
                  "not an image folder"},
        WrongCase{"no_plist", [](const TemporaryFolder& r) { write_file(r / "x.nbi/i386/booter", "x"); },
                  error, "x.nbi", "there is no NBImageInfo.plist"},
        WrongCase{"plist_of_another_name",
                  [](const TemporaryFolder& r) { write_file(r / "x.nbi/NBImageInfo.plist.bak", "x"); }, error,
                  "x.nbi", "there is no NBImageInfo.plist"},
        WrongCase{"plist_is_a_folder",
                  [](const TemporaryFolder& r) { write_file(r / "x.nbi/NBImageInfo.plist/x", "x"); }, error,
                  "x.nbi/NBImageInfo.plist", "no regular file"},
        WrongCase{"plist_is_a_fifo",
                  [](const TemporaryFolder& r) {
                      std::filesystem::create_directory(r / "x.nbi");
                      ASSERT_EQ(::mkfifo((r / "x.nbi/NBImageInfo.plist").c_str(), 0600), 0);
                  },
                  error, "x.nbi/NBImageInfo.plist", "no regular file"},
        WrongCase{"plist_too_large",
                  [](const TemporaryFolder& r) {
                      write_file(r / "x.nbi/NBImageInfo.plist", std::string((1U << 20U) + 5, ' '));
                  },
                  error, "x.nbi/NBImageInfo.plist", "more than the 1048576 allowed"},
        WrongCase{"plist_empty",
                  [](const TemporaryFolder& r) { write_file(r / "x.nbi/NBImageInfo.plist", ""); }, error,
                  "x.nbi/NBImageInfo.plist", "empty"},
        WrongCase{"nested", [](const TemporaryFolder& r) { write_image(r / "x.nbi/x.nbi", "X", 2); }, error,
                  "x.nbi", "x.nbi/x.nbi lies inside"},
        WrongCase{"nested_twice", [](const TemporaryFolder& r) { write_image(r / "x.nbi/y/z.nbi", "X", 2); },
                  error, "x.nbi", "x.nbi/y/z.nbi lies inside"},
        WrongCase{"too_deep", [](const TemporaryFolder& r) { write_image(r / "lab/x.nbi", "X", 2); }, warning,
                  "lab/x.nbi", "too deep"},
        WrongCase{"dangling_link",
                  [](const TemporaryFolder& r) { std::filesystem::create_symlink("nowhere", r / "x.nbi"); },
                  error, "x.nbi", "leads nowhere"},
        WrongCase{"link_out_of_the_root",
                  [](const TemporaryFolder& r) { std::filesystem::create_symlink("/etc", r / "x.nbi"); },
                  error, "x.nbi", "out of the image root"},
        WrongCase{"link_loop",
                  [](const TemporaryFolder& r) { std::filesystem::create_symlink("x.nbi", r / "x.nbi"); },
                  error, "x.nbi", "cannot be opened"},
        WrongCase{"boot_file_is_a_link_out",
                  [](const TemporaryFolder& r) {
                      write_image(r / "x.nbi", "X", 2);
                      std::filesystem::remove(r / "x.nbi/i386/booter");
                      std::filesystem::create_symlink("/bin/true", r / "x.nbi/i386/booter");
                  },
                  error, "x.nbi/i386/booter", "leads out of the image root"},
        WrongCase{"boot_file_is_no_program",
                  [](const TemporaryFolder& r) {
                      write_image(r / "x.nbi", "X", 2);
                      write_file(r / "x.nbi/i386/booter", "#!/bin/sh\n");
                  },
                  error, "x.nbi/i386/booter", "no EFI program"},
        WrongCase{"boot_file_cut_off",
                  [](const TemporaryFolder& r) {
                      write_image(r / "x.nbi", "X", 2);
                      std::filesystem::resize_file(r / "x.nbi/i386/booter", 1000);
                  },
                  error, "x.nbi/i386/booter", "ends inside its section"}}),
    [](const auto& test) { return test.param.name; });

TEST(ImageFolders, TellsEveryIndexPublishedOrNot) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "A", 1, default_key);
    write_image(root / "b.nbi", "B", 2, "<key>IsEnabled</key><false/>");
    write_image(root / "c.nbi", "C", 70'000);
    write_file(root / "d.nbi/NBImageInfo.plist", "<plist version=\"1.0\"><dict/></plist>");
    const ImageReading reading = read_image_folders(settings_for(root));
    EXPECT_THAT(folders(reading), ElementsAre("a.nbi"));
    EXPECT_THAT(reading.indexes, ElementsAre(TakenIndex{1, root / "a.nbi"}, TakenIndex{2, root / "b.nbi"},
                                             TakenIndex{70'000, root / "c.nbi"}));
}

TEST(ImageFolders, TheTableOfModelsComesWithTheSettings) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "A", 1, default_key);
    ImageFolderSettings settings = settings_for(root);
    const model::ClientTraits mac{.mac = {}, .architecture = "i386", .model = "iMac12,1"};
    EXPECT_NE(read_image_folders(settings).catalogue.default_for(mac, std::nullopt), nullptr);
    settings.models.override_firmware("iMac12,*", model::Firmware::ia32);
    EXPECT_EQ(read_image_folders(settings).catalogue.default_for(mac, std::nullopt), nullptr);
}

TEST(ImageFolders, FollowsLinksBeneathTheRoot) {
    const TemporaryFolder root;
    write_image(root / "versions/grub-2", "GRUB", 1, default_key);
    std::filesystem::create_symlink("versions/grub-2", root / "grub.nbi");
    write_file(root / "programs/booter", tests::universal_efi_program());
    write_image(root / "other.nbi", "Other", 2);
    std::filesystem::remove(root / "other.nbi/i386/booter");
    std::filesystem::create_symlink("../../programs/booter", root / "other.nbi/i386/booter");
    const ImageReading reading = read_image_folders(settings_for(root));
    EXPECT_THAT(reading.problems, IsEmpty()) << texts(reading);
    ASSERT_THAT(folders(reading), ElementsAre("grub.nbi", "other.nbi"));
    EXPECT_EQ(reading.catalogue.images()[1].boot_files[0].width, model::EfiWidth::universal);
}

TEST(ImageFolders, AnAbsoluteLinkIsNotFollowedAndSaysWhatToWrite) {
    const TemporaryFolder root;
    write_image(root / "grub.nbi", "GRUB", 1, default_key);
    std::filesystem::create_symlink(root / "grub.nbi", root / "again.nbi");
    const ImageReading reading = read_image_folders(settings_for(root));
    EXPECT_THAT(folders(reading), ElementsAre("grub.nbi"));
    ASSERT_EQ(reading.problems.size(), 1U) << texts(reading);
    EXPECT_THAT(reading.problems[0].remedy, testing::HasSubstr("relative link"));
}

TEST(ImageFolders, AMissingRootIsOneProblemAmongOtherRoots) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "A", 1, default_key);
    write_file(root / "file", "x");
    ImageFolderSettings settings = settings_for(root);
    settings.roots.push_back({.name = "NetBootSP1", .path = root / "gone"});
    settings.roots.push_back({.name = "NetBootSP2", .path = root / "file"});
    settings.roots.push_back({.name = "NetBootSP0", .path = root.path()});
    const ImageReading reading = read_image_folders(settings);
    EXPECT_THAT(folders(reading), ElementsAre("a.nbi"));
    ASSERT_EQ(reading.problems.size(), 3U) << texts(reading);
    EXPECT_EQ(reading.problems[0].text(), "error: " + (root / "gone") +
                                              ": the image root cannot be read: No such file or directory; "
                                              "create the folder, or correct the setting");
    EXPECT_THAT(reading.problems[1].what, HasSubstr("Not a directory"));
    EXPECT_THAT(reading.problems[2].what, HasSubstr("two image roots are called NetBootSP0"));
}

TEST(ImageFolders, TellsWhenAnImageIsGivenAsTheRoot) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "A", 1);
    ImageFolderSettings settings = settings_for(root);
    settings.roots[0].path = root / "a.nbi";
    EXPECT_THAT(only_problem(read_image_folders(settings)), HasSubstr("is an image folder itself"));
    write_image(root / "a", "A", 1);
    settings.roots[0].path = root / "a";
    EXPECT_THAT(only_problem(read_image_folders(settings)), HasSubstr("does not end in .nbi"));
}

/// File accesses of this thread without root's privileges, while it lives.
class AsNobody {
  public:
    AsNobody() : before_(::setfsuid(65534)) {}
    AsNobody(const AsNobody&) = delete;
    AsNobody& operator=(const AsNobody&) = delete;
    ~AsNobody() { ::setfsuid(static_cast<uid_t>(before_)); }

  private:
    int before_;
};

TEST(ImageFolders, TellsWhatItMayNotRead) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "A", 1);
    write_image(root / "b.nbi", "B", 2);
    write_image(root / "c.nbi", "C", 3);
    using std::filesystem::perms;
    std::filesystem::permissions(root.path(), perms::owner_all | perms::group_read | perms::group_exec |
                                                  perms::others_read | perms::others_exec);
    std::filesystem::permissions(root / "a.nbi", perms::none);
    std::filesystem::permissions(root / "b.nbi/NBImageInfo.plist", perms::none);
    std::filesystem::permissions(root / "c.nbi/i386/booter", perms::none);
    ImageFolderSettings settings = settings_for(root);
    ImageReading reading;
    {
        const AsNobody nobody;
        reading = read_image_folders(settings);
    }
    EXPECT_TRUE(reading.catalogue.empty());
    ASSERT_EQ(reading.problems.size(), 3U) << texts(reading);
    EXPECT_THAT(reading.problems[0].text(),
                HasSubstr("a.nbi/NBImageInfo.plist: the file cannot be read: Permission denied"));
    EXPECT_THAT(reading.problems[1].text(),
                HasSubstr("b.nbi/NBImageInfo.plist: the file cannot be read: Permission denied"));
    EXPECT_THAT(reading.problems[2].text(),
                HasSubstr("c.nbi/i386/booter: BootFile: the boot file cannot be read: Permission denied"));
    std::filesystem::permissions(root.path(), perms::none);
    {
        const AsNobody nobody;
        reading = read_image_folders(settings);
    }
    std::filesystem::permissions(root.path(), perms::owner_all);
    std::filesystem::permissions(root / "a.nbi", perms::owner_all);
    EXPECT_THAT(only_problem(reading), HasSubstr("the image root cannot be read: Permission denied"));
}

TEST(ImageFolders, ADisabledImageIsANote) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "A", 1, "<key>IsEnabled</key><false/>");
    const ImageReading reading = read_image_folders(settings_for(root));
    EXPECT_TRUE(reading.catalogue.empty());
    EXPECT_FALSE(reading.has_errors());
    EXPECT_THAT(only_problem(reading), HasSubstr("note: "));
}

TEST(ImageFolders, ExternalTftpServerSeesPathsBelowItsRoot) {
    const TemporaryFolder tftp;
    write_image(tftp / "netboot/images/a.nbi", "A", 1, default_key);
    ImageFolderSettings settings = settings_for(tftp);
    settings.roots[0].path = tftp / "netboot/images";
    const auto path_with_root = [&](const std::string& tftp_root) {
        settings.external_tftp_root = tftp_root;
        const ImageReading reading = read_image_folders(settings);
        if (reading.catalogue.empty()) return only_problem(reading);
        const model::NetBootImage& image = reading.catalogue.images()[0];
        return model::tftp_path(image, image.boot_files[0]);
    };
    EXPECT_EQ(path_with_root(tftp.path()), "netboot/images/a.nbi/i386/booter");
    EXPECT_EQ(path_with_root(tftp / "netboot/images/"), "a.nbi/i386/booter");
    std::filesystem::create_directory_symlink("netboot", tftp / "link");
    EXPECT_EQ(path_with_root(tftp / "link"), "images/a.nbi/i386/booter");
    std::filesystem::create_directory(tftp / "net");
    EXPECT_THAT(path_with_root(tftp / "net"), HasSubstr("does not lie beneath"));
    EXPECT_THAT(path_with_root(tftp / "gone"), HasSubstr("external TFTP server cannot be read"));
}

TEST(ImageFolders, AsksForEachHostOnce) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "A", 1,
                std::string(default_key) + "<key>LoadBalanceServer</key><string>lb.example</string>");
    write_image(root / "b.nbi", "B", 2, "<key>LoadBalanceServer</key><string>lb.example</string>");
    ImageFolderSettings settings = settings_for(root);
    int asked = 0;
    settings.resolve = [&](const std::string&) {
        ++asked;
        return base::Ipv4Address(10, 0, 0, 1);
    };
    EXPECT_EQ(read_image_folders(settings).catalogue.images().size(), 2U);
    EXPECT_EQ(asked, 1);
}

TEST(ImageFolders, LooksAtOneFolderAlone) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "A", 1);
    write_file(root / "b.nbi/x", "x");
    ImageFolderSettings settings = settings_for(root);
    settings.only_folder = "a.nbi";
    const ImageReading reading = read_image_folders(settings);
    EXPECT_THAT(folders(reading), ElementsAre("a.nbi"));
    EXPECT_THAT(reading.problems, IsEmpty()) << texts(reading);
    settings.only_folder = "c.nbi";
    EXPECT_THAT(only_problem(read_image_folders(settings)), HasSubstr("no such folder"));
}

TEST(ImageFolders, ResolvesDottedAddressesWithoutAskingAnybody) {
    EXPECT_EQ(resolve_host("10.0.1.5"), base::Ipv4Address(10, 0, 1, 5));
    EXPECT_EQ(resolve_host(""), std::nullopt);
}

}  // namespace
}  // namespace pomona::store
