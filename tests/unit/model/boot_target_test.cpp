#include <pomona/model/boot_target.hpp>

#include <gtest/gtest.h>

namespace pomona::model {
namespace {

TEST(BootTarget, ReadsEveryKindAndWritesItBack) {
    const std::vector<std::string> files{
        std::string("type = linux\ntitle = Debian 12\nkernel = debian/vmlinuz\ninitrd = debian/a.img\n") +
            "initrd = http://s/b.img\narguments = console=ttyS0 quiet\n",
        "type = image\ntitle = Lion\nimage = Lion.nbi\n",
        "type = efi\ntitle = Shell\nprogram = tools/shell.efi\n",
        "type = chain\ntitle = netboot\nurl = https://boot.example.org/menu.ipxe\n",
        "type = sanboot\ntitle = ISO\nurl = http://s/x.iso\n",
        "type = fog\ntitle = FOG\n",
        "type = disk\ntitle = Disk\n",
        "type = menu\ntitle = Pick\nentry = a\nentry = b\ndefault = b\ntimeout = 10\n",
        "type = ignore\ntitle = Nothing\n",
    };
    for (const std::string& file : files) {
        const auto target = parse_boot_target("x", file);
        ASSERT_TRUE(target) << file << target.error().text();
        EXPECT_EQ(write_boot_target(*target), file);
    }
}

TEST(BootTarget, FillsInWhatGoesWithoutSaying) {
    const auto target = parse_boot_target("lab-menu", "# a comment\r\n\n  type=menu\nentry =  a \n");
    ASSERT_TRUE(target);
    EXPECT_EQ(target->title, "lab-menu");
    EXPECT_EQ(target->default_entry, "a");
    EXPECT_FALSE(target->timeout);
}

struct Wrong {
    const char* name;
    std::string file;
    const char* error;
};

class WrongTargets : public testing::TestWithParam<Wrong> {};

TEST_P(WrongTargets, AreRefusedWithLineAndRemedy) {
    const auto target = parse_boot_target("x", GetParam().file);
    ASSERT_FALSE(target);
    EXPECT_EQ(target.error().text(), GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, WrongTargets,
    testing::Values(
        Wrong{
            "Empty", "",
            "the type is missing; write type = image, linux, efi, chain, sanboot, fog, disk, menu or ignore"},
        Wrong{"Type", "\ntype = windows\n",
              "line 2: 'windows' is no type; write type = image, linux, efi, chain, sanboot, fog, disk, menu "
              "or ignore"},
        Wrong{"NoEquals", "type = disk\nhello\n",
              "line 2: there is no '=' in it; write lines of the form key = value"},
        Wrong{"NoValue", "type = disk\ntitle =\n",
              "line 2: title has no value; give it one or remove the line"},
        Wrong{"ForeignKey", "type = disk\nkernel = a\n",
              "line 2: a target of type disk has no key 'kernel'; it has type and title only"},
        Wrong{"UnknownKey", "type = linux\nkernel = a\ncmdline = b\n",
              "line 3: a target of type linux has no key 'cmdline'; its keys are: type title kernel initrd "
              "arguments"},
        Wrong{"Twice", "type = disk\ntitle = a\ntitle = b\n",
              "line 3: title is given twice; remove one of the lines"},
        Wrong{"Missing", "type = linux\n",
              "a target of type linux needs the key kernel; add a line kernel = ..."},
        Wrong{"Upwards", "type = linux\nkernel = ../vmlinuz\n",
              "line 2: kernel: '../vmlinuz' is neither a URL nor a path below the server's roots; write it "
              "as in "
              "debian/vmlinuz or http://server/debian/vmlinuz"},
        Wrong{
            "Absolute", "type = efi\nprogram = /boot/x\n",
            "line 2: program: '/boot/x' is neither a URL nor a path below the server's roots; write it as in "
            "debian/vmlinuz or http://server/debian/vmlinuz"},
        Wrong{"Url", "type = chain\nurl = ftp://s/x\n",
              "line 2: url: 'ftp://s/x' is no URL; begin it with http://, https:// or tftp:// and a host"},
        Wrong{"UrlWithoutHost", "type = chain\nurl = http:///x\n",
              "line 2: url: 'http:///x' is no URL; begin it with http://, https:// or tftp:// and a host"},
        Wrong{"Control", std::string("type = disk\ntitle = a\x01") + "b\n",
              "line 2: title holds control characters or is no UTF-8; write plain text"},
        Wrong{"Utf8", "type = disk\ntitle = a\xff\n",
              "line 2: title holds control characters or is no UTF-8; write plain text"},
        Wrong{"Timeout", "type = menu\nentry = a\ntimeout = soon\n",
              "line 3: timeout: 'soon' is no number of seconds from 1 to 86400; use one, or none"},
        Wrong{
            "Entry", "type = menu\nentry = a b\n",
            "line 2: entry: 'a b' cannot be the name of a target; name the file of a target, without .conf"},
        Wrong{"EntryTwice", "type = menu\nentry = a\nentry = a\n",
              "line 3: entry: 'a' stands twice in the menu; remove one of them"},
        Wrong{"Default", "type = menu\nentry = a\ndefault = b\n",
              "default: 'b' is no entry of this menu; add it, or name another"},
        Wrong{"Long", std::string(65'537, 'x'), "the file is longer than 64 KiB; a target needs a few lines"},
        Wrong{"LongValue", "type = disk\ntitle = " + std::string(4'097, 'x'),
              "line 2: title is longer than 4096 octets; shorten it"}),
    [](const auto& tested) { return tested.param.name; });

TEST(BootTarget, NamesAreFileNames) {
    EXPECT_TRUE(parse_boot_target("debian-12.1_x", "type = disk"));
    for (const std::string name : {"", ".hidden", "a b", "a/b", "é"}) {
        EXPECT_FALSE(parse_boot_target(name, "type = disk")) << name;
    }
}

BootTarget menu(const std::string& name, std::vector<std::string> entries) {
    BootTarget target;
    target.name = name;
    target.kind = TargetKind::menu;
    target.entries = std::move(entries);
    return target;
}

BootTarget disk(const std::string& name) {
    BootTarget target;
    target.name = name;
    return target;
}

TEST(BootTargets, MenusThatLeadNowhereAreLeftOut) {
    std::vector<base::Error> problems;
    const auto targets =
        BootTargets::build({menu("round", {"back"}), menu("back", {"round"}), menu("self", {"self"}),
                            menu("gone", {"disk", "nothing"}), menu("good", {"deep", "disk"}),
                            menu("deep", {"disk"}), menu("over", {"gone"}), disk("disk")},
                           problems);
    std::vector<std::string> kept;
    for (const BootTarget& target : targets.all()) kept.push_back(target.name);
    EXPECT_EQ(kept, (std::vector<std::string>{"deep", "disk", "good"}));
    std::vector<std::string> said;
    for (const base::Error& problem : problems) said.push_back(problem.text());
    const std::string round = "the menu leads back to itself; correct its entries";
    const std::string nowhere = "there is no target 'nothing' for its entry; correct its entries";
    const auto over = [](const std::string& entry) { return "its entry '" + entry + "' cannot be shown: "; };
    EXPECT_EQ(said,
              (std::vector<std::string>{"back: " + over("round") + over("back") + round, "gone: " + nowhere,
                                        "over: " + over("gone") + nowhere, "round: " + over("back") + round,
                                        "self: " + over("self") + round}));
}

TEST(BootTargets, OneNameIsOneTarget) {
    std::vector<base::Error> problems;
    const auto targets = BootTargets::build({disk("a"), disk("a"), disk("b")}, problems);
    EXPECT_EQ(targets.all().size(), 2U);
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_EQ(problems[0].text(), "a: there are two targets of this name; rename one of the files");
    EXPECT_NE(targets.find("b"), nullptr);
    EXPECT_EQ(targets.find("c"), nullptr);
}

}  // namespace
}  // namespace pomona::model
