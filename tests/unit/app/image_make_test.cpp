#include "app/image_make.hpp"

#include "support/image_folder_fixture.hpp"
#include "support/temporary_folder.hpp"

#include <pomona/codec/plist.hpp>
#include <pomona/model/image_rules.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace pomona::app {
namespace {

namespace fs = std::filesystem;
using codec::EfiMachine;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using tests::efi_program;
using tests::write_file;
using tests::write_image;
using Octets = std::vector<std::uint8_t>;

Octets octets_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> names_in(const std::string& folder) {
    std::vector<std::string> names;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder))
        names.push_back(entry.path().filename().string());
    return names;
}

struct ImageMake : testing::Test {
    tests::TemporaryFolder folder;
    std::string root = folder / "root";
    std::string x64 = folder / "x64.efi";
    std::string ia32 = folder / "ia32.efi";
    store::ImageFolderSettings settings;
    ImageMakeOptions options;

    ImageMake() {
        fs::create_directory(root);
        write_file(x64, efi_program(EfiMachine::x64));
        write_file(ia32, efi_program(EfiMachine::ia32));
        settings.roots = {{.name = "NetBootSP0", .path = root}};
        settings.resolve = [](const std::string&) { return std::nullopt; };
        options.name = "grub";
        options.x64 = x64;
    }

    [[nodiscard]] std::string path(const std::string& below) const { return root + "/" + below; }
    [[nodiscard]] base::Result<MadeImage> make() const { return make_image(options, settings); }
    [[nodiscard]] model::NetBootImage published(const std::string& name) const {
        store::ImageFolderSettings alone = settings;
        alone.only_folder = name;
        const store::ImageReading reading = store::read_image_folders(alone);
        EXPECT_THAT(reading.problems, IsEmpty());
        return reading.catalogue.empty() ? model::NetBootImage() : reading.catalogue.images()[0];
    }
};

TEST_F(ImageMake, JoinsBothProgramsInOneFile) {
    options.ia32 = ia32;
    options.is_default = true;
    options.title = "GRUB <2> & more";
    options.models = {"iMac4,1", "iMac12,1", "MacBook3,1", "Clone1,1"};
    const auto made = make();
    ASSERT_TRUE(made) << made.error().text();
    EXPECT_EQ(made->path, fs::canonical(root).string() + "/grub.nbi");
    EXPECT_EQ(made->id, base::BootImageId(0x81001001U));
    EXPECT_FALSE(made->replaced);
    EXPECT_THAT(made->problems, IsEmpty());
    EXPECT_EQ(octets_of(path("grub.nbi/i386/booter")), tests::universal_efi_program());
    const model::NetBootImage image = published("grub.nbi");
    EXPECT_EQ(image.name, "GRUB <2> & more");
    EXPECT_TRUE(image.is_default);
    EXPECT_THAT(image.enabled_models, ElementsAre("Clone1,1", "MacBook3,1", "iMac12,1", "iMac4,1"));
    EXPECT_EQ(image.boot_files.at(0).width, model::EfiWidth::universal);
    EXPECT_THAT(names_in(root), ElementsAre("grub.nbi")) << "nothing else stays";
}

TEST_F(ImageMake, KeepsTwoFilesWhenAskedTo) {
    options.ia32 = ia32;
    options.separate = true;
    options.is_install = false;
    const auto made = make();
    ASSERT_TRUE(made) << made.error().text();
    EXPECT_EQ(made->id, base::BootImageId(0x01001001U));
    EXPECT_EQ(octets_of(path("grub.nbi/i386/booter")), efi_program(EfiMachine::x64));
    EXPECT_EQ(octets_of(path("grub.nbi/i386/booter-ia32")), efi_program(EfiMachine::ia32));
    const model::NetBootImage image = published("grub.nbi");
    ASSERT_EQ(image.boot_files.size(), 2U);
    EXPECT_EQ(image.boot_files[0].path, "i386/booter");
    EXPECT_EQ(image.boot_files[1].path, "i386/booter-ia32");
    EXPECT_EQ(image.boot_files[1].width, model::EfiWidth::ia32);
}

TEST_F(ImageMake, TakesOneProgramAsItIs) {
    ASSERT_TRUE(make());
    EXPECT_EQ(octets_of(path("grub.nbi/i386/booter")), efi_program(EfiMachine::x64));
    EXPECT_EQ(published("grub.nbi").boot_files.at(0).width, model::EfiWidth::x64);
    options.name = "old.nbi";
    options.x64.reset();
    options.ia32 = ia32;
    options.models = {"iMac4,1"};
    ASSERT_TRUE(make());
    EXPECT_EQ(published("old.nbi").boot_files.at(0).width, model::EfiWidth::ia32);
    EXPECT_EQ(published("old.nbi").name, "old");
}

