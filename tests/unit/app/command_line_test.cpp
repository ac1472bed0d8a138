#include "app/command_line.hpp"

#include "app/subcommands.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

namespace pomona::app {
namespace {

using testing::ElementsAre;
using testing::Optional;
using testing::StartsWith;

base::Result<Command> parse(const std::vector<std::string>& arguments,
                            const std::vector<std::string>& environment = {}) {
    return parse_command_line(arguments, environment, "/nonexistent/pomona.conf");
}

template <typename T>
T parsed(const std::vector<std::string>& arguments) {
    const auto command = parse(arguments);
    if (!command) throw std::runtime_error(command.error().text());
    return std::get<T>(*command);
}

TEST(CommandLine, ServeTakesSettings) {
    const auto command =
        parsed<ServeCommand>({"serve", "--interface", "eth0", "--interface", "eth1", "--tftp=off"});
    EXPECT_THAT(command.settings.interfaces, ElementsAre("eth0", "eth1"));
    EXPECT_EQ(command.settings.tftp, TftpMode::off);
    EXPECT_EQ(command.settings.source_of("tftp"), "flag --tftp");
}

TEST(CommandLine, ServeReadsTheEnvironment) {
    const auto command = parse({"serve"}, {"POMONA_TFTP_PORT=6969"});
    ASSERT_TRUE(command);
    EXPECT_EQ(std::get<ServeCommand>(*command).settings.tftp_port, 6969);
}

TEST(CommandLine, CheckTakesSettingsAndJson) {
    const auto command = parsed<CheckCommand>({"check", "--json", "--user", ""});
    EXPECT_TRUE(command.json);
    EXPECT_EQ(command.settings.user, "");
}

TEST(CommandLine, ProbeWithDefaults) {
    const ProbeOptions options = parsed<ProbeCommand>({"probe", "--interface", "eth0"}).options;
    EXPECT_EQ(options.interface, "eth0");
    EXPECT_EQ(options.model, "iMac12,1");
    EXPECT_EQ(options.architecture, "i386");
    EXPECT_EQ(options.timeout, std::chrono::seconds(3));
    EXPECT_FALSE(options.mac || options.address || options.router || options.reply_port || options.filter);
    EXPECT_FALSE(options.dhcp || options.download || options.json);
    EXPECT_TRUE(std::holds_alternative<ProbeOptions::SelectNothing>(options.selection));
}

TEST(CommandLine, ProbeWithEverything) {
    const ProbeOptions options =
        parsed<ProbeCommand>({"probe", "--interface=eth0", "--mac=02:00:00:00:00:01", "--model=Macmini5,1",
                              "--arch=ppc", "--address=10.0.1.50/24", "--router=10.0.1.1", "--reply-port=997",
                              "--filter=0x8100", "--filter=100", "--select=0x81001001", "--download",
                              "--timeout=10", "--json"})
            .options;
    EXPECT_EQ(options.mac->text(), "02:00:00:00:00:01");
    EXPECT_EQ(options.model, "Macmini5,1");
    EXPECT_EQ(options.architecture, "ppc");
    EXPECT_EQ(options.address->text(), "10.0.1.50/24");
    EXPECT_EQ(options.router->text(), "10.0.1.1");
    EXPECT_EQ(options.reply_port, 997);
    EXPECT_THAT(options.filter, Optional(ElementsAre(0x8100, 0x100)));
    EXPECT_EQ(std::get<base::BootImageId>(options.selection).value(), 0x81001001U);
    EXPECT_TRUE(options.download);
    EXPECT_EQ(options.timeout, std::chrono::seconds(10));
    EXPECT_TRUE(options.json);
}

TEST(CommandLine, DownloadAloneChoosesTheDefault) {
    const ProbeOptions options =
        parsed<ProbeCommand>({"probe", "--interface=eth0", "--dhcp", "--download"}).options;
    EXPECT_TRUE(options.dhcp);
    EXPECT_TRUE(std::holds_alternative<ProbeOptions::SelectDefault>(options.selection));
}

TEST(CommandLine, ImageActions) {
    EXPECT_EQ(parsed<ImageCommand>({"image", "list"}).options.action, ImageOptions::Action::list);
    const auto check = parsed<ImageCommand>({"image", "check", "/srv/x", "--json", "--image-root", "/y"});
    EXPECT_EQ(check.options.action, ImageOptions::Action::check);
    EXPECT_EQ(check.options.folder, "/srv/x");
    EXPECT_TRUE(check.options.json);
    EXPECT_EQ(check.settings.image_roots.at(0).path, "/y");
    EXPECT_EQ(parsed<ImageCommand>({"image", "check"}).options.folder, std::nullopt);
    const auto show = parsed<ImageCommand>({"image", "show", "grub"});
    EXPECT_EQ(show.options.action, ImageOptions::Action::show);
    EXPECT_EQ(show.options.folder, "grub");

    const auto whole =
        parsed<ImageCommand>({"image",     "make",     "grub",     "--x64",        "a.efi",     "--ia32",
                              "b.efi",     "--index",  "4100",     "--no-install", "--default", "--model",
                              "iMac4,1",   "--model",  "iMac12,1", "--title",      "GRUB 2",    "--script",
                              "x/y.ipxe",  "--add",    "x",        "--add",        "z",         "--separate",
                              "--replace", "--output", "/tmp",     "--ia32-model", "MacBook3,1"});
    EXPECT_EQ(whole.options.action, ImageOptions::Action::make);
    const ImageMakeOptions& make = whole.options.make;
    EXPECT_EQ(make.name, "grub");
    EXPECT_EQ(make.x64, "a.efi");
    EXPECT_EQ(make.ia32, "b.efi");
    EXPECT_EQ(make.index, 4100);
    EXPECT_FALSE(make.is_install);
    EXPECT_TRUE(make.is_default);
    EXPECT_EQ(make.models, (std::vector<std::string>{"iMac4,1", "iMac12,1"}));
    EXPECT_EQ(make.title, "GRUB 2");
    EXPECT_EQ(make.script, "x/y.ipxe");
    EXPECT_EQ(make.additions, (std::vector<std::string>{"x", "z"}));
    EXPECT_TRUE(make.separate);
    EXPECT_TRUE(make.replace);
    EXPECT_EQ(make.output, "/tmp");
    EXPECT_EQ(whole.settings.ia32_models, (std::vector<std::string>{"MacBook3,1"}));
    const auto least = parsed<ImageCommand>({"image", "make", "grub", "--ia32", "b.efi"}).options.make;
    EXPECT_EQ(least.index, std::nullopt);
    EXPECT_TRUE(least.is_install);
    EXPECT_FALSE(least.is_default || least.separate || least.replace);
}

TEST(CommandLine, MachineActions) {
    EXPECT_EQ(parsed<MachineCommand>({"machine", "list"}).options.action, MachineOptions::Action::list);
    const auto show = parsed<MachineCommand>({"machine", "show", "406c.8f37.9527", "--model", "iMac12,1"});
    EXPECT_EQ(show.options.action, MachineOptions::Action::show);
    EXPECT_EQ(show.options.mac.text(), "40:6c:8f:37:95:27");
    EXPECT_EQ(show.options.model, "iMac12,1");
    const auto select = parsed<MachineCommand>({"machine", "select", "40:6c:8f:37:95:27", "ubuntu.nbi"});
    EXPECT_EQ(select.options.action, MachineOptions::Action::select);
    EXPECT_EQ(select.options.image, "ubuntu.nbi");
    EXPECT_EQ(parsed<MachineCommand>({"machine", "forget", "40:6c:8f:37:95:27"}).options.action,
              MachineOptions::Action::forget);
}

TEST(CommandLine, VersionHasThreeSpellings) {
    EXPECT_THAT(parsed<PrintCommand>({"version"}).text, testing::MatchesRegex("pomona [0-9.]+\n"));
    EXPECT_EQ(parsed<PrintCommand>({"--version"}).text, parsed<PrintCommand>({"version"}).text);
}

TEST(CommandLine, HelpIsHadWhateverElseIsWrong) {
    EXPECT_THAT(parsed<PrintCommand>({"--help"}).text, StartsWith("Usage: pomona SUBCOMMAND"));
    EXPECT_THAT(parsed<PrintCommand>({"-h"}).text, StartsWith("Usage: pomona SUBCOMMAND"));
    EXPECT_THAT(parsed<PrintCommand>({"help"}).text, StartsWith("Usage: pomona SUBCOMMAND"));
    EXPECT_THAT(parsed<PrintCommand>({"help", "probe"}).text, StartsWith("Usage: pomona probe"));
    EXPECT_THAT(parsed<PrintCommand>({"serve", "--wrong", "--help"}).text, StartsWith("Usage: pomona serve"));
    for (const Subcommand& subcommand : subcommand_table()) {
        const std::string name(subcommand.name);
        EXPECT_THAT(parsed<PrintCommand>({name, "--help"}).text, StartsWith("Usage: pomona " + name));
    }
}

TEST(CommandLine, EverySubcommandHasAParser) {
    for (const Subcommand& subcommand : subcommand_table()) {
        // Reaching its parser is enough; some want more arguments.
        (void)parse({std::string(subcommand.name), "--interface", "eth0"});
        std::vector<std::string> arguments{std::string(subcommand.name)};
        if (!subcommand.actions.empty()) arguments.emplace_back(subcommand.actions[0].name);
        if (subcommand.name == "probe") arguments.emplace_back("--interface=eth0");
        EXPECT_TRUE(parse(arguments)) << subcommand.name;
    }
}

struct Bad {
    const char* name;
    std::vector<std::string> arguments;
    const char* error;
};

class BadCommandLine : public testing::TestWithParam<Bad> {};

TEST_P(BadCommandLine, IsOneLine) {
    const auto command = parse(GetParam().arguments);
    ASSERT_FALSE(command);
    EXPECT_EQ(command.error().text(), GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, BadCommandLine,
    testing::ValuesIn(std::vector<Bad>{
        Bad{"Nothing", {}, "no subcommand was given; 'pomona --help' shows what there is"},
        Bad{"Misspelt", {"sreve"}, "there is no subcommand 'sreve'; did you mean serve?"},
        Bad{"Unknown", {"xyzzyx"}, "there is no subcommand 'xyzzyx'; 'pomona --help' shows what there is"},
        Bad{"FlagFirst",
            {"--interface"},
            "there is no subcommand '--interface'; 'pomona --help' shows what there is"},
        Bad{"UnknownFlag",
            {"serve", "--tftp-prot", "1"},
            "flag --tftp-prot: there is no such flag; did you mean --tftp-port?"},
        Bad{"SettingOfAnother",
            {"image", "list", "--tftp-port", "1"},
            "flag --tftp-port: there is no such flag; --help lists all flags"},
        Bad{"Word",
            {"serve", "eth0"},
            "serve: it does not understand 'eth0'; 'pomona serve --help' shows the usage"},
        Bad{"BadSetting",
            {"serve", "--tftp-port", "x"},
            "tftp-port (flag --tftp-port): 'x' is not a number from 1 to 65535; use one"},
        Bad{"ShowWithoutAnImage",
            {"image", "show"},
            "image show: it needs IMAGE; 'pomona image --help' shows the usage"},
        Bad{"MakeWithoutAName",
            {"image", "make", "--x64", "a"},
            "image make: it needs NAME; 'pomona image --help' shows the usage"},
        Bad{"MakeWithoutAProgram",
            {"image", "make", "grub"},
            "image make: no program was given; name it with --x64, and the one for 32-bit EFI with --ia32"},
        Bad{"SeparateAlone",
            {"image", "make", "grub", "--x64", "a", "--separate"},
            "flag --separate: there is only one program; give both --x64 and --ia32"},
        Bad{"InstallAndNot",
            {"image", "make", "grub", "--x64", "a", "--install", "--no-install"},
            "flag --no-install: it contradicts --install; leave one of them out"},
        Bad{"IndexTooLarge",
            {"image", "make", "grub", "--x64", "a", "--index", "65536"},
            "flag --index: '65536' is no index; use a number from 1 to 65535"},
        Bad{"MakeForNoModel",
            {"image", "make", "grub", "--x64", "a", "--model", "a/b"},
            "flag --model: 'a/b' is no model of a Mac; write it like iMac12,1"},
        Bad{"CheckWithAFlagOfMake",
            {"image", "check", "--x64", "a"},
            "flag --x64: it belongs to image make; leave it out"},
        Bad{"OneModelOfBothWidths",
            {"image", "list", "--ia32-model", "iMac*", "--x64-model", "iMac*"},
            "ia32-model (flag --ia32-model): 'iMac*' is also an x64-model (flag --x64-model); remove it from "
            "one of "
            "the two"},
        Bad{"NoAction", {"image"}, "image: it needs to know what to do; use one of: list, check, show, make"},
        Bad{"UnknownAction",
            {"machine", "selct"},
            "machine: it does not understand 'selct'; did you mean select?"},
        Bad{"TooFewWords",
            {"machine", "select", "40:6c:8f:37:95:27"},
            "machine select: it needs MAC IMAGE; 'pomona machine --help' shows the usage"},
        Bad{"TooManyWords",
            {"machine", "list", "x"},
            "machine list: it does not understand 'x'; 'pomona machine --help' shows the usage"},
        Bad{"BadMac",
            {"machine", "show", "x"},
            "machine show: 'x' is no MAC address; write it like 40:6c:8f:37:95:27"},
        Bad{"ProbeWithoutInterface",
            {"probe"},
            "flag --interface: it is missing; name the network, as in --interface eth0"},
        Bad{"ProbeInterface",
            {"probe", "--interface", "a/b"},
            "flag --interface: 'a/b' is no name of an interface; 'ip link' lists the names"},
        Bad{"ProbeMulticast",
            {"probe", "--interface=e", "--mac=ff:ff:ff:ff:ff:ff"},
            "flag --mac: ff:ff:ff:ff:ff:ff is not the address of one machine; write it like "
            "40:6c:8f:37:95:27"},
        Bad{"ProbeModel",
            {"probe", "--interface=e", "--model=a/b"},
            "flag --model: 'a/b' is no model of a Mac; write it like iMac12,1"},
        Bad{"ProbeArch",
            {"probe", "--interface=e", "--arch=arm"},
            "flag --arch: 'arm' is no architecture; use i386 or ppc"},
        Bad{"ProbeDhcpAndAddress",
            {"probe", "--interface=e", "--dhcp", "--address=10.0.0.1/8"},
            "flag --address: it has no use together with --dhcp; leave one of them out"},
        Bad{"ProbeFilter",
            {"probe", "--interface=e", "--filter=12345"},
            "flag --filter: '12345' is not the upper half of an image id; use up to four hex digits, as in "
            "0x8100"},
        Bad{"ProbeSelect",
            {"probe", "--interface=e", "--select=first"},
            "flag --select: 'first' is no image id; use an id like 0x81001001, or default"},
        Bad{"ProbePort",
            {"probe", "--interface=e", "--reply-port=0"},
            "flag --reply-port: '0' is no port; use a number from 1 to 65535"},
        Bad{"ProbeTimeout",
            {"probe", "--interface=e", "--timeout=601"},
            "flag --timeout: '601' is no time to wait; use a number of seconds from 1 to 600"}}),
    [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace pomona::app
