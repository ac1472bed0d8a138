#include "app/command_line.hpp"

#include "app/bash_completion.hpp"
#include "app/flag.hpp"
#include "app/help.hpp"
#include "app/setting_table.hpp"
#include "app/subcommands.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

namespace pomona::app {

namespace {

using base::fail;
using base::Result;

/// What was given, sorted by who wants it.
struct Given {
    const Subcommand* subcommand = nullptr;
    std::vector<GivenFlag> own;
    SettingSources sources;
    std::vector<std::string> words;

    [[nodiscard]] const std::string* value(std::string_view flag) const {
        const auto found = std::ranges::find(own, flag, &GivenFlag::name);
        return found == own.end() ? nullptr : &found->value;
    }
    [[nodiscard]] bool has(std::string_view flag) const { return value(flag) != nullptr; }
};

std::string flag_place(std::string_view flag) {
    return "flag --" + std::string(flag);
}

/// A flag's value by a parser that yields an optional; nullopt if the flag was not given.
template <typename T>
Result<std::optional<T>> parsed(const Given& given, std::string_view flag,
                                std::optional<T> (*parse)(std::string_view), std::string_view is_not,
                                std::string_view remedy) {
    const std::string* text = given.value(flag);
    if (text == nullptr) return std::optional<T>();
    std::optional<T> value = parse(*text);
    if (!value) {
        return fail(in_quotes(*text) + " is " + std::string(is_not), flag_place(flag), std::string(remedy));
    }
    return value;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
    return port;
}

std::optional<std::uint16_t> parse_attributes(std::string_view text) {
    if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
    std::uint16_t attributes = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), attributes, 16);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return attributes;
}

std::optional<std::chrono::seconds> parse_timeout(std::string_view text) {
    constexpr int longest = 600;
    int seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    if (!whole || seconds < 1 || seconds > longest) return std::nullopt;
    return std::chrono::seconds(seconds);
}

std::optional<ProbeOptions::Selection> parse_selection(std::string_view text) {
    if (text == "default") return ProbeOptions::SelectDefault{};
    if (const auto id = base::BootImageId::parse(text)) return *id;
    return std::nullopt;
}

/// The class string `AAPLBSDPC/i386/iMac12,1` must stay one, and short enough for one option.
std::optional<std::string> parse_model(std::string_view text) {
    const bool fits = !text.empty() && text.size() <= 64 &&
                      std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f && c != '/'; });
    return fits ? std::optional<std::string>(text) : std::nullopt;
}

std::optional<std::string> parse_architecture(std::string_view text) {
    return text == "i386" || text == "ppc" ? std::optional<std::string>(text) : std::nullopt;
}

constexpr std::string_view mac_remedy = "write it like 40:6c:8f:37:95:27";
constexpr std::string_view model_remedy = "write it like iMac12,1";

Result<Command> probe(const Given& given) {
    ProbeOptions options;
    const std::string* interface = given.value("interface");
    if (interface == nullptr) {
        return fail("it is missing", flag_place("interface"), "name the network, as in --interface eth0");
    }
    if (const Setting* named = find_setting("interface"); named != nullptr) {
        Settings scratch;
        if (const Result<void> fits = named->assign(scratch, *interface); !fits) {
            return fail(fits.error().what, flag_place("interface"), fits.error().remedy);
        }
    }
    options.interface = *interface;

    const auto mac = parsed(given, "mac", &base::MacAddress::parse, "no MAC address", mac_remedy);
    if (!mac) return std::unexpected(mac.error());
    if (*mac && (mac->value().is_multicast() || mac->value().is_zero())) {
        return fail(mac->value().text() + " is not the address of one machine", flag_place("mac"),
                    std::string(mac_remedy));
    }
    options.mac = *mac;

    const auto model = parsed(given, "model", &parse_model, "no model of a Mac", model_remedy);
    if (!model) return std::unexpected(model.error());
    options.model = model->value_or(options.model);

    const auto architecture =
        parsed(given, "arch", &parse_architecture, "no architecture", "use i386 or ppc");
    if (!architecture) return std::unexpected(architecture.error());
    options.architecture = architecture->value_or(options.architecture);

    options.dhcp = given.has("dhcp");
    const auto address = parsed(given, "address", &base::Ipv4Network::parse,
                                "no address with a prefix length", "write it like 10.0.1.50/24");
    if (!address) return std::unexpected(address.error());
    options.address = *address;
    if (options.dhcp && options.address) {
        return fail("it has no use together with --dhcp", flag_place("address"), "leave one of them out");
    }

    const auto router =
        parsed(given, "router", &base::Ipv4Address::parse, "no IPv4 address", "write it like 10.0.1.1");
    if (!router) return std::unexpected(router.error());
    options.router = *router;

    const auto port = parsed(given, "reply-port", &parse_port, "no port", "use a number from 1 to 65535");
    if (!port) return std::unexpected(port.error());
    options.reply_port = *port;

    for (const GivenFlag& flag : given.own) {
        if (flag.name != "filter") continue;
        const auto attributes = parse_attributes(flag.value);
        if (!attributes) {
            return fail(in_quotes(flag.value) + " is not the upper half of an image id", flag_place("filter"),
                        "use up to four hex digits, as in 0x8100");
        }
        if (!options.filter) options.filter.emplace();
        options.filter->push_back(*attributes);
    }

    const auto selection =
        parsed(given, "select", &parse_selection, "no image id", "use an id like 0x81001001, or default");
    if (!selection) return std::unexpected(selection.error());
    options.download = given.has("download");
    if (*selection) {
        options.selection = **selection;
    } else if (options.download) {
        options.selection = ProbeOptions::SelectDefault{};
    }

    const auto timeout =
        parsed(given, "timeout", &parse_timeout, "no time to wait", "use a number of seconds from 1 to 600");
    if (!timeout) return std::unexpected(timeout.error());
    if (*timeout) options.timeout = **timeout;
    options.json = given.has("json");
    return ProbeCommand{std::move(options)};
}

