#include "app/image.hpp"

#include "support/image_folder_fixture.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <sstream>
#include <string>

namespace pomona::app {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using tests::default_key;
using tests::TemporaryFolder;
using tests::write_file;
using tests::write_image;

store::ImageFolderSettings settings_for(const TemporaryFolder& root) {
    store::ImageFolderSettings settings;
    settings.roots = {{.name = "NetBootSP7", .path = root.path()}};
    settings.resolve = [](const std::string&) { return std::nullopt; };
    return settings;
}

struct Output {
    int code;
    std::string text;
};

Output list(const store::ImageFolderSettings& settings, bool json = false) {
    std::ostringstream out;
    const int code = list_images(settings, json, out);
    return {code, out.str()};
}

Output check(const store::ImageFolderSettings& settings, const std::optional<std::string>& folder,
             bool json = false) {
    std::ostringstream out;
    const int code = check_images(settings, folder, json, out);
    return {code, out.str()};
}

TEST(ImageList, TellsWhatIsPublishedToWhom) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "GRUB 2", 4097,
                std::string(default_key) +
                    "<key>EnabledSystemIdentifiers</key><array><string>iMac12,1</string></array>"
                    "<key>DisabledMACAddresses</key><array><string>0:1:2:3:4:5</string></array>");
    write_file(root / "a.nbi/i386/booter", tests::universal_efi_program());
    const Output run = list(settings_for(root));
    EXPECT_EQ(run.code, 0);
    EXPECT_EQ(
        run.text,
        "0x81001001  GRUB 2  (default)\n"
        "    folder    " +
            (root / "a.nbi") +
            "\n"
            "    shown to  i386 Macs, models iMac12,1, without 00:01:02:03:04:05\n"
            "    loads     nbi/NetBootSP7/a.nbi/i386/booter  (i386, 32- and 64-bit EFI, 9216 octets)\n");
}

TEST(ImageList, ShortensLongListsOfModels) {
    const TemporaryFolder root;
    std::string models = "<key>EnabledSystemIdentifiers</key><array>";
    for (int i = 1; i <= 12; ++i) models += "<string>iMac" + std::to_string(i) + ",1</string>";
    write_image(root / "a.nbi", "A", 1, models + "</array>");
    EXPECT_THAT(list(settings_for(root)).text, HasSubstr(" and 4 more\n"));
}

TEST(ImageList, ShowsProblemsTooAndFailsForErrors) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "A", 1);
    Output run = list(settings_for(root));
    EXPECT_EQ(run.code, 0) << "a warning is no failure";
    EXPECT_THAT(run.text,
                HasSubstr("\n\nwarning: " + (root / "a.nbi/NBImageInfo.plist") + ": IsDefault: no image"));
    write_file(root / "b.nbi/x", "x");
    run = list(settings_for(root));
    EXPECT_EQ(run.code, 1);
    EXPECT_THAT(run.text, HasSubstr("error: " + (root / "b.nbi") + ": there is no NBImageInfo.plist"));
    const TemporaryFolder empty;
    EXPECT_EQ(list(settings_for(empty)).text, "no image is published\n");
}

TEST(ImageList, Json) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "GRUB 2", 4097, default_key);
    write_image(root / "b\xff.nbi", "B", 2);
    write_file(root / "c.nbi/x", "x");
    const Output run = list(settings_for(root), true);
    EXPECT_EQ(run.code, 1);
    const auto json = nlohmann::json::parse(run.text);
    ASSERT_EQ(json["images"].size(), 2U);
    const auto& image = json["images"][0];
    EXPECT_EQ(image["id"], "0x81001001");
    EXPECT_EQ(image["index"], 4097);
    EXPECT_EQ(image["kind"], 1);
    EXPECT_EQ(image["install"], true);
    EXPECT_EQ(image["name"], "GRUB 2");
    EXPECT_EQ(image["type"], "BootFileOnly");
    EXPECT_EQ(image["default"], true);
    EXPECT_EQ(image["share"], "NetBootSP7");
    EXPECT_EQ(image["folder"], "a.nbi");
    EXPECT_EQ(image["path"], root / "a.nbi");
    EXPECT_EQ(image["root"], nullptr);
    EXPECT_EQ(image["models"], nlohmann::json::array());
    const auto& file = image["boot_files"][0];
    EXPECT_EQ(file["architecture"], "i386");
    EXPECT_EQ(file["tftp_path"], "nbi/NetBootSP7/a.nbi/i386/booter");
    EXPECT_EQ(file["efi_widths"], nlohmann::json::array({64}));
    EXPECT_EQ(file["size"], 1024);
    ASSERT_EQ(json["problems"].size(), 1U);
    EXPECT_EQ(json["problems"][0]["severity"], "error");
    EXPECT_EQ(json["problems"][0]["path"], root / "c.nbi");
    EXPECT_NE(json["problems"][0]["remedy"], "");
}

