#include "app/settings.hpp"

#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace pomona::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SettingsSources : public testing::Test {
  protected:
    base::Result<Settings> read() { return read_settings(sources_); }
    Settings good() {
        const auto settings = read();
        if (!settings) throw std::runtime_error(settings.error().text());
        return *settings;
    }
    std::string error() {
        const auto settings = read();
        return settings ? "no error" : settings.error().text();
    }
    void file(std::string_view text) { sources_.config_file = folder_.write("pomona.conf", text); }
    void flag(const std::string& name, const std::string& value) {
        sources_.flags.push_back({name, value, "flag --" + name});
    }
    void variable(const std::string& assignment) { sources_.environment.push_back(assignment); }
    std::string config() const { return folder_ / "pomona.conf"; }

    tests::TemporaryFolder folder_;
    SettingSources sources_{
        .flags = {}, .environment = {}, .config_file = {}, .default_file = folder_ / "default.conf"};
};

TEST_F(SettingsSources, WithoutAnyTheDefaultsHold) {
    const Settings settings = good();
    EXPECT_EQ(settings.tftp_port, 69);
    EXPECT_THAT(settings.image_roots, ElementsAre(ImageRoot{"NetBootSP0", "/srv/netboot/NetBootSP0"}));
    EXPECT_EQ(settings.source_of("tftp-port"), "default");
}

TEST_F(SettingsSources, ServerNameIsTheHostsUnlessSet) {
    char host[64] = {};
    ASSERT_EQ(::gethostname(host, sizeof host - 1), 0);
    EXPECT_EQ(good().server_name, host);
    flag("server-name", "boot");
    EXPECT_EQ(good().server_name, "boot");
}

TEST_F(SettingsSources, FlagsBeatVariablesBeatFiles) {
    file("tftp-port = 1001\nmax-machines = 1\nremember-days = 1\n");
    variable("POMONA_TFTP_PORT=1002");
    variable("POMONA_MAX_MACHINES=2");
    flag("tftp-port", "1003");
    const Settings settings = good();
    EXPECT_EQ(settings.tftp_port, 1003);
    EXPECT_EQ(settings.max_machines, 2U);
    EXPECT_EQ(settings.remember_days, 1U);
    EXPECT_EQ(settings.source_of("tftp-port"), "flag --tftp-port");
    EXPECT_EQ(settings.source_of("max-machines"), "variable POMONA_MAX_MACHINES");
    EXPECT_EQ(settings.source_of("remember-days"), config() + " line 3");
    EXPECT_EQ(settings.source_of("user"), "default");
}

TEST_F(SettingsSources, AListReplacesTheWeakerList) {
    file("interface = a\ninterface = b\n");
    EXPECT_THAT(good().interfaces, ElementsAre("a", "b"));
    EXPECT_EQ(good().source_of("interface"), config() + " line 1, " + config() + " line 2");
    variable("POMONA_INTERFACE=c, d  e,");
    EXPECT_THAT(good().interfaces, ElementsAre("c", "d", "e"));
    EXPECT_EQ(good().source_of("interface"), "variable POMONA_INTERFACE");
    flag("interface", "f");
    EXPECT_THAT(good().interfaces, ElementsAre("f"));
}

TEST_F(SettingsSources, TheCommaOfAModelPartsNoList) {
    variable("POMONA_IA32_MODEL=iMac7,1,MacBook3,*, Clone9,9");
    EXPECT_THAT(good().ia32_models, ElementsAre("iMac7,1", "MacBook3,*", "Clone9,9"));
    EXPECT_THAT(good().x64_models, IsEmpty());
}

TEST_F(SettingsSources, AnEmptyValueEmptiesAList) {
    file("interface = a\ninterface =\ninterface = b\n");
    EXPECT_THAT(good().interfaces, ElementsAre("b"));
    variable("POMONA_INTERFACE=");
    EXPECT_THAT(good().interfaces, IsEmpty());
}

TEST_F(SettingsSources, DropInsOverrideTheFileAndAddToItsLists) {
    file("tftp-port = 1001\ninterface = a\n");
    (void)folder_.write("pomona.conf.d/50-more.conf", "tftp-port = 1002\ninterface = b\n");
    const Settings settings = good();
    EXPECT_EQ(settings.tftp_port, 1002);
    EXPECT_THAT(settings.interfaces, ElementsAre("a", "b"));
    EXPECT_EQ(settings.source_of("tftp-port"), folder_ / "pomona.conf.d/50-more.conf" + " line 1");
}

TEST_F(SettingsSources, TheDefaultFileIsReadIfItExists) {
    (void)folder_.write("default.conf", "tftp-port = 1001\n");
    EXPECT_EQ(good().tftp_port, 1001);
}