TEST_F(ImageMake, EverybodyMayReadWhatever) {
    const mode_t before = ::umask(0077);
    options.additions = {folder / "extra"};
    write_file(folder / "extra/deep/a.cfg", "a");
    const auto made = make();
    ::umask(before);
    ASSERT_TRUE(made) << made.error().text();
    for (const char* name : {"grub.nbi", "grub.nbi/i386", "grub.nbi/extra/deep"})
        EXPECT_EQ(fs::status(path(name)).permissions(), fs::perms(0755)) << name;
    for (const char* name :
         {"grub.nbi/i386/booter", "grub.nbi/NBImageInfo.plist", "grub.nbi/extra/deep/a.cfg"})
        EXPECT_EQ(fs::status(path(name)).permissions(), fs::perms(0644)) << name;
}

TEST_F(ImageMake, CopiesFurtherFilesAndNamesTheScript) {
    write_file(folder / "ipxe/boot.ipxe", "#!ipxe\n");
    write_file(folder / "one.txt", "1");
    fs::create_symlink("../one.txt", folder / "ipxe/linked.txt");
    options.additions = {folder / "ipxe/", folder / "one.txt"};
    options.script = "ipxe/boot.ipxe";
    const auto made = make();
    ASSERT_TRUE(made) << made.error().text();
    EXPECT_EQ(octets_of(path("grub.nbi/ipxe/boot.ipxe")), (Octets{'#', '!', 'i', 'p', 'x', 'e', '\n'}));
    EXPECT_EQ(octets_of(path("grub.nbi/ipxe/linked.txt")), Octets{'1'});
    EXPECT_FALSE(fs::is_symlink(path("grub.nbi/ipxe/linked.txt")));
    EXPECT_EQ(octets_of(path("grub.nbi/one.txt")), Octets{'1'});
    EXPECT_EQ(published("grub.nbi").loader_script, "ipxe/boot.ipxe");
}

TEST_F(ImageMake, DoesNotCopyItselfIntoItself) {
    options.additions = {root};
    const auto made = make();
    ASSERT_TRUE(made) << made.error().text();
    EXPECT_THAT(names_in(path("grub.nbi/root")), IsEmpty());
}

TEST_F(ImageMake, ChoosesAFreeIndex) {
    write_image(path("a.nbi"), "A", 4097);
    // One that is switched off, and one that is broken, keep theirs.
    write_image(path("b.nbi"), "B", 4098, "<key>IsEnabled</key><false/>");
    write_image(path("c.nbi"), "C", 4099);
    fs::remove(path("c.nbi/i386/booter"));
    tests::TemporaryFolder other;
    write_image(other / "d.nbi", "D", 4100);
    settings.roots.push_back({.name = "NetBootSP1", .path = other.path()});
    const auto made = make();
    ASSERT_TRUE(made) << made.error().text();
    EXPECT_EQ(made->id.index(), 4101);
    options.name = "next";
    options.index = 17;
    EXPECT_EQ(make()->id.index(), 17);
}

TEST_F(ImageMake, WritesElsewhereAndKeepsClearOfTheRoots) {
    write_image(path("a.nbi"), "A", 4097);
    tests::TemporaryFolder other;
    write_image(other / "b.nbi", "B", 4098);
    options.output = other.path();
    const auto made = make();
    ASSERT_TRUE(made) << made.error().text();
    EXPECT_EQ(made->id.index(), 4099);
    EXPECT_TRUE(fs::exists(other / "grub.nbi/NBImageInfo.plist"));
    EXPECT_THAT(names_in(root), ElementsAre("a.nbi"));
}

TEST_F(ImageMake, ReplacesWholeAndKeepsTheIndex) {
    write_image(path("grub.nbi"), "Old", 5000);
    write_file(path("grub.nbi/leftover"), "x");
    options.replace = true;
    const auto made = make();
    ASSERT_TRUE(made) << made.error().text();
    EXPECT_TRUE(made->replaced);
    EXPECT_EQ(made->id.index(), 5000);
    EXPECT_THAT(names_in(path("grub.nbi")), UnorderedElementsAre("NBImageInfo.plist", "i386"));
    EXPECT_THAT(names_in(root), ElementsAre("grub.nbi"));
    // Also when there is nothing to replace.
    options.name = "new";
    EXPECT_FALSE(make()->replaced);
}

