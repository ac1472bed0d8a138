// Property lists of real images, from the folder POMONA_SAMPLES (they belong to others and are not kept
// here).
#include "store/image_folders.hpp"
#include "support/image_folder_fixture.hpp"

#include <pomona/codec/plist.hpp>

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace pomona::store {
namespace {

using tests::TemporaryFolder;
using tests::write_file;

struct Sample {
    const char* file;
    std::uint32_t id;
    bool is_default;
    bool is_enabled;
    std::size_t models;
    std::size_t disabled;
};

class NbiSample : public testing::TestWithParam<Sample> {};

std::string sample_text(const char* name) {
    std::ifstream stream(std::string(POMONA_SAMPLES) + "/" + name, std::ios::binary);
    EXPECT_TRUE(stream) << name;
    return {std::istreambuf_iterator<char>(stream), {}};
}

/// Reads one image folder made of the property list, a boot file and a root image.
ImageReading read_as_image(const TemporaryFolder& root, const std::string& plist,
                           bool honour_disabled = false) {
    const auto value = codec::parse_plist(base::as_bytes(plist));
    EXPECT_TRUE(value) << value.error().text();
    const auto* const dict = value->get<codec::PlistDict>();
    write_file(root / "sample.nbi/NBImageInfo.plist", plist);
    write_file(root / ("sample.nbi/i386/" + *dict->find("BootFile")->get<std::string>()),
               tests::efi_program(codec::EfiMachine::x64));
    write_file(root / ("sample.nbi/" + *dict->find("RootPath")->get<std::string>()), "");
    ImageFolderSettings settings;
    settings.roots = {{.name = "NetBootSP0", .path = root.path()}};
    settings.only_folder = "sample.nbi";
    settings.resolve = [](const std::string&) { return std::nullopt; };
    if (honour_disabled) settings.honour_disabled_list = {"sample.nbi"};
    return read_image_folders(settings);
}

TEST_P(NbiSample, IsPublishedAsDelivered) {
    const TemporaryFolder root;
    const ImageReading reading = read_as_image(root, sample_text(GetParam().file));
    EXPECT_EQ(!reading.catalogue.empty(), GetParam().is_enabled);
    EXPECT_FALSE(reading.has_errors());
}

TEST_P(NbiSample, MakesTheExpectedImageOnceEnabled) {
    auto value = codec::parse_plist(base::as_bytes(sample_text(GetParam().file)));
    ASSERT_TRUE(value) << value.error().text();
    for (codec::PlistEntry& entry : value->get<codec::PlistDict>()->entries) {
        if (entry.key == "IsEnabled") entry.value = codec::PlistValue(true);
    }
    const TemporaryFolder root;
    const ImageReading reading = read_as_image(root, codec::write_xml_plist(*value), true);
    ASSERT_EQ(reading.catalogue.images().size(), 1U)
        << (reading.problems.empty() ? "" : reading.problems[0].text());
    const model::NetBootImage& image = reading.catalogue.images()[0];
    EXPECT_EQ(image.id, base::BootImageId(GetParam().id)) << image.id.text();
    EXPECT_EQ(image.is_default, GetParam().is_default);
    EXPECT_EQ(image.enabled_models.size(), GetParam().models);
    EXPECT_EQ(image.disabled_models.size(), GetParam().disabled);
}

INSTANTIATE_TEST_SUITE_P(Each, NbiSample,
                         testing::ValuesIn(std::vector<Sample>{
                             Sample{"autocaspernbi-generic.plist", 0x8100a410, false, false, 0, 0},
                             Sample{"autocaspernbi-10.11.1-latest.plist", 0x8100a410, false, false, 0, 72},
                             Sample{"autocaspernbi-10.11.1-latest.binary.plist", 0x8100a410, false, false, 0,
                                    72},
                             Sample{"macops-deploystudio-10.8.plist", 0x8200043a, false, true, 41, 20},
                             Sample{"ipxe-bootstrap-http.plist", 0x01004e2b, true, true, 0, 64},
                             Sample{"netbootd-10.6-another-example.plist", 0x8100a410, false, false, 0, 0}}));

}  // namespace
}  // namespace pomona::store