TEST(ImageList, JsonTellsTheRoot) {
    const TemporaryFolder root;
    const auto write = [&](const char* folder, int index, const char* root_path) {
        write_image(root / folder, folder, index);
        std::string plist = tests::plist_text(
            folder, index, std::string("<key>RootPath</key><string>") + root_path + "</string>");
        plist.replace(plist.find("BootFileOnly"), 12, "HTTP");
        write_file(root / (std::string(folder) + "/NBImageInfo.plist"), plist);
    };
    write("a.nbi", 1, "NetBoot.dmg");
    write_file(root / "a.nbi/NetBoot.dmg", "");
    write("b.nbi", 2, "http://10.0.1.5/b.dmg");
    store::ImageFolderSettings settings = settings_for(root);
    settings.resolve = store::resolve_host;
    const auto json = nlohmann::json::parse(list(settings, true).text);
    ASSERT_EQ(json["images"].size(), 2U) << json;
    EXPECT_EQ(json["images"][0]["root"], nlohmann::json({{"file", "NetBoot.dmg"}}));
    EXPECT_EQ(json["images"][1]["root"], nlohmann::json({{"place", "http://10.0.1.5/b.dmg"}}));
    EXPECT_THAT(list(settings).text, AllOf(HasSubstr("root      NetBoot.dmg  (HTTP)"),
                                           HasSubstr("root      http://10.0.1.5/b.dmg  (HTTP)")));
}

TEST(ImageCheck, PutsProblemsFirstAndCounts) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "A", 1, default_key);
    write_image(root / "b.nbi", "B", 2, "<key>FilterOnly</key><integer>0</integer>");
    write_file(root / "c.nbi/x", "x");
    const Output run = check(settings_for(root), std::nullopt);
    EXPECT_EQ(run.code, 1);
    EXPECT_THAT(run.text,
                testing::StartsWith("warning: " + (root / "b.nbi/NBImageInfo.plist") + ": FilterOnly: "));
    EXPECT_THAT(run.text, testing::EndsWith("2 images of 3 folders published, 1 error, 1 warning\n"));
}

TEST(ImageCheck, LooksAtOneImageAlone) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "A", 1);
    write_file(root / "c.nbi/x", "x");
    const TemporaryFolder elsewhere;
    Output run = check(settings_for(elsewhere), root / "a.nbi/");
    EXPECT_EQ(run.code, 0);
    EXPECT_THAT(run.text, AllOf(HasSubstr("nbi/NetBootSP0/a.nbi/i386/booter"), Not(HasSubstr("warning:")),
                                HasSubstr("1 image of 1 folder published, 0 errors, 0 warnings\n")));
    // A folder of a configured root has that root's name in its paths.
    run = check(settings_for(root), root / "a.nbi");
    EXPECT_THAT(run.text, HasSubstr("nbi/NetBootSP7/a.nbi/i386/booter"));
    run = check(settings_for(elsewhere), root / "c.nbi");
    EXPECT_EQ(run.code, 1);
    run = check(settings_for(elsewhere), root / "gone.nbi");
    EXPECT_EQ(run.code, 1);
    EXPECT_THAT(run.text, HasSubstr("no such folder"));
}

TEST(ImageCheck, LooksAtAnotherRoot) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "A", 1, default_key);
    const TemporaryFolder elsewhere;
    store::ImageFolderSettings settings = settings_for(elsewhere);
    settings.external_tftp_root = elsewhere.path();
    const Output run = check(settings, root.path());
    EXPECT_EQ(run.code, 0) << run.text;
    EXPECT_THAT(run.text, HasSubstr("1 image of 1 folder published"));
    EXPECT_EQ(check(settings, root / "gone").code, 1);
}