TEST_F(ImageMake, ASettingCorrectsTheTableOfModels) {
    options.models = {"iMac4,1"};
    EXPECT_FALSE(make());
    settings.models.override_firmware("iMac4,*", model::Firmware::x64);
    const auto made = make();
    EXPECT_TRUE(made) << made.error().text();
}

TEST_F(ImageMake, SaysWhatItMade) {
    std::ostringstream out;
    std::ostringstream err;
    EXPECT_EQ(run_image_make(options, settings, false, out, err), 0);
    EXPECT_EQ(out.str(), fs::canonical(root).string() + "/grub.nbi was made: 0x81001001, index 4097\n");
    EXPECT_EQ(run_image_make(options, settings, false, out, err), 1);
    EXPECT_EQ(err.str(),
              "pomona image make: " + fs::canonical(root).string() +
                  "/grub.nbi: the folder exists already; write --replace, or choose another name\n");
    options.replace = true;
    options.title = std::string(80, 'x');
    out.str({});
    EXPECT_EQ(run_image_make(options, settings, true, out, err), 0);
    const auto json = nlohmann::json::parse(out.str());
    EXPECT_EQ(json["index"], 4097);
    EXPECT_EQ(json["replaced"], true);
    EXPECT_EQ(json["problems"][0]["key"], "Name");
}

