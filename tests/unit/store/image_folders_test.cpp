#include "store/image_folders.hpp"

#include "support/image_folder_fixture.hpp"

#include <pomona/base/shared_state.hpp>
#include <pomona/model/boot_paths.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pomona::store {
namespace {

using model::ImageProblem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing_support::plist_text;
using testing_support::TemporaryFolder;
using testing_support::write_file;
using testing_support::write_image;

ImageFolderSettings settings_for(const TemporaryFolder& root) {
    ImageFolderSettings settings;
    settings.roots = {{.name = "NetBootSP0", .path = root.path()}};
    settings.resolve = [](const std::string&) { return std::nullopt; };
    return settings;
}

constexpr std::string_view kDefault = "<key>IsDefault</key><true/>";

std::string texts(const ImageReading& reading) {
    std::string texts;
    for (const ImageProblem& problem : reading.problems) texts += problem.text() + "\n";
    return texts;
}

TEST(ImageFolders, PublishesAnImage) {
    const TemporaryFolder root;
    write_image(root / "grub.nbi", "GRUB 2", 4097, kDefault);
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

}  // namespace
}  // namespace pomona::store