struct Shown {
    int code;
    std::string text;
    std::string error;
};

Shown show(const store::ImageFolderSettings& settings, const std::string& image, bool json = false) {
    std::ostringstream out;
    std::ostringstream err;
    const int code = show_image(settings, image, json, out, err);
    return {code, out.str(), err.str()};
}

TEST(ImageShow, ExplainsKeysProgramsPathsAndWhoSeesIt) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "GRUB 2", 4097,
                std::string(default_key) +
                    "<key>Odd\nkey</key><string>x</string>"
                    "<key>DisabledSystemIdentifiers</key><array/>");
    write_file(root / "a.nbi/i386/booter", tests::universal_efi_program());
    const Shown run = show(settings_for(root), "a");
    EXPECT_EQ(run.code, 0) << run.error;
    EXPECT_EQ(
        run.text,
        (root / "a.nbi") +
            "\n"
            "  GRUB 2, 0x81001001 on the wire: installer, kind 1, index 4097\n"
            "  enabled; a default image, the one that 64-bit Macs start unasked\n"
            "\n"
            "Keys of NBImageInfo.plist\n"
            "  IsDefault                  true  (candidate for the image that starts unasked)\n"
            "  Odd\\x0akey                 'x'  (not used)\n"
            "  DisabledSystemIdentifiers  none  (not used, as Apple's server)\n"
            "  Name                       'GRUB 2'  (what the Mac shows)\n"
            "  Index                      4097  (the lower half of the id; several servers may offer the "
            "image)\n"
            "  Type                       'BootFileOnly'  (how the root image is reached; BootFileOnly has "
            "none)\n"
            "  Kind                       1  (part of the id: 1 Mac OS X, 2 Server, 3 diagnostics)\n"
            "  IsInstall                  true  (listed with the installers)\n"
            "  Architectures              'i386'  (every Intel Mac calls itself i386)\n"
            "  BootFile                   'booter'  (loaded by TFTP from the folder of the architecture)\n"
            "\n"
            "Boot files\n"
            "  i386/booter  for 32- and 64-bit EFI, a universal file\n"
            "      ia32  offset 4096, 1024 octets; machine 0x014c, subsystem 10 (an EFI application)\n"
            "      x64   offset 8192, 1024 octets; machine 0x8664, subsystem 10 (an EFI application)\n"
            "      TFTP path nbi/NetBootSP7/a.nbi/i386/booter\n"
            "\n"
            "Root path\n"
            "  none: the program is all\n"
            "\n"
            "Shown to  (i386 Macs, all models)\n"
            "  yes  models with 64-bit EFI, and unknown ones: there is a program for 64-bit EFI\n"
            "  yes  models with 32-bit EFI: there is a program for 32-bit EFI\n"
            "  yes  models whose EFI is doubtful: there is a program for either width\n"
            "  no   PowerPC Macs: there is no program for PowerPC\n"
            "\n"
            "No problems.\n");
}

TEST(ImageShow, SaysForEachModelOfTheListWhetherItSeesTheImage) {
    const TemporaryFolder root;
    write_image(
        root / "a.nbi", "A", 1,
        std::string(default_key) +
            "<key>EnabledSystemIdentifiers</key><array><string>iMac12,1</string><string>iMac4,1</string>"
            "<string>MacBook3,1</string><string>Clone1,1</string><string>Macmini8,1</string></array>");
    EXPECT_THAT(show(settings_for(root), "a.nbi").text,
                AllOf(HasSubstr("yes  'iMac12,1': its EFI has 64 bits\n"),
                      HasSubstr("no   'iMac4,1': its EFI has 32 bits\n"),
                      HasSubstr("yes  'MacBook3,1': its EFI is doubtful\n"),
                      HasSubstr("yes  'Clone1,1': it is unknown and counts as 64-bit\n"),
                      HasSubstr("yes  'Macmini8,1': its EFI has 64 bits, but this model cannot NetBoot\n"),
                      HasSubstr("warning: " + (root / "a.nbi/NBImageInfo.plist") +
                                ": EnabledSystemIdentifiers: the boot file is for 64-bit EFI")));
}