Result<Command> serve(const Given& given) {
    Result<Settings> settings = read_settings(given.sources);
    if (!settings) return std::unexpected(settings.error());
    return ServeCommand{std::move(*settings)};
}

Result<Command> check(const Given& given) {
    Result<Settings> settings = read_settings(given.sources);
    if (!settings) return std::unexpected(settings.error());
    return CheckCommand{std::move(*settings), given.has("json")};
}

std::optional<std::uint16_t> parse_index(std::string_view text) {
    return parse_port(text);
}

std::optional<std::string> text_of(const Given& given, std::string_view flag) {
    const std::string* text = given.value(flag);
    return text == nullptr ? std::nullopt : std::optional(*text);
}

std::vector<std::string> all_values(const Given& given, std::string_view name) {
    std::vector<std::string> values;
    for (const GivenFlag& flag : given.own) {
        if (flag.name == name) values.push_back(flag.value);
    }
    return values;
}

Result<ImageMakeOptions> image_make(const Given& given) {
    ImageMakeOptions options;
    options.name = given.words[1];
    options.x64 = text_of(given, "x64");
    options.ia32 = text_of(given, "ia32");
    if (!options.x64 && !options.ia32) {
        return fail("no program was given", "image make",
                    "name it with --x64, and the one for 32-bit EFI with --ia32");
    }
    const auto index = parsed(given, "index", &parse_index, "no index", "use a number from 1 to 65535");
    if (!index) return std::unexpected(index.error());
    options.index = *index;
    if (given.has("install") && given.has("no-install")) {
        return fail("it contradicts --install", flag_place("no-install"), "leave one of them out");
    }
    options.is_install = !given.has("no-install");
    options.is_default = given.has("default");
    options.separate = given.has("separate");
    if (options.separate && !(options.x64 && options.ia32)) {
        return fail("there is only one program", flag_place("separate"), "give both --x64 and --ia32");
    }
    options.models = all_values(given, "model");
    for (const std::string& model : options.models) {
        if (parse_model(model)) continue;
        return fail(in_quotes(model) + " is no model of a Mac", flag_place("model"),
                    std::string(model_remedy));
    }
    options.title = text_of(given, "title");
    options.script = text_of(given, "script");
    options.additions = all_values(given, "add");
    options.replace = given.has("replace");
    options.output = text_of(given, "output");
    return options;
}

Result<Command> image(const Given& given) {
    ImageOptions options;
    const std::string& action = given.words[0];
    if (action == "check") options.action = ImageOptions::Action::check;
    if (action == "show") options.action = ImageOptions::Action::show;
    if (action == "make") {
        options.action = ImageOptions::Action::make;
        Result<ImageMakeOptions> make = image_make(given);
        if (!make) return std::unexpected(make.error());
        options.make = std::move(*make);
    } else {
        for (const GivenFlag& flag : given.own) {
            if (flag.name == "json") continue;
            return fail("it belongs to image make", flag_place(flag.name), "leave it out");
        }
    }
    if (given.words.size() > 1) options.folder = given.words[1];
    options.json = given.has("json");
    Result<Settings> settings = read_settings(given.sources);
    if (!settings) return std::unexpected(settings.error());
    return ImageCommand{std::move(options), std::move(*settings)};
}

Result<Command> machine(const Given& given) {
    MachineOptions options;
    const std::string& action = given.words[0];
    if (action == "show") options.action = MachineOptions::Action::show;
    if (action == "select") options.action = MachineOptions::Action::select;
    if (action == "forget") options.action = MachineOptions::Action::forget;
    if (given.words.size() > 1) {
        const auto mac = base::MacAddress::parse(given.words[1]);
        if (!mac) {
            return fail(in_quotes(given.words[1]) + " is no MAC address", "machine " + action,
                        std::string(mac_remedy));
        }
        options.mac = *mac;
    }
    if (given.words.size() > 2) options.image = given.words[2];
    const auto model = parsed(given, "model", &parse_model, "no model of a Mac", model_remedy);
    if (!model) return std::unexpected(model.error());
    options.model = *model;
    options.json = given.has("json");
    Result<Settings> settings = read_settings(given.sources);
    if (!settings) return std::unexpected(settings.error());
    return MachineCommand{std::move(options), std::move(*settings)};
}

