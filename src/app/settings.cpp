#include "app/settings.hpp"

#include "app/flag.hpp"
#include "app/setting_file.hpp"
#include "app/setting_table.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <system_error>
#include <utility>

namespace pomona::app {

namespace {

using base::fail;
using base::Result;

constexpr std::string_view variable_prefix = "POMONA_";
constexpr std::string_view config_variable = "POMONA_CONFIG";

std::string place_of(std::string_view setting, std::string_view source) {
    return std::string(setting) + " (" + std::string(source) + ")";
}

/// The comma inside "iMac12,1" parts nothing: a model begins with a letter.
std::vector<std::string> parts_of(std::string_view text, bool models) {
    const auto is_inner_comma = [&](std::size_t at) {
        return models && text[at] == ',' && at + 1 < text.size() &&
               std::string_view("0123456789*").find(text[at + 1]) != std::string_view::npos;
    };
    std::vector<std::string> parts;
    while (!text.empty()) {
        std::size_t end = text.find_first_of(", \t\n");
        while (end != std::string_view::npos && is_inner_comma(end)) {
            end = text.find_first_of(", \t\n", end + 1);
        }
        end = std::min(end, text.size());
        if (end > 0) parts.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return parts;
}

struct Environment {
    std::optional<std::string> config_file;
    std::vector<GivenSetting> given;
};

Result<Environment> read_environment(const std::vector<std::string>& variables) {
    Environment environment;
    std::vector<std::string> names{std::string(config_variable)};
    for (const Setting& setting : setting_table()) names.push_back(setting.variable());

    for (const std::string& variable : variables) {
        if (!variable.starts_with(variable_prefix)) continue;
        const std::size_t equals = variable.find('=');
        if (equals == std::string::npos) continue;
        const std::string name = variable.substr(0, equals);
        const std::string value = variable.substr(equals + 1);
        const std::string source = "variable " + name;
        if (name == config_variable) {
            environment.config_file = value;
            continue;
        }
        const auto setting =
            std::ranges::find_if(setting_table(), [&](const Setting& s) { return s.variable() == name; });
        if (setting == setting_table().end()) {
            const std::vector<std::string_view> known(names.begin(), names.end());
            std::string remedy = did_you_mean(name, known);
            if (remedy.empty()) remedy = "unset it; 'pomona serve --help' lists the settings";
            return fail("there is no setting of that name", "variable " + in_quotes(name), std::move(remedy));
        }
        if (!setting->flag.repeatable) {
            environment.given.push_back({std::string(setting->name()), value, source});
            continue;
        }
        // An empty value empties the list, as an empty line in a file does.
        environment.given.push_back({std::string(setting->name()), "", source});
        for (std::string& part : parts_of(value, setting->flag.value_name == "MODEL")) {
            environment.given.push_back({std::string(setting->name()), std::move(part), source});
        }
    }
    return environment;
}

std::string file_of(const std::string& source) {
    return source.substr(0, source.rfind(" line "));
}

/// An unknown name, or a value given twice in one file where only one can count.
Result<void> check_names(const std::vector<GivenSetting>& from_files) {
    std::set<std::pair<std::string, std::string>> seen;
    for (const GivenSetting& given : from_files) {
        const Setting* setting = find_setting(given.name);
        if (setting == nullptr) {
            std::string remedy = did_you_mean(given.name, setting_names());
            if (remedy.empty()) remedy = "remove the line; 'pomona serve --help' lists the settings";
            return fail("there is no setting " + in_quotes(given.name), given.source, std::move(remedy));
        }
        if (!setting->flag.repeatable && !seen.emplace(given.name, file_of(given.source)).second) {
            return fail("it stands twice in this file", place_of(given.name, given.source),
                        "remove one of the lines");
        }
    }
    return {};
}

/// Lays one source over what weaker ones said.
Result<void> apply(Settings& settings, const std::vector<GivenSetting>& source) {
    std::set<std::string, std::less<>> begun;
    for (const GivenSetting& given : source) {
        const Setting& setting = *find_setting(given.name);
        std::string& origin = settings.sources[given.name];
        const bool first = begun.insert(given.name).second;
        const bool empties = setting.flag.repeatable && given.value.empty();
        if (first || empties || !setting.flag.repeatable) {
            setting.clear(settings);
            origin = given.source;
        } else if (!origin.ends_with(given.source)) {
            origin += ", " + given.source;
        }
        if (empties) continue;
        if (const Result<void> assigned = setting.assign(settings, given.value); !assigned) {
            return fail(assigned.error().what, place_of(given.name, given.source), assigned.error().remedy);
        }
    }
    return {};
}

/// What depends on the whole: names of image roots that have none, the name of this host.
void complete(Settings& settings) {
    for (std::size_t i = 0; i < settings.image_roots.size(); ++i) {
        std::string& name = settings.image_roots[i].name;
        if (name.empty()) name = "NetBootSP" + std::to_string(i);
    }
    if (settings.server_name.empty()) {
        std::array<char, 64> host{};
        const bool known = ::gethostname(host.data(), host.size() - 1) == 0 && host[0] != '\0';
        settings.server_name = known ? host.data() : "pomona";
    }
}

/// Its hosts come after those of the setting `host`.
Result<void> read_bootptab(Settings& settings) {
    if (settings.bootptab.empty()) return {};
    const std::string place = settings.place_of("bootptab");
    std::ifstream file(settings.bootptab, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    if (!file) {
        return fail(settings.bootptab + " cannot be read: " + std::generic_category().message(errno), place,
                    "name a file that is there, or remove the setting");
    }
    auto hosts = model::parse_bootp_table(text);
    if (!hosts) {
        return fail(settings.bootptab + " " + hosts.error().where +
                        (hosts.error().where.empty() ? "" : ": ") + hosts.error().what,
                    place, hosts.error().remedy);
    }
    std::ranges::move(*hosts, std::back_inserter(settings.hosts));
    return {};
}

}  // namespace

std::string Settings::source_of(std::string_view setting) const {
    const auto found = sources.find(setting);
    return found == sources.end() ? "default" : found->second;
}

std::string Settings::place_of(std::string_view setting) const {
    return app::place_of(setting, source_of(setting));
}

Result<Settings> read_settings(const SettingSources& sources) {
    const Result<Environment> environment = read_environment(sources.environment);
    if (!environment) return std::unexpected(environment.error());

    std::string config_source = "default";
    std::string file = sources.default_file;
    if (sources.config_file) {
        file = *sources.config_file;
        config_source = "flag --config";
    } else if (environment->config_file) {
        file = *environment->config_file;
        config_source = "variable " + std::string(config_variable);
    }
    const bool named = config_source != "default";
    if (file.empty()) return fail("its value is empty", place_of("config", config_source), "name a file");
    const Result<std::vector<GivenSetting>> from_files = read_settings_files(file, named);
    if (!from_files) {
        if (!named || from_files.error().where != file) return std::unexpected(from_files.error());
        return fail(file + ": " + from_files.error().what, place_of("config", config_source),
                    from_files.error().remedy);
    }
    if (const Result<void> known = check_names(*from_files); !known) return std::unexpected(known.error());

    Settings settings;
    for (const auto* source : {&*from_files, &environment->given, &sources.flags}) {
        if (const Result<void> applied = apply(settings, *source); !applied) {
            return std::unexpected(applied.error());
        }
    }
    complete(settings);
    if (const Result<void> read = read_bootptab(settings); !read) return std::unexpected(read.error());
    if (const Result<void> fits = cross_check(settings); !fits) return std::unexpected(fits.error());
    return settings;
}

Result<void> cross_check(const Settings& settings) {
    const auto place = [&](std::string_view setting) { return settings.place_of(setting); };

    if (settings.image_roots.empty()) {
        return fail("the list is empty", place("image-root"), "name a folder of images");
    }
    for (std::size_t i = 0; i < settings.image_roots.size(); ++i) {
        for (std::size_t k = 0; k < i; ++k) {
            const ImageRoot& one = settings.image_roots[k];
            const ImageRoot& other = settings.image_roots[i];
            if (one.name == other.name) {
                return fail(
                    in_quotes(one.path) + " and " + in_quotes(other.path) + " are both named " + one.name,
                    place("image-root"), "give one another name, as in Other=" + other.path);
            }
            if (one.path == other.path) {
                return fail(in_quotes(one.path) + " is given twice", place("image-root"),
                            "remove one of them");
            }
        }
    }
    for (const std::string& model : settings.ia32_models) {
        if (std::ranges::find(settings.x64_models, model) != settings.x64_models.end()) {
            return fail(in_quotes(model) + " is also an x64-model (" + settings.source_of("x64-model") + ")",
                        place("ia32-model"), "remove it from one of the two");
        }
    }
    if (settings.tftp == TftpMode::external && settings.tftp_root.empty()) {
        return fail("external needs the root folder of that TFTP server", place("tftp"),
                    "set tftp-root, as in tftp-root=/srv/tftp");
    }
    if (settings.tftp_port_range && settings.tftp_single_port) {
        return fail(
            "it has no use together with tftp-single-port (" + settings.source_of("tftp-single-port") + ")",
            place("tftp-port-range"), "remove one of the two");
    }
    if (settings.tftp_port_range && settings.tftp_port_range->low <= settings.tftp_port &&
        settings.tftp_port <= settings.tftp_port_range->high) {
        return fail("the range holds tftp-port " + std::to_string(settings.tftp_port),
                    place("tftp-port-range"), "choose another range");
    }
    if (settings.tftp_max_transfers_per_client > settings.tftp_max_transfers &&
        settings.source_of("tftp-max-transfers-per-client") != "default") {
        return fail("it is more than tftp-max-transfers, " + std::to_string(settings.tftp_max_transfers),
                    place("tftp-max-transfers-per-client"), "lower it, or raise tftp-max-transfers");
    }
    if (settings.http_max_connections_per_client > settings.http_max_connections &&
        settings.source_of("http-max-connections-per-client") != "default") {
        return fail("it is more than http-max-connections, " + std::to_string(settings.http_max_connections),
                    place("http-max-connections-per-client"), "lower it, or raise http-max-connections");
    }
    for (std::size_t i = 0; i < settings.bootp_pool.size(); ++i) {
        for (std::size_t k = 0; k < i; ++k) {
            const model::AddressRange& one = settings.bootp_pool[k];
            const model::AddressRange& other = settings.bootp_pool[i];
            if (one.low <= other.high && other.low <= one.high) {
                return fail(one.text() + " and " + other.text() + " overlap", place("bootp-pool"),
                            "shorten one of them");
            }
        }
    }
    const std::string hosts_place = place(settings.bootptab.empty() ? "host" : "bootptab");
    for (std::size_t i = 0; i < settings.hosts.size(); ++i) {
        for (std::size_t k = 0; k < i; ++k) {
            const model::BootpHost& one = settings.hosts[k];
            const model::BootpHost& other = settings.hosts[i];
            if (one.mac == other.mac) {
                return fail(one.mac.text() + " has two addresses, " + one.address.text() + " and " +
                                other.address.text(),
                            hosts_place, "remove one of the entries");
            }
            if (one.address == other.address) {
                return fail(one.address.text() + " is given to two machines, " + one.mac.text() + " and " +
                                other.mac.text(),
                            hosts_place, "give one of them another address");
            }
        }
    }
    for (const base::MacAddress mac : settings.deny_macs) {
        if (std::ranges::find(settings.allow_macs, mac) != settings.allow_macs.end()) {
            return fail(mac.text() + " is also in allow-mac (" + settings.source_of("allow-mac") + ")",
                        place("deny-mac"), "remove it from one of the lists");
        }
    }
    return {};
}

}  // namespace pomona::app