TEST_F(ImageMake, ASignalLeavesNothingBehind) {
    for (int i = 0; i < 2'000; ++i) write_file(folder / ("many/" + std::to_string(i)), "x");
    options.additions = {folder / "many"};
    static volatile std::sig_atomic_t came = 0;
    struct sigaction note{};
    struct sigaction before{};
    note.sa_handler = [](int) { came = 1; };
    ASSERT_EQ(sigaction(SIGTERM, &note, &before), 0);
    // A signal for the whole process, once the work has begun; only the thread that makes the image may take
    // it.
    std::jthread killer([this](const std::stop_token& stop) {
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        pthread_sigmask(SIG_BLOCK, &signals, nullptr);
        while (!stop.stop_requested() && names_in(root).empty()) std::this_thread::yield();
        ::kill(::getpid(), SIGTERM);
    });
    const auto made = make();
    killer.request_stop();
    killer.join();
    sigaction(SIGTERM, &before, nullptr);
    ASSERT_FALSE(made);
    EXPECT_THAT(made.error().text(), HasSubstr("interrupted"));
    EXPECT_EQ(came, 1) << "it was only held back";
    EXPECT_THAT(names_in(root), IsEmpty());
}

struct RefusedCase {
    const char* name;
    /// Spoils something.
    std::function<void(ImageMake&)> spoil;
    /// The whole line, where "@" stands for the test's folder.
    const char* says;
};

void PrintTo(const RefusedCase& one, std::ostream* out) {
    *out << one.name;
}

class ImageMakeRefuses : public ImageMake, public testing::WithParamInterface<RefusedCase> {};

std::string with_place(std::string text, const std::string& place) {
    for (std::size_t at = 0; (at = text.find(place)) != std::string::npos;)
        text.replace(at, place.size(), "@");
    return text;
}

TEST_P(ImageMakeRefuses, WithTheRemedyAndWithoutALeftover) {
    GetParam().spoil(*this);
    const std::vector<std::string> before = names_in(root);
    const auto made = make();
    ASSERT_FALSE(made);
    EXPECT_EQ(with_place(made.error().text(), folder.path()), GetParam().says);
    EXPECT_EQ(names_in(root), before);
}

const std::vector<RefusedCase> refused = {
    {"no_program", [](ImageMake& t) { t.options.x64.reset(); },
     "no program was given; name it with --x64, and the one for 32-bit EFI with --ia32"},
    {"ia32_as_x64", [](ImageMake& t) { t.options.x64 = t.ia32; },
     "flag --x64: @/ia32.efi is a program for 32-bit EFI (ia32); give it as --ia32, and a program for 64-bit "
     "EFI "
     "as --x64"},
    {"x64_as_ia32", [](ImageMake& t) { t.options.ia32 = t.x64; },
     "flag --ia32: @/x64.efi is a program for 64-bit EFI (x64); give it as --x64, and a program for 32-bit "
     "EFI as "
     "--ia32"},
    {"universal_file", [](ImageMake& t) { write_file(t.x64, tests::universal_efi_program()); },
     "flag --x64: @/x64.efi is a universal file already, made of several programs; give the plain programs "
     "that it "
     "was made of"},
    {"no_efi_file", [](ImageMake& t) { write_file(t.x64, "#!/bin/sh\n"); },
     "flag --x64: @/x64.efi: this is no EFI program but a script (offset 0); use an EFI "
     "program such "
     "as GRUB's or iPXE's, or Apple's booter"},
    {"truncated", [](ImageMake& t) { fs::resize_file(t.x64, 1000); },
     "flag --x64: @/x64.efi: the program ends inside its section 1 (offset 392); the file is cut off or "
     "damaged; "
     "copy it again"},
    {"empty", [](ImageMake& t) { fs::resize_file(t.x64, 0); },
     "flag --x64: @/x64.efi: the file is empty (offset 0); copy the EFI program again"},
    {"missing", [](ImageMake& t) { fs::remove(t.x64); },
     "flag --x64: @/x64.efi cannot be read: No such file or directory; name a file that you may read"},
    {"a_folder", [](ImageMake& t) { t.options.x64 = t.root; },
     "flag --x64: @/root is no regular file; name a file"},
    {"a_fifo",
     [](ImageMake& t) {
         fs::remove(t.x64);
         ASSERT_EQ(::mkfifo(t.x64.c_str(), 0600), 0);
     },
     "flag --x64: @/x64.efi is no regular file; name a file"},
    {"huge", [](ImageMake& t) { fs::resize_file(t.x64, (std::uintmax_t{1} << 30U) + 1); },
     "flag --x64: @/x64.efi is larger than 1 GiB; name the file itself, not an image of a disk"},
    {"separate_of_one", [](ImageMake& t) { t.options.separate = true; },
     "flag --separate: there is only one program; give both --x64 and --ia32"},
    {"model_of_32_bits", [](ImageMake& t) { t.options.models = {"iMac12,1", "iMac4,1"}; },
     "flag --model: iMac4,1 has 32-bit EFI, and the only program is for 64-bit EFI; add a program for it "
     "with "
     "--ia32; if its EFI has 64 bits, say so with the setting x64-model"},
    {"model_of_64_bits",
     [](ImageMake& t) {
         t.options.x64.reset();
         t.options.ia32 = t.ia32;
         t.options.models = {"iMac12,1"};
     },
     "flag --model: iMac12,1 has 64-bit EFI, and the only program is for 32-bit EFI; add a program for it "
     "with "
     "--x64; if its EFI has 32 bits, say so with the setting ia32-model"},
    {"unknown_model_for_32_bits",
     [](ImageMake& t) {
         t.options.x64.reset();
         t.options.ia32 = t.ia32;
         t.options.models = {"Clone1,1"};
     },
     "flag --model: Clone1,1 is unknown and counts as 64-bit, and the only program is for 32-bit EFI; add a "
     "program "
     "for it with --x64; if its EFI has 32 bits, say so with the setting ia32-model"},
    {"model_with_t2", [](ImageMake& t) { t.options.models = {"iMac20,1"}; },
     "flag --model: iMac20,1 cannot NetBoot: it has a T2 chip; leave it out"},
    {"model_with_apple_silicon", [](ImageMake& t) { t.options.models = {"Mac14,2"}; },
     "flag --model: Mac14,2 cannot NetBoot: it has Apple's own processor; leave it out"},
    {"model_with_powerpc", [](ImageMake& t) { t.options.models = {"PowerMac3,1"}; },
     "flag --model: PowerMac3,1 is a PowerPC Mac and starts no EFI program; leave it out"},
    {"model_with_a_star", [](ImageMake& t) { t.options.models = {"iMac*"}; },
     "flag --model: 'iMac*' would be taken literally: a list of models knows no wildcards; give --model once "
     "for "
     "each model"},
    {"name_with_a_path", [](ImageMake& t) { t.options.name = "../grub"; },
     "image make: '../grub' is a path, not a name; write the name alone, and the folder above it with "
     "--output"},
    {"hidden_name", [](ImageMake& t) { t.options.name = ".grub"; },
     "image make: '.grub' is no name for an image folder; write up to 96 letters, digits and dashes, such as "
     "grub"},
    {"no_name", [](ImageMake& t) { t.options.name = ""; },
     "image make: '' is no name for an image folder; write up to 96 letters, digits and dashes, such as "
     "grub"},
    {"exists", [](ImageMake& t) { fs::create_directory(t.path("grub.nbi")); },
     "@/root/grub.nbi: the folder exists already; write --replace, or choose another name"},
    {"exists_as_a_file",
     [](ImageMake& t) {
         write_file(t.path("grub.nbi"), "x");
         t.options.replace = true;
     },
     "@/root/grub.nbi: this is no folder and is not replaced; remove it, or choose another name"},
    {"exists_as_a_link",
     [](ImageMake& t) {
         fs::create_symlink("elsewhere", t.path("grub.nbi"));
         t.options.replace = true;
     },
     "@/root/grub.nbi: this is no folder and is not replaced; remove it, or choose another name"},
    {"index_taken",
     [](ImageMake& t) {
         write_image(t.path("a.nbi"), "A", 4097);
         t.options.index = 4097;
     },
     "flag --index: the index 4097 is that of @/root/a.nbi; use 4098, or leave it out"},
    {"index_0", [](ImageMake& t) { t.options.index = 0; },
     "flag --index: 0 is no index; use a number from 1 to 65535"},
    {"no_root", [](ImageMake& t) { t.settings.roots.clear(); },
     "there is no image root; name a folder with --output"},
    {"output_missing", [](ImageMake& t) { t.options.output = t.folder / "gone"; },
     "flag --output: @/gone is no folder: No such file or directory; make it first, or name another one with "
     "--output"},
    {"output_is_a_file", [](ImageMake& t) { t.options.output = t.x64; },
     "flag --output: @/x64.efi is no folder; make it first, or name another one with --output"},
    {"script_missing", [](ImageMake& t) { t.options.script = "boot.ipxe"; },
     "flag --script: 'boot.ipxe' is no file of the image; put it there with --add, and name it as it lies "
     "inside, "
     "such as ipxe/boot.ipxe"},
    {"script_outside", [](ImageMake& t) { t.options.script = "../../../x64.efi"; },
     "@/root/grub.nbi/NBImageInfo.plist: PomonaLoaderScript: \"../../../x64.efi\" is no file of the folder; "
     "iPXE is told "
     "of no script; name a file below the folder, such as ipxe/boot.ipxe"},
    {"addition_missing", [](ImageMake& t) { t.options.additions = {t.folder / "gone"}; },
     "flag --add: @/gone: there is no such file or folder; correct the name"},
    {"addition_over_our_own",
     [](ImageMake& t) {
         write_file(t.folder / "NBImageInfo.plist", "x");
         t.options.additions = {t.folder / "NBImageInfo.plist"};
     },
     "flag --add: @/NBImageInfo.plist: the image has 'NBImageInfo.plist' already; rename it, or leave it "
     "out"},
    {"addition_over_the_program",
     [](ImageMake& t) {
         write_file(t.folder / "i386/booter", "x");
         t.options.additions = {t.folder / "i386"};
     },
     "flag --add: @/i386/booter: the image has 'i386/booter' already; rename it, or leave it out"},
    {"addition_with_a_fifo",
     [](ImageMake& t) {
         fs::create_directory(t.folder / "extra");
         ASSERT_EQ(::mkfifo((t.folder / "extra/pipe").c_str(), 0600), 0);
         t.options.additions = {t.folder / "extra"};
     },
     "flag --add: @/extra/pipe: this is neither a file nor a folder; leave it out"},
    {"addition_with_a_dead_link",
     [](ImageMake& t) {
         fs::create_directory(t.folder / "extra");
         fs::create_symlink("gone", t.folder / "extra/link");
         t.options.additions = {t.folder / "extra"};
     },
     "flag --add: @/extra/link: the link leads nowhere; correct the name"},
    {"addition_with_a_link_to_a_folder",
     [](ImageMake& t) {
         fs::create_directory(t.folder / "extra");
         fs::create_symlink("..", t.folder / "extra/up");
         t.options.additions = {t.folder / "extra"};
     },
     "flag --add: @/extra/up: this is a link to a folder; copy the folder there instead"},
    {"empty_title", [](ImageMake& t) { t.options.title = " "; },
     "@/root/grub.nbi/NBImageInfo.plist: Name: the name is empty; write the name for the list of images"},
};

INSTANTIATE_TEST_SUITE_P(Table, ImageMakeRefuses, testing::ValuesIn(refused),
                         [](const auto& one) { return one.param.name; });

TEST_F(ImageMake, FillsGapsBetweenIndexes) {
    for (const int index : {4097, 4098, 4100}) write_image(path(std::to_string(index) + ".nbi"), "X", index);
    EXPECT_EQ(make()->id.index(), 4099);
    options.name = "next";
    EXPECT_EQ(make()->id.index(), 4101);
}

}  // namespace
}  // namespace pomona::app