Result<Command> completion(const Given& /*given*/) {
    return PrintCommand{bash_completion()};
}

Result<Command> version(const Given& /*given*/) {
    return PrintCommand{"pomona " POMONA_VERSION "\n"};
}

struct Parser {
    std::string_view subcommand;
    Result<Command> (*parse)(const Given& given);
};

constexpr Parser parsers[] = {
    {"serve", &serve},     {"check", &check},           {"probe", &probe},     {"image", &image},
    {"machine", &machine}, {"completion", &completion}, {"version", &version},
};

/// The words must be an action with as many words as it takes, or none.
Result<void> check_words(const Given& given) {
    const std::string name(given.subcommand->name);
    const std::string remedy = "'pomona " + name + " --help' shows the usage";
    if (given.subcommand->actions.empty()) {
        if (given.words.empty()) return {};
        return fail("it does not understand " + in_quotes(given.words[0]), name, remedy);
    }
    std::vector<std::string_view> names;
    for (const Action& action : given.subcommand->actions) names.push_back(action.name);
    std::string choices;
    for (const std::string_view one : names) choices += (choices.empty() ? "" : ", ") + std::string(one);

    if (given.words.empty()) return fail("it needs to know what to do", name, "use one of: " + choices);
    const auto action = std::ranges::find(given.subcommand->actions, given.words[0], &Action::name);
    if (action == given.subcommand->actions.end()) {
        std::string meant = did_you_mean(given.words[0], names);
        if (meant.empty()) meant = "use one of: " + choices;
        return fail("it does not understand " + in_quotes(given.words[0]), name, std::move(meant));
    }
    const auto words =
        static_cast<std::size_t>(std::ranges::count(action->words, ' ')) + (action->words.empty() ? 0U : 1U);
    const bool optional = action->words.starts_with('[');
    const std::size_t got = given.words.size() - 1;
    if (got > words) {
        return fail("it does not understand " + in_quotes(given.words[words + 1]),
                    name + " " + std::string(action->name), remedy);
    }
    if (got < words && !optional) {
        return fail("it needs " + std::string(action->words), name + " " + std::string(action->name), remedy);
    }
    return {};
}

bool asks_for_help(std::string_view argument) {
    return argument == "--help" || argument == "-h";
}

/// Help must be had whatever else is wrong with the line.
bool wants_help(std::span<const std::string> arguments) {
    const auto words_only = std::ranges::find(arguments, "--");
    return std::any_of(arguments.begin(), words_only, asks_for_help);
}

}  // namespace

Result<Command> parse_command_line(std::span<const std::string> arguments,
                                   const std::vector<std::string>& environment,
                                   std::string_view default_file) {
    if (arguments.empty()) {
        return fail("no subcommand was given", {}, "'pomona --help' shows what there is");
    }
    std::string name = arguments[0];
    if (asks_for_help(name) || (name == "help" && arguments.size() == 1)) return PrintCommand{help_text()};
    if (name == "--version") return PrintCommand{"pomona " POMONA_VERSION "\n"};
    const bool help_wanted = name == "help" || wants_help(arguments.subspan(1));
    if (name == "help") name = arguments[1];

    const Subcommand* subcommand = find_subcommand(name);
    if (subcommand == nullptr) {
        std::string remedy = did_you_mean(name, subcommand_names());
        if (remedy.empty()) remedy = "'pomona --help' shows what there is";
        return fail("there is no subcommand " + in_quotes(name), {}, std::move(remedy));
    }
    if (help_wanted) return PrintCommand{help_text(*subcommand)};

    Result<GivenArguments> read = read_arguments(arguments.subspan(1), flags_of(*subcommand));
    if (!read) return std::unexpected(read.error());

    Given given;
    given.subcommand = subcommand;
    given.words = std::move(read->words);
    given.sources.environment = environment;
    given.sources.default_file = default_file;
    for (GivenFlag& flag : read->flags) {
        const bool own =
            std::ranges::find(subcommand->flags, flag.name, &Flag::name) != subcommand->flags.end();
        if (own) {
            given.own.push_back(std::move(flag));
        } else if (flag.name == config_flag().name) {
            given.sources.config_file = std::move(flag.value);
        } else {
            std::string source = flag_place(flag.name);
            given.sources.flags.push_back({std::move(flag.name), std::move(flag.value), std::move(source)});
        }
    }
    if (const Result<void> fits = check_words(given); !fits) return std::unexpected(fits.error());
    const auto* const parser = std::ranges::find(parsers, subcommand->name, &Parser::subcommand);
    return parser->parse(given);
}

}  // namespace pomona::app
