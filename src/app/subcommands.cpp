#include "app/subcommands.hpp"

#include "app/setting_table.hpp"

#include <algorithm>
#include <array>

namespace pomona::app {

namespace {

constexpr Flag json{
    .name = "json", .value_name = "", .help = "print JSON for programs instead of text for people"};

constexpr std::array serve_examples{
    Example{"pomona serve", "serve every suitable interface with the settings of /etc/pomona/pomona.conf"},
    Example{"pomona serve --interface eth0 --image-root /nbi", "serve one network with the images of /nbi"},
    Example{"pomona serve --tftp external --tftp-root /srv/tftp", "leave the files to tftpd-hpa or dnsmasq"},
};

constexpr std::array check_flags{json};
constexpr std::array check_examples{
    Example{"pomona check", "would the daemon work as it is set up?"},
    Example{"pomona check --interface eth0", "and on this interface?"},
};

constexpr std::array probe_flags{
    Flag{.name = "interface",
         .value_name = "NAME",
         .help = "the network to ask; always needed",
         .example = "eth0",
         .completes = Completes::interface},
    Flag{.name = "mac",
         .value_name = "MAC",
         .help =
             "the MAC address to play; otherwise a random one, or the interface's together with its address",
         .example = "40:6c:8f:37:95:27"},
    Flag{.name = "model",
         .value_name = "MODEL",
         .help = "the model to play; otherwise iMac12,1",
         .example = "Macmini5,1"},
    Flag{.name = "arch",
         .value_name = "i386|ppc",
         .help = "the architecture to play; otherwise i386",
         .example = "i386",
         .completes = Completes::choices,
         .choices = "i386|ppc"},
    Flag{.name = "dhcp", .value_name = "", .help = "lease an address first, as a Mac does"},
    Flag{
        .name = "address",
        .value_name = "ADDRESS/BITS",
        .help = "the address to use, with the length of its network's prefix; otherwise that of this machine",
        .example = "10.0.1.50/24"},
    Flag{.name = "router",
         .value_name = "ADDRESS",
         .help = "the router to servers on other networks",
         .example = "10.0.1.1"},
    Flag{.name = "reply-port",
         .value_name = "PORT",
         .help = "ask for answers to this port, as Startup Disk does",
         .example = "997"},
    Flag{.name = "filter",
         .value_name = "HEX",
         .help = "list only images with these upper 16 bits of the id",
         .example = "0x8100",
         .repeatable = true},
    Flag{.name = "select",
         .value_name = "ID|default",
         .help = "choose an image of the list",
         .example = "default",
         .completes = Completes::choices,
         .choices = "default"},
    Flag{.name = "download",
         .value_name = "",
         .help = "fetch the chosen image's boot file and print its SHA-256; chooses the default unless told"},
    Flag{.name = "timeout",
         .value_name = "SECONDS",
         .help = "how long to wait for answers; otherwise 3",
         .example = "10"},
    json,
};
constexpr std::array probe_examples{
    Example{"pomona probe --interface eth0", "which servers answer, and with which images?"},
    Example{"pomona probe --interface eth0 --mac 02:00:00:00:00:01 --dhcp --download",
            "do all that a new Mac does, from DHCP to the last byte"},
    Example{"pomona probe --interface eth0 --model MacBookAir4,1", "does this model see its image?"},
};

constexpr std::array image_flags{
    Flag{.name = "x64",
         .value_name = "FILE",
         .help = "make: the EFI program for Macs with 64-bit EFI",
         .example = "grubnetx64.efi",
         .completes = Completes::file},
    Flag{.name = "ia32",
         .value_name = "FILE",
         .help =
             "make: the EFI program for Macs with 32-bit EFI; together with --x64 both become one universal "
             "file",
         .example = "grubnetia32.efi",
         .completes = Completes::file},
    Flag{.name = "separate",
         .value_name = "",
         .help = "make: keep the two programs as two files; the model of the Mac decides which one it gets"},
    Flag{.name = "title",
         .value_name = "TEXT",
         .help = "make: what the Mac shows below the icon; otherwise NAME",
         .example = "GRUB 2"},
    Flag{.name = "index",
         .value_name = "NUMBER",
         .help = "make: the index; otherwise a free one from 4097 on",
         .example = "4100"},
    Flag{.name = "install",
         .value_name = "",
         .help = "make: list it with the installers, the default: firmware is reported to start these"},
    Flag{.name = "no-install", .value_name = "", .help = "make: list it with the systems"},
    Flag{.name = "default", .value_name = "", .help = "make: a Mac that is not asked starts this one"},
    Flag{.name = "model",
         .value_name = "MODEL",
         .help = "make: show it to this model only; may be given several times",
         .example = "iMac12,1",
         .repeatable = true},
    Flag{.name = "add",
         .value_name = "PATH",
         .help = "make: copy this folder or file into the image, such as GRUB's modules",
         .example = "./grub",
         .completes = Completes::file,
         .repeatable = true},
    Flag{.name = "script",
         .value_name = "FILE",
         .help = "make: the script that iPXE is told to load, a file inside the image that --add puts there",
         .example = "ipxe/boot.ipxe"},
    Flag{.name = "replace", .value_name = "", .help = "make: put it in the place of an image of that name"},
    Flag{.name = "output",
         .value_name = "FOLDER",
         .help = "make: where the folder is made; otherwise in the first image root",
         .example = "/tmp",
         .completes = Completes::folder},
    json,
};
constexpr std::array image_actions{
    Action{"list", "", "print every image of the image roots, and to which Macs it is shown"},
    Action{"check", "[FOLDER]",
           "print what is wrong with the images, which file and key it is, and what to do"},
    Action{"show", "IMAGE",
           "explain one image, named by its folder, name, index or id, or a folder elsewhere"},
    Action{"make", "NAME", "write an image folder around an EFI program such as GRUB's or iPXE's"},
};
constexpr std::array image_examples{
    Example{"pomona image list", "what is published?"},
    Example{"pomona image check /tmp/new.nbi", "is this folder ready to be published?"},
    Example{"pomona image make grub --x64 grubnetx64.efi --ia32 grubnetia32.efi --default",
            "publish GRUB for Intel Macs of both widths"},
    Example{"pomona image show grub.nbi", "what is in it, and who sees it?"},
};

constexpr std::array machine_actions{
    Action{"list", "", "print every remembered Mac with its image"},
    Action{"show", "MAC", "print all that is known of one Mac, and what to do at it to start it from here"},
    Action{"select", "MAC IMAGE", "choose an image for a Mac, by its id, its name or its folder"},
    Action{"forget", "MAC", "forget a Mac and its choice"},
};
constexpr std::array machine_flags{
    Flag{.name = "model",
         .value_name = "MODEL",
         .help = "mean only the record of this model; adapters carry one MAC from Mac to Mac",
         .example = "MacBookAir4,1"},
    json,
};
constexpr std::array machine_examples{
    Example{"pomona machine list", "who was here?"},
    Example{"pomona machine select 40:6c:8f:37:95:27 ubuntu.nbi", "this Mac starts Ubuntu from now on"},
};

constexpr std::array completion_actions{
    Action{"bash", "", "print completion for bash"},
};
constexpr std::array completion_examples{
    Example{"source <(pomona completion bash)", "complete in this shell"},
};

constexpr std::array table{
    Subcommand{.name = "serve",
               .summary = "Answer Macs that look for something to start from",
               .description = "Runs in the foreground beside any DHCP server. A Mac held on Option sees the "
                              "images of the image "
                              "roots; its choice is remembered, and its boot file is sent by TFTP.\n"
                              "Starts as root, opens its ports, then becomes an unprivileged user. SIGHUP "
                              "reads the images again; "
                              "SIGTERM ends it.",
               .actions = {},
               .flags = {},
               .settings = "*",
               .examples = serve_examples},
    Subcommand{
        .name = "check",
        .summary = "Say what would not work, why, and what to do",
        .description =
            "Looks at settings, images, ports, privileges, interfaces and folders without changing "
            "anything. Run it as root to see all that matters. Takes the settings of 'pomona serve'. The "
            "exit code is 1 if there is an error.",
        .actions = {},
        .flags = check_flags,
        .settings = "*",
        .examples = check_examples},
    Subcommand{.name = "probe",
               .summary = "Act as a Mac and print what the servers on a network answer",
               .description =
                   "Lists all servers that answer and their images as a Mac would show them; chooses one and "
                   "downloads its boot file if asked to. Warns of servers whose images clash. Needs root.",
               .actions = {},
               .flags = probe_flags,
               .settings = {},
               .examples = probe_examples},
    Subcommand{.name = "image",
               .summary = "List, check, explain and make images",
               .description =
                   "Reads the images as the daemon does. The exit code of check is 1 if there is an "
                   "error.",
               .actions = image_actions,
               .flags = image_flags,
               .settings = "image-root|image-order|honour-disabled-models|ia32-model|x64-model",
               .examples = image_examples},
    Subcommand{.name = "machine",
               .summary = "List the remembered Macs, choose their images, forget them",
               .description =
                   "Speaks with the running daemon through its control socket, or reads what it kept "
                   "when it does not run.",
               .actions = machine_actions,
               .flags = machine_flags,
               .settings = "control-socket|state-dir|image-root|ia32-model|x64-model",
               .examples = machine_examples},
    Subcommand{.name = "completion",
               .summary = "Print shell completion",
               .description = "A package installs it where shells find it; this is for all others.",
               .actions = completion_actions,
               .flags = {},
               .settings = {},
               .examples = completion_examples},
    Subcommand{.name = "version",
               .summary = "Print the version",
               .description = {},
               .actions = {},
               .flags = {},
               .settings = {},
               .examples = {}},
};

constexpr Flag config{.name = "config",
                      .value_name = "FILE",
                      .help = "read settings from FILE and FILE.d/*.conf; otherwise /etc/pomona/pomona.conf",
                      .example = "/etc/pomona/lab.conf",
                      .completes = Completes::file};
constexpr Flag help{.name = "help", .value_name = "", .help = "print this help"};

}  // namespace

std::span<const Subcommand> subcommand_table() {
    return table;
}

const Subcommand* find_subcommand(std::string_view name) {
    const auto* const found = std::ranges::find(table, name, &Subcommand::name);
    return found == table.end() ? nullptr : found;
}

std::vector<std::string_view> subcommand_names() {
    std::vector<std::string_view> names;
    names.reserve(table.size());
    for (const Subcommand& subcommand : table) names.push_back(subcommand.name);
    return names;
}

const Flag& config_flag() {
    return config;
}

std::vector<Flag> flags_of(const Subcommand& subcommand) {
    std::vector<Flag> flags(subcommand.flags.begin(), subcommand.flags.end());
    if (!subcommand.settings.empty()) {
        const std::vector<std::string_view> names = choices_of(subcommand.settings);
        for (const Setting& setting : setting_table()) {
            const bool taken = subcommand.settings == "*" || std::ranges::count(names, setting.name()) != 0;
            if (taken) flags.push_back(setting.flag);
        }
        flags.push_back(config);
    }
    flags.push_back(help);
    return flags;
}

}  // namespace pomona::app