TEST_F(SettingsSources, TheFileCanBeNamedByAVariable) {
    (void)folder_.write("default.conf", "tftp-port = 1001\n");
    variable("POMONA_CONFIG=" + folder_.write("other.conf", "tftp-port = 1002\n"));
    EXPECT_EQ(good().tftp_port, 1002);
    file("tftp-port = 1003\n");
    EXPECT_EQ(good().tftp_port, 1003);
}

TEST_F(SettingsSources, ImageRootsGetNamesByTheirPlace) {
    flag("image-root", "/a");
    flag("image-root", "More=/b/");
    flag("image-root", "/c/../d=e");
    EXPECT_THAT(good().image_roots, ElementsAre(ImageRoot{"NetBootSP0", "/a"}, ImageRoot{"More", "/b"},
                                                ImageRoot{"NetBootSP2", "/d=e"}));
}

TEST_F(SettingsSources, RelativePathsAreMadeAbsolute) {
    flag("image-root", "images");
    EXPECT_EQ(good().image_roots.at(0).path, std::filesystem::current_path() / "images");
}

TEST_F(SettingsSources, OtherVariablesAreNotOurs) {
    variable("PATH=/bin");
    variable("POMONASOMETHING=1");
    EXPECT_EQ(error(), "no error");
}

TEST_F(SettingsSources, ErrorsNameTheFlag) {
    flag("tftp-port", "x");
    EXPECT_EQ(error(), "tftp-port (flag --tftp-port): 'x' is not a number from 1 to 65535; use one");
}

TEST_F(SettingsSources, ErrorsNameTheVariable) {
    variable("POMONA_TFTP_PORT=x\ny");
    EXPECT_EQ(error(),
              "tftp-port (variable POMONA_TFTP_PORT): 'x\\x0ay' is not a number from 1 to 65535; use one");
}

TEST_F(SettingsSources, ErrorsNameFileAndLine) {
    file("\n# comment\ntftp-port = x\n");
    EXPECT_EQ(error(), "tftp-port (" + config() + " line 3): 'x' is not a number from 1 to 65535; use one");
}

TEST_F(SettingsSources, AWrongValueIsWrongAlsoWhenReplaced) {
    file("tftp-port = x\n");
    flag("tftp-port", "69");
    EXPECT_THAT(error(), HasSubstr("line 1): 'x' is not"));
}

TEST_F(SettingsSources, UnknownNamesInFiles) {
    file("tftp-prot = 69\n");
    EXPECT_EQ(error(), config() + " line 1: there is no setting 'tftp-prot'; did you mean tftp-port?");
    file("colour = blue\n");
    EXPECT_EQ(error(), config() +
                           " line 1: there is no setting 'colour'; remove the line; 'pomona serve --help' "
                           "lists the settings");
}

TEST_F(SettingsSources, UnknownVariables) {
    variable("POMONA_TFTPROOT=/srv");
    EXPECT_EQ(error(),
              "variable 'POMONA_TFTPROOT': there is no setting of that name; did you mean POMONA_TFTP_ROOT?");
}

TEST_F(SettingsSources, AValueTwiceInOneFile) {
    file("tftp-port = 69\ntftp-port = 70\n");
    EXPECT_EQ(error(),
              "tftp-port (" + config() + " line 2): it stands twice in this file; remove one of the lines");
}

TEST_F(SettingsSources, ANamedFileMustExist) {
    sources_.config_file = folder_ / "none";
    EXPECT_EQ(error(),
              "config (flag --config): " + folder_ / "none" +
                  ": it cannot be read (No such file or directory); name a file that this user may read");
    sources_.config_file.reset();
    variable("POMONA_CONFIG=");
    EXPECT_EQ(error(), "config (variable POMONA_CONFIG): its value is empty; name a file");
}

struct Clash {
    const char* name;
    std::vector<GivenSetting> flags;
    const char* error;
};

class Clashes : public testing::TestWithParam<Clash> {};