TEST(ImageShow, FindsAnImageByAnyOfItsNames) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "GRUB 2", 4097, default_key);
    write_image(root / "b.nbi", "B", 4098);
    const TemporaryFolder elsewhere;
    write_image(elsewhere / "c.nbi", "C", 3);
    for (const std::string& name :
         {std::string("a"), std::string("a.nbi"), std::string("NetBootSP7/a.nbi"), std::string("GRUB 2"),
          std::string("4097"), std::string("0x81001001"), root / "a.nbi", root / "a.nbi/"}) {
        EXPECT_THAT(show(settings_for(root), name).text,
                    testing::StartsWith((root / "a.nbi") + "\n  GRUB 2,"))
            << name;
    }
    EXPECT_THAT(show(settings_for(root), elsewhere / "c.nbi").text,
                HasSubstr("TFTP path nbi/NetBootSP0/c.nbi/"));
    const Shown unknown = show(settings_for(root), "gone");
    EXPECT_EQ(unknown.code, 1);
    EXPECT_EQ(unknown.text, "");
    EXPECT_THAT(unknown.error, AllOf(HasSubstr("no published image is called \"gone\""), HasSubstr("a.nbi")));
    EXPECT_THAT(show(settings_for(root), elsewhere.path()).error, HasSubstr("does not end in .nbi"));
}

TEST(ImageShow, ExplainsWhyAnImageIsNotPublished) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "A", 1, "<key>IsEnabled</key><false/>");
    write_image(root / "b.nbi", "B", 2);
    std::filesystem::resize_file(root / "b.nbi/i386/booter", 600);
    Shown run = show(settings_for(root), "a");
    EXPECT_EQ(run.code, 0) << "switched off on purpose";
    EXPECT_THAT(run.text,
                AllOf(HasSubstr("  not published; the problems below say why\n"),
                      HasSubstr("IsEnabled      false  (switched off: not published)\n"),
                      HasSubstr("IsEnabled: the image is switched off; write <true/> to publish it\n"),
                      Not(HasSubstr("b.nbi"))));
    run = show(settings_for(root), "b", true);
    EXPECT_EQ(run.code, 1);
    const auto json = nlohmann::json::parse(run.text);
    EXPECT_EQ(json["published"], false);
    EXPECT_EQ(json["image"], nullptr);
    EXPECT_THAT(json["problems"][0]["what"].get<std::string>(), HasSubstr("ends inside its section 1"));
}

TEST(ImageShow, Json) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "A", 1, "<key>PomonaBootFileIA32</key><string>booter-ia32</string>");
    write_file(root / "a.nbi/i386/booter-ia32", tests::efi_program(codec::EfiMachine::ia32));
    const auto json = nlohmann::json::parse(show(settings_for(root), "a", true).text);
    EXPECT_EQ(json["path"], root / "a.nbi");
    EXPECT_EQ(json["published"], true);
    EXPECT_EQ(json["image"]["id"], "0x81000001");
    EXPECT_EQ(json["keys"][0]["reading"], "loaded by 32-bit EFI in place of BootFile");
    ASSERT_EQ(json["programs"].size(), 2U);
    EXPECT_EQ(json["programs"][1]["tftp_path"], "nbi/NetBootSP7/a.nbi/i386/booter-ia32");
    EXPECT_EQ(json["programs"][1]["slices"],
              nlohmann::json::parse(R"([{"machine":"ia32","offset":0,"size":1024,"subsystem":10}])"));
    EXPECT_EQ(json["shown_to"][1]["sees"], true);
}

TEST(ImageShow, TellsTheRootPathWithAPlaceForOurAddress) {
    const TemporaryFolder root;
    write_image(root / "a.nbi", "A", 1);
    std::string plist = tests::plist_text("A", 1, "<key>RootPath</key><string>a b.dmg</string>");
    plist.replace(plist.find("BootFileOnly"), 12, "HTTP");
    write_file(root / "a.nbi/NBImageInfo.plist", plist);
    write_file(root / "a.nbi/a b.dmg", "");
    EXPECT_THAT(show(settings_for(root), "a").text,
                HasSubstr("Root path\n  http://SERVER/NetBoot/NetBootSP7/a.nbi/a%20b.dmg\n"));
}

}  // namespace
}  // namespace pomona::app
