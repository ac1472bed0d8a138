#include <pomona/policy/boot_script.hpp>

#include <gtest/gtest.h>

#include <algorithm>

namespace pomona::policy {
namespace {

using model::BootTarget;
using model::BootTargets;

BootTarget target(const std::string& name, const std::string& file) {
    const auto parsed = model::parse_boot_target(name, file);
    EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().text());
    return *parsed;
}

class Script : public testing::Test {
  protected:
    std::string script(ScriptLanguage language, const BootTarget& what) {
        scene_.targets = &targets_;
        return write_boot_script(language, what, scene_);
    }
    void add(const std::vector<BootTarget>& all) {
        std::vector<base::Error> problems;
        targets_ = BootTargets::build(all, problems);
        EXPECT_TRUE(problems.empty());
    }

    const BootTarget debian_ = target("debian",
                                      "type = linux\ntitle = Debian 12\nkernel = debian/vmlinuz\n"
                                      "initrd = debian/initrd.img\narguments = console=ttyS0 quiet\n");
    BootTargets targets_;
    ScriptScene scene_{.server = {10, 0, 1, 11},
                       .http_port = 80,
                       .mac = base::MacAddress({0x52, 0x54, 0, 0x12, 0x34, 1}),
                       .fog_url = {},
                       .targets = nullptr,
                       .image_file = {},
                       .self = {}};
};

TEST_F(Script, ALinuxInEachLanguage) {
    EXPECT_EQ(script(ScriptLanguage::ipxe, debian_), R"(#!ipxe
# debian for 52:54:00:12:34:01
kernel http://10.0.1.11/debian/vmlinuz initrd=initrd.img console=ttyS0 quiet || goto failed0
initrd http://10.0.1.11/debian/initrd.img || goto failed0
boot || goto failed0
:failed0
echo Pomona: debian could not be loaded. The disk is next.
sleep 10
iseq ${platform} efi && exit 1 ||
sanboot --no-describe --drive 0x80 || exit 1
)");
    EXPECT_EQ(script(ScriptLanguage::gpxe, debian_), R"(#!gpxe
# debian for 52:54:00:12:34:01
kernel http://10.0.1.11/debian/vmlinuz initrd=initrd.img console=ttyS0 quiet
initrd http://10.0.1.11/debian/initrd.img
boot
)");
    EXPECT_EQ(script(ScriptLanguage::grub, debian_), R"(# debian for 52:54:00:12:34:01
if linux '(http,10.0.1.11)/debian/vmlinuz' 'console=ttyS0' 'quiet'; then
  initrd '(http,10.0.1.11)/debian/initrd.img' && boot
fi
echo 'Pomona: debian could not be loaded. The disk is next.'
sleep 10
if search --no-floppy --set=mac_disk --file /System/Library/CoreServices/boot.efi; then
  chainloader ($mac_disk)/System/Library/CoreServices/boot.efi && boot
fi
exit
)");
    EXPECT_EQ(script(ScriptLanguage::pxelinux, debian_), R"(# debian for 52:54:00:12:34:01
DEFAULT debian
PROMPT 0
LABEL debian
  KERNEL 10.0.1.11::debian/vmlinuz
  APPEND initrd=10.0.1.11::debian/initrd.img console=ttyS0 quiet
)");
}

TEST_F(Script, FilesGoByTheRoadsThatThereAre) {
    scene_.http_port = 8080;
    EXPECT_TRUE(
        script(ScriptLanguage::ipxe, debian_).contains("kernel http://10.0.1.11:8080/debian/vmlinuz "));
    // GRUB before 2.12 knows port 80 only.
    EXPECT_TRUE(script(ScriptLanguage::grub, debian_).contains("(tftp,10.0.1.11)/debian/vmlinuz"));
    scene_.http_port.reset();
    EXPECT_TRUE(script(ScriptLanguage::gpxe, debian_).contains("kernel tftp://10.0.1.11/debian/vmlinuz "));
    const BootTarget elsewhere =
        target("x", "type = linux\nkernel = http://mirror:8080/k\ninitrd = tftp://mirror/i\n");
    EXPECT_TRUE(script(ScriptLanguage::ipxe, elsewhere).contains("kernel http://mirror:8080/k initrd=i ||"));
    EXPECT_TRUE(script(ScriptLanguage::grub, elsewhere).contains("'(http,mirror:8080)/k'"));
    EXPECT_TRUE(script(ScriptLanguage::grub, elsewhere).contains("'(tftp,mirror)/i'"));
}

TEST_F(Script, APathWithBlanksIsAUrl) {
    const BootTarget spaced = target("x", "type = efi\nprogram = my tools/shell.efi\n");
    EXPECT_TRUE(
        script(ScriptLanguage::ipxe, spaced).contains("chain http://10.0.1.11/my%20tools/shell.efi ||"));
    EXPECT_TRUE(script(ScriptLanguage::grub, spaced)
                    .contains("chainloader '(http,10.0.1.11)/my tools/shell.efi' && boot"));
    const BootTarget kernel = target("x", "type = linux\nkernel = my tools/vmlinuz\n");
    EXPECT_TRUE(script(ScriptLanguage::pxelinux, kernel).contains("PXELINUX cannot boot x"));
}

TEST_F(Script, AnImageIsItsBootFile) {
    const BootTarget image = target("lion", "type = image\nimage = Lion.nbi\n");
    EXPECT_TRUE(script(ScriptLanguage::ipxe, image)
                    .contains("the image of lion is not published, or is for Macs only"));
    scene_.image_file = [](const BootTarget& what) { return "nbi/S/" + what.image + "/i386/booter"; };
    EXPECT_TRUE(
        script(ScriptLanguage::ipxe, image).contains("chain http://10.0.1.11/nbi/S/Lion.nbi/i386/booter ||"));
}

TEST_F(Script, FogGetsItsFieldsWithTheCardThatAskedFirst) {
    const BootTarget fog = target("fog", "type = fog\n");
    EXPECT_TRUE(script(ScriptLanguage::ipxe, fog).contains("the server has no fog-url"));
    scene_.fog_url = "http://fog/fog";
    const std::string text = script(ScriptLanguage::ipxe, fog);
    EXPECT_TRUE(text.contains(
        "params\nparam mac0 52:54:00:12:34:01\nparam arch ${arch}\nparam platform ${platform}\n"
        "param product ${product}\nparam manufacturer ${manufacturer}\nparam ipxever ${version}\n"
        "param filename ${filename}\n"));
    EXPECT_TRUE(
        text.contains("isset ${net0/mac} || goto other0\n"
                      "iseq ${net0/mac} 52:54:00:12:34:01 && goto other0 ||\n"
                      "param mac1 ${net0/mac}\n:other0\n"));
    EXPECT_TRUE(text.contains("chain http://fog/fog/service/ipxe/boot.php##params || goto failed0\n"));
    EXPECT_TRUE(script(ScriptLanguage::grub, fog).contains("GRUB cannot boot fog, which is of type fog."));
}

TEST_F(Script, AMenuIsAMenu) {
    add({debian_, target("disk", "type = disk\ntitle = From disk\n"),
         target(
             "pick",
             "type = menu\ntitle = Pick one\nentry = debian\nentry = disk\ndefault = disk\ntimeout = 10\n")});
    scene_.self = "boot.ipxe";
    const std::string ipxe = script(ScriptLanguage::ipxe, *targets_.find("pick"));
    EXPECT_TRUE(
        ipxe.contains(":menu0\nmenu Pick one\nitem menu0-0 Debian 12\nitem menu0-1 From disk\n"
                      "item menu0-reload Read this menu again\n"
                      "choose --default menu0-1 --timeout 10000 chosen || goto menu0\ngoto ${chosen}\n"
                      ":menu0-0\nkernel http://"));
    EXPECT_TRUE(ipxe.contains(":menu0-reload\nchain --replace http://10.0.1.11/boot.ipxe || goto menu0\n"));
    const std::string grub = script(ScriptLanguage::grub, *targets_.find("pick"));
    EXPECT_TRUE(
        grub.contains("set default='disk'\nset timeout=10\nmenuentry 'Debian 12' --id 'debian' {\nif linux"));
    EXPECT_TRUE(grub.contains("menuentry 'From disk' --id 'disk' {\n"));
    const std::string pxelinux = script(ScriptLanguage::pxelinux, *targets_.find("pick"));
    EXPECT_TRUE(pxelinux.contains("PROMPT 1\nDEFAULT disk\nTIMEOUT 100\n"));
    EXPECT_TRUE(pxelinux.contains("LABEL disk\n  LOCALBOOT 0\n"));
    EXPECT_TRUE(script(ScriptLanguage::gpxe, *targets_.find("pick"))
                    .contains("gPXE has no menus; From disk is booted."));
}

TEST_F(Script, WhatALanguageCannotDoIsSaid) {
    const BootTarget iso = target("iso", "type = sanboot\nurl = http://s/x.iso\n");
    EXPECT_TRUE(script(ScriptLanguage::ipxe, iso).contains("sanboot http://s/x.iso || goto failed0\n"));
    EXPECT_TRUE(script(ScriptLanguage::grub, iso)
                    .contains("echo 'Pomona: GRUB cannot boot iso, which is of type sanboot.'"));
    EXPECT_TRUE(script(ScriptLanguage::pxelinux, iso).contains("  SAY Pomona: PXELINUX cannot boot iso"));
    const BootTarget nothing = target("none", "type = ignore\n");
    EXPECT_TRUE(script(ScriptLanguage::gpxe, nothing).contains("the server has nothing for this machine"));
}

/// Everything that could mean something in one of the languages.
const std::vector<std::string> hostile{
    "a || shell", "a && shell", "a ; shell",         "a # b", "${net0/mac}", "a' ; reboot ; '", "a\" b",
    "$(reboot)",  "`reboot`",   "a } menuentry x {", "a \\",  "${a}${b}",    "goto failed0",    "é ü",
    "|| ||"};

/// What GRUB reads as its language, with the words between quotes taken out.
std::string outside_quotes(std::string text) {
    for (std::size_t at = 0; (at = text.find("'\\''")) != std::string::npos;) text.erase(at, 4);
    std::string rest;
    bool inside = false;
    for (const char c : text) {
        if (c == '\'') {
            inside = !inside;
        } else if (!inside && !(c == ' ' && rest.ends_with(' '))) {
            rest += c;
        }
    }
    EXPECT_FALSE(inside) << text;
    return rest;
}

BootTarget tame(BootTarget what) {
    what.title = "title";
    if (!what.arguments.empty()) what.arguments = "one";
    return what;
}

TEST_F(Script, NoFieldAddsALineOrACommand) {
    const auto lines = [](const std::string& text) { return std::ranges::count(text, '\n'); };
    for (const std::string& field : hostile) {
        const BootTarget evil =
            target("x", "type = linux\ntitle = " + field + "\nkernel = k\narguments = " + field + "\n");
        add({evil, target("m", "type = menu\ntitle = " + field + "\nentry = x\n")});
        for (const BootTarget& what : {evil, *targets_.find("m")}) {
            const std::string ipxe = script(ScriptLanguage::ipxe, what);
            // Only lines that set texts are added, and nothing of the field is left but plain words.
            std::size_t at = 0;
            while (at < ipxe.size()) {
                const std::string line = ipxe.substr(at, ipxe.find('\n', at) - at);
                at += line.size() + 1;
                const bool ours = line.contains("|| goto failed") || line.contains("|| goto menu") ||
                                  line == "#!ipxe" || line.ends_with("&& exit 1 ||") ||
                                  line.ends_with("|| exit 1");
                if (!ours) {
                    EXPECT_FALSE(line.contains("||") || line.contains("&&") || line.contains(" ;")) << line;
                }
                EXPECT_FALSE(line.contains("${net0/mac}") || line.contains("${a}")) << line;
            }
            const std::string gpxe = script(ScriptLanguage::gpxe, what);
            EXPECT_FALSE(gpxe.contains("${")) << gpxe;
            EXPECT_LE(lines(gpxe), 6);
            // In GRUB's script the field stands between single quotes, which hold everything.
            EXPECT_EQ(outside_quotes(script(ScriptLanguage::grub, what)),
                      outside_quotes(script(ScriptLanguage::grub, tame(what))));
        }
    }
}

}  // namespace
}  // namespace pomona::policy