TEST_P(Clashes, AreNamed) {
    const tests::TemporaryFolder folder;
    std::vector<GivenSetting> flags = GetParam().flags;
    for (GivenSetting& given : flags) given.source = "flag --" + given.name;
    const auto settings = read_settings(
        {.flags = flags, .environment = {}, .config_file = {}, .default_file = folder / "none"});
    EXPECT_EQ(settings ? "no error" : settings.error().text(), GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, Clashes,
    testing::ValuesIn(std::vector<Clash>{
        Clash{"ExternalWithRoot", {{"tftp", "external", ""}, {"tftp-root", "/srv/tftp", ""}}, "no error"},
        Clash{"ExternalWithoutRoot",
              {{"tftp", "external", ""}},
              "tftp (flag --tftp): external needs the root folder of that TFTP server; set tftp-root, as in "
              "tftp-root=/srv/tftp"},
        Clash{"NoRoots",
              {{"image-root", "", ""}},
              "image-root (flag --image-root): the list is empty; name a folder of images"},
        Clash{"RootNames",
              {{"image-root", "A=/a", ""}, {"image-root", "A=/b", ""}},
              "image-root (flag --image-root): '/a' and '/b' are both named A; give one another name, as in "
              "Other=/b"},
        Clash{"RootNameByPlace",
              {{"image-root", "NetBootSP1=/a", ""}, {"image-root", "/b", ""}},
              "image-root (flag --image-root): '/a' and '/b' are both named NetBootSP1; give one another "
              "name, as in "
              "Other=/b"},
        Clash{"RootPaths",
              {{"image-root", "/a", ""}, {"image-root", "/a/", ""}},
              "image-root (flag --image-root): '/a' is given twice; remove one of them"},
        Clash{"RangeAndSinglePort",
              {{"tftp-port-range", "5000-5009", ""}, {"tftp-single-port", "on", ""}},
              "tftp-port-range (flag --tftp-port-range): it has no use together with tftp-single-port (flag "
              "--tftp-single-port); remove one of the two"},
        Clash{"RangeHoldsPort",
              {{"tftp-port-range", "60-70", ""}},
              "tftp-port-range (flag --tftp-port-range): the range holds tftp-port 69; choose another range"},
        Clash{"Transfers",
              {{"tftp-max-transfers", "5", ""}, {"tftp-max-transfers-per-client", "6", ""}},
              "tftp-max-transfers-per-client (flag --tftp-max-transfers-per-client): it is more than "
              "tftp-max-transfers, 5; lower it, or raise tftp-max-transfers"},
        Clash{"TransfersLoweredAlone", {{"tftp-max-transfers", "5", ""}}, "no error"},
        Clash{"PoolsOverlap",
              {{"bootp-pool", "10.0.1.200-10.0.1.220", ""}, {"bootp-pool", "10.0.1.220", ""}},
              "bootp-pool (flag --bootp-pool): 10.0.1.200-10.0.1.220 and 10.0.1.220-10.0.1.220 overlap; "
              "shorten one of "
              "them"},
        Clash{"HostTwice",
              {{"host", "40:6c:8f:37:95:27 10.0.1.50", ""}, {"host", "406c8f379527 10.0.1.51", ""}},
              "host (flag --host): 40:6c:8f:37:95:27 has two addresses, 10.0.1.50 and 10.0.1.51; remove one "
              "of the "
              "entries"},
        Clash{"AddressTwice",
              {{"host", "40:6c:8f:37:95:27 10.0.1.50", ""}, {"host", "40:6c:8f:37:95:28 10.0.1.50", ""}},
              "host (flag --host): 10.0.1.50 is given to two machines, 40:6c:8f:37:95:27 and "
              "40:6c:8f:37:95:28; give "
              "one of them another address"},
        Clash{"AllowedAndDenied",
              {{"allow-mac", "40:6c:8f:37:95:27", ""}, {"deny-mac", "406c8f379527", ""}},
              "deny-mac (flag --deny-mac): 40:6c:8f:37:95:27 is also in allow-mac (flag --allow-mac); remove "
              "it from "
              "one of the lists"}}),
    [](const auto& tested) { return tested.param.name; });

TEST(Bootptab, JoinsTheHostsOfTheSettings) {
    const tests::TemporaryFolder folder;
    const std::string table = folder / "bootptab";
    const auto read = [&](const std::string& text) {
        std::ofstream(table) << text;
        return read_settings({.flags = {{"host", "40:6c:8f:37:95:27 10.0.1.50", "flag --host"},
                                        {"bootptab", table, "flag --bootptab"}},
                              .environment = {},
                              .config_file = {},
                              .default_file = folder / "none"});
    };
    const auto settings = read("%%\nimac8 1 40:6c:8f:37:95:28 10.0.1.51\n");
    ASSERT_TRUE(settings) << settings.error().text();
    ASSERT_EQ(settings->hosts.size(), 2U);
    EXPECT_EQ(settings->hosts[1].name, "imac8");
    EXPECT_EQ(read("%%\nimac8 1 40:6c:8f:37:95:27 10.0.1.51\n").error().text(),
              "bootptab (flag --bootptab): 40:6c:8f:37:95:27 has two addresses, 10.0.1.50 and 10.0.1.51; "
              "remove one of the "
              "entries");
    EXPECT_EQ(
        read("%%\nimac8\n").error().text(),
        "bootptab (flag --bootptab): " + table +
            " line 2: it has 1 words; write name, hardware type 1, MAC, address and, if any, boot file");
    std::filesystem::remove(table);
    EXPECT_EQ(
        read_settings({.flags = {{"bootptab", table, "flag --bootptab"}},
                       .environment = {},
                       .config_file = {},
                       .default_file = folder / "none"})
            .error()
            .text(),
        "bootptab (flag --bootptab): " + table +
            " cannot be read: No such file or directory; name a file that is there, or remove the setting");
}

}  // namespace
}  // namespace pomona::app
