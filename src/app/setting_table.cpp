#include "app/setting_table.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <sstream>
#include <system_error>
#include <type_traits>

namespace pomona::app {

namespace {

using base::fail;
using base::Result;

Result<std::uint64_t> number(std::string_view text, std::uint64_t least, std::uint64_t most) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size() || value < least ||
        value > most) {
        return fail(in_quotes(text) + " is not a number from " + std::to_string(least) + " to " +
                        std::to_string(most),
                    {}, "use one");
    }
    return value;
}

bool is_one_of(std::string_view text, std::string_view choices) {
    return std::ranges::count(choices_of(choices), text) != 0;
}

bool has_control_character(std::string_view text) {
    return std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

/// --- Readers of one value: Result<T> (const std::string&) ---

Result<bool> on_or_off(const std::string& text) {
    if (is_one_of(text, "on|yes|true|1")) return true;
    if (is_one_of(text, "off|no|false|0")) return false;
    return fail(in_quotes(text) + " is neither on nor off", {}, "use on or off");
}

template <typename T, std::uint64_t least, std::uint64_t most>
Result<T> ranged(const std::string& text) {
    static_assert(most <= std::numeric_limits<T>::max());
    const Result<std::uint64_t> value = number(text, least, most);
    if (!value) return std::unexpected(value.error());
    return static_cast<T>(*value);
}

/// "4M", "512K" or plain bytes.
template <std::uint64_t least, std::uint64_t most>
Result<std::uint32_t> bytes(const std::string& text) {
    std::string_view digits = text;
    std::uint64_t unit = 1;
    if (!digits.empty() && (digits.back() == 'K' || digits.back() == 'k')) unit = 1024;
    if (!digits.empty() && (digits.back() == 'M' || digits.back() == 'm')) unit = std::uint64_t{1024} * 1024;
    if (unit != 1) digits.remove_suffix(1);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size() ||
        value > most / unit || value * unit < least) {
        return fail(in_quotes(text) + " is not a size from " + std::to_string(least / 1024) + "K to " +
                        std::to_string(most / 1024 / 1024) + "M",
                    {}, "use bytes, or a number with K or M behind it");
    }
    return static_cast<std::uint32_t>(value * unit);
}

Result<std::string> interface_name(const std::string& text) {
    const bool fits = !text.empty() && text.size() <= 15 && text != "." && text != ".." &&
                      !has_control_character(text) && text.find_first_of("/ :") == std::string::npos;
    if (!fits) return fail(in_quotes(text) + " is no name of an interface", {}, "'ip link' lists the names");
    return text;
}

Result<std::string> absolute_path(const std::string& text) {
    if (text.empty() || has_control_character(text)) {
        return fail(in_quotes(text) + " is no path", {}, "name a folder or file");
    }
    std::error_code error;
    std::string path = std::filesystem::absolute(text, error).lexically_normal().string();
    if (error)
        return fail(in_quotes(text) + " is no usable path (" + error.message() + ")", {}, "start it with /");
    if (path.size() > 1 && path.ends_with('/')) path.pop_back();
    return path;
}

Result<std::string> path_or_none(const std::string& text) {
    if (text.empty()) return std::string();
    return absolute_path(text);
}

/// The longest path that the kernel takes for a socket is 107 bytes.
Result<std::string> socket_path(const std::string& text) {
    Result<std::string> path = absolute_path(text);
    if (path && path->size() > 107) {
        return fail("a socket's path may have 107 bytes, this one has " + std::to_string(path->size()), {},
                    "use a shorter path");
    }
    return path;
}

Result<ImageRoot> image_root(const std::string& text) {
    ImageRoot root;
    std::string path = text;
    // A '=' behind the first '/' belongs to the path.
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos && equals < text.find('/')) {
        root.name = text.substr(0, equals);
        path = text.substr(equals + 1);
        const bool fits = !root.name.empty() && root.name.size() <= 64 && root.name[0] != '.' &&
                          std::ranges::all_of(root.name, [](unsigned char c) {
                              return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
                          });
        if (!fits) {
            return fail(in_quotes(root.name) + " cannot be the name of an image root", {},
                        "use letters, digits, '.', '_' and '-', as in NetBootSP1=/srv/more");
        }
    }
    Result<std::string> absolute = absolute_path(path);
    if (!absolute) return std::unexpected(absolute.error());
    root.path = std::move(*absolute);
    return root;
}

Result<std::string> folder_name(const std::string& text) {
    if (text.empty() || text == "." || text == ".." || text.find('/') != std::string::npos ||
        has_control_character(text)) {
        return fail(in_quotes(text) + " is no name of an image folder", {},
                    "use the folder's own name, as in ubuntu.nbi");
    }
    return text;
}

Result<std::string> model_pattern(const std::string& text) {
    const bool begins = !text.empty() && (text[0] < '0' || text[0] > '9');
    const bool fits = begins && text.size() <= 64 &&
                      std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f && c != '/'; });
    if (!fits) {
        return fail(in_quotes(text) + " is no model of a Mac", {}, "write it like iMac12,1 or MacBook*");
    }
    return text;
}

Result<std::string> user_name(const std::string& text) {
    if (text.size() > 32 || has_control_character(text) || text.find_first_of(": /") != std::string::npos) {
        return fail(in_quotes(text) + " is no name of a user", {}, "name a user of /etc/passwd");
    }
    return text;
}

/// It travels in `sname`, 64 octets with a NUL.
Result<std::string> server_name(const std::string& text) {
    if (text.size() > 63 || has_control_character(text)) {
        return fail(in_quotes(text) + " cannot be the server's name", {}, "use at most 63 bytes of text");
    }
    return text;
}

Result<std::string> machine_name_prefix(const std::string& text) {
    const bool fits =
        !text.empty() && text.size() <= 48 && text[0] != '-' &&
        std::ranges::all_of(text, [](unsigned char c) { return std::isalnum(c) != 0 || c == '-'; });
    if (!fits) {
        return fail(in_quotes(text) + " cannot begin the name of a machine", {},
                    "use at most 48 letters, digits and '-'");
    }
    return text;
}

Result<base::Ipv4Network> network(const std::string& text) {
    if (const auto value = base::Ipv4Network::parse(text)) return *value;
    return fail(in_quotes(text) + " is no IPv4 network", {}, "write it like 10.0.1.0/24");
}

Result<base::Ipv4Address> ipv4_address(const std::string& text) {
    if (const auto value = base::Ipv4Address::parse(text)) return *value;
    return fail(in_quotes(text) + " is no IPv4 address", {}, "write it like 10.0.1.11");
}

Result<std::optional<base::Ipv4Address>> optional_address(const std::string& text) {
    if (text.empty()) return std::optional<base::Ipv4Address>();
    const Result<base::Ipv4Address> value = ipv4_address(text);
    if (!value) return std::unexpected(value.error());
    return std::optional(*value);
}

Result<base::MacAddress> mac_address(const std::string& text) {
    if (const auto value = base::MacAddress::parse(text)) return *value;
    return fail(in_quotes(text) + " is no MAC address", {}, "write it like 40:6c:8f:37:95:27");
}

Result<std::optional<PortRange>> port_range(const std::string& text) {
    if (text.empty()) return std::optional<PortRange>();
    const std::size_t dash = text.find('-');
    if (dash != std::string::npos) {
        const auto low = number(std::string_view(text).substr(0, dash), 1, 65535);
        const auto high = number(std::string_view(text).substr(dash + 1), 1, 65535);
        if (low && high && *low <= *high) {
            return PortRange{static_cast<std::uint16_t>(*low), static_cast<std::uint16_t>(*high)};
        }
    }
    return fail(in_quotes(text) + " is no range of ports", {}, "write LOW-HIGH, as in 50000-50999");
}

Result<TftpMode> tftp_mode(const std::string& text) {
    if (text == "external") return TftpMode::external;
    const Result<bool> on = on_or_off(text);
    if (!on) return fail(in_quotes(text) + " is no mode of TFTP", {}, "use on, off or external");
    return *on ? TftpMode::on : TftpMode::off;
}

Result<SnameField> sname_field(const std::string& text) {
    if (text == "host") return SnameField::host;
    if (text == "empty") return SnameField::empty;
    return fail(in_quotes(text) + " is no choice", {}, "use host or empty");
}

/// "served" or "off".
Result<bool> served_or_off(const std::string& text) {
    if (text == "served") return true;
    if (text == "off") return false;
    return fail(in_quotes(text) + " is no choice", {}, "use served or off");
}

/// "10.0.5.0/24 router=10.0.5.1 dns=10.0.5.2 dns=10.0.5.3 domain=example.org", all but the network optional.
Result<policy::BootpNetwork> bootp_network(const std::string& text) {
    constexpr std::string_view remedy =
        "write it as in 10.0.5.0/24 router=10.0.5.1 dns=10.0.5.2 domain=example.org";
    policy::BootpNetwork result;
    std::istringstream words(text);
    std::string word;
    words >> word;
    const Result<base::Ipv4Network> range = network(word);
    if (!range) return std::unexpected(range.error());
    result.network = *range;
    while (words >> word) {
        const std::size_t equals = word.find('=');
        const std::string key = word.substr(0, equals);
        const std::string value = equals == std::string::npos ? std::string() : word.substr(equals + 1);
        const auto wrong = [&] {
            return fail(in_quotes(word) + " is not understood", {}, std::string(remedy));
        };
        if (key == "domain" && !value.empty() && value.size() <= 255 && !has_control_character(value)) {
            result.domain_name = value;
        } else if (key == "router") {
            result.router = base::Ipv4Address::parse(value);
            if (!result.router) return wrong();
        } else if (key == "dns") {
            const auto address = base::Ipv4Address::parse(value);
            if (!address) return wrong();
            result.name_servers.push_back(*address);
        } else {
            return wrong();
        }
    }
    if (result.router && !result.network.contains(*result.router)) {
        return fail("the router " + result.router->text() + " lies outside of " + result.network.text(), {},
                    "name a router of that network");
    }
    return result;
}

Result<model::AddressRange> address_range(const std::string& text) {
    return model::parse_address_range(text);
}

Result<model::BootpHost> host(const std::string& text) {
    return model::parse_bootp_host(text);
}

Result<servers::Level> log_level(const std::string& text) {
    if (const auto level = servers::level_from(text)) return *level;
    return fail(in_quotes(text) + " is no level", {}, "use debug, info, warn or error");
}

Result<servers::LogFormat> log_format(const std::string& text) {
    if (const auto format = servers::log_format_from(text)) return *format;
    return fail(in_quotes(text) + " is no format", {}, "use text or json");
}

/// --- From a value to its field ---

template <typename T>
constexpr bool is_list = false;
template <typename T>
constexpr bool is_list<std::vector<T>> = true;

template <auto member, auto read>
Result<void> assign(Settings& settings, const std::string& text) {
    auto value = read(text);
    if (!value) return std::unexpected(value.error());
    auto& field = settings.*member;
    if constexpr (is_list<std::remove_reference_t<decltype(field)>>) {
        field.push_back(std::move(*value));
    } else {
        field = std::move(*value);
    }
    return {};
}

template <auto member>
void clear(Settings& settings) {
    auto& field = settings.*member;
    if constexpr (is_list<std::remove_reference_t<decltype(field)>>) field.clear();
}

template <auto member, auto read>
constexpr Setting make(std::string_view section, Flag flag, std::string_view default_value,
                       std::string_view default_meaning = {}) {
    return {section, flag, default_value, default_meaning, &assign<member, read>, &clear<member>};
}

constexpr std::string_view switch_choices = "on|off";
constexpr std::string_view images = "Images";
constexpr std::string_view daemon = "The daemon";
constexpr std::string_view answers = "Who is answered, and how";
constexpr std::string_view loaders = "Addresses for loaders";
constexpr std::string_view machines = "Machines";
constexpr std::string_view ports = "Interfaces and ports";
constexpr std::string_view tftp = "TFTP";
constexpr std::string_view http = "HTTP";
constexpr std::string_view logging = "Log";

using S = Settings;

constexpr std::array table{
    make<&S::interfaces, &interface_name>(ports,
                                          {.name = "interface",
                                           .value_name = "NAME",
                                           .help = "serve the Macs behind this network interface",
                                           .example = "eth0",
                                           .completes = Completes::interface,
                                           .repeatable = true},
                                          "", "every suitable interface"),
    make<&S::hold_port, &on_or_off>(
        ports,
        {.name = "hold-port",
         .value_name = "on|off",
         .help =
             "hold UDP port 67 silently while no other program has it, so that the kernel sends no errors",
         .example = "off",
         .completes = Completes::choices,
         .choices = switch_choices,
         .on_or_off = true},
        "on"),
    make<&S::capture_buffer, &bytes<65536, 1U << 30>>(
        ports,
        {.name = "capture-buffer",
         .value_name = "BYTES",
         .help = "memory for requests that wait, for each interface; K and M are understood",
         .example = "16M"},
        "5M"),

    make<&S::image_roots, &image_root>(
        images,
        {.name = "image-root",
         .value_name = "[NAME=]FOLDER",
         .help =
             "publish the .nbi folders found here; without a name it is NetBootSP0, the next one NetBootSP1",
         .example = "NetBootSP1=/srv/more",
         .completes = Completes::folder,
         .repeatable = true},
        "/srv/netboot/NetBootSP0"),
    make<&S::image_order, &folder_name>(images,
                                        {.name = "image-order",
                                         .value_name = "IMAGE.nbi",
                                         .help = "list this image first; the next one second, and so on",
                                         .example = "ubuntu.nbi",
                                         .repeatable = true},
                                        "", "defaults first, then by name"),
    make<&S::honour_disabled_models, &folder_name>(
        images,
        {.name = "honour-disabled-models",
         .value_name = "IMAGE.nbi",
         .help =
             "hide this image from the models of its DisabledSystemIdentifiers, which Apple's server ignored",
         .example = "old.nbi",
         .repeatable = true},
        "", "no image"),
    make<&S::ia32_models, &model_pattern>(
        images,
        {.name = "ia32-model",
         .value_name = "MODEL",
         .help = "this model has 32-bit EFI, whatever the table of models says; '*' stands for any text",
         .example = "MacBook3,1",
         .repeatable = true},
        "", "by the table of models"),
    make<&S::x64_models, &model_pattern>(
        images,
        {.name = "x64-model",
         .value_name = "MODEL",
         .help = "this model has 64-bit EFI, whatever the table of models says; '*' stands for any text",
         .example = "MacBookAir1,*",
         .repeatable = true},
        "", "by the table of models"),

    make<&S::server_name, &server_name>(answers,
                                        {.name = "server-name",
                                         .value_name = "NAME",
                                         .help = "the name of this server in replies",
                                         .example = "boot.example.org"},
                                        "", "the name of this host"),
    make<&S::sname, &sname_field>(
        answers,
        {.name = "sname",
         .value_name = "host|empty",
         .help = "put the server's name into the field sname of replies, or leave that empty",
         .example = "empty",
         .completes = Completes::choices,
         .choices = "host|empty"},
        "host"),
    make<&S::priority_base, &ranged<std::uint16_t, 0, 65535>>(
        answers,
        {.name = "priority-base",
         .value_name = "NUMBER",
         .help = "the priority of a server that remembers no Mac; Macs prefer the server with the highest",
         .example = "40000"},
        "32768"),
    make<&S::answer_discover, &on_or_off>(answers,
                                          {.name = "answer-discover",
                                           .value_name = "on|off",
                                           .help = "also answer DHCPDISCOVER of Macs with an offer",
                                           .example = "on",
                                           .completes = Completes::choices,
                                           .choices = switch_choices,
                                           .on_or_off = true},
                                          "off"),
    make<&S::option_67, &on_or_off>(
        answers,
        {.name = "option-67",
         .value_name = "on|off",
         .help = "repeat sname and file as options 66 and 67 for clients that ask for them",
         .example = "on",
         .completes = Completes::choices,
         .choices = switch_choices,
         .on_or_off = true},
        "off"),
    make<&S::client_networks, &network>(answers,
                                        {.name = "client-network",
                                         .value_name = "NETWORK",
                                         .help = "answer only Macs with an address in this network",
                                         .example = "10.0.1.0/24",
                                         .repeatable = true},
                                        "", "everybody"),
    make<&S::allow_macs, &mac_address>(answers,
                                       {.name = "allow-mac",
                                        .value_name = "MAC",
                                        .help = "answer only Macs with one of these MAC addresses",
                                        .example = "40:6c:8f:37:95:27",
                                        .repeatable = true},
                                       "", "everybody"),
    make<&S::deny_macs, &mac_address>(answers,
                                      {.name = "deny-mac",
                                       .value_name = "MAC",
                                       .help = "never answer the Mac with this MAC address",
                                       .example = "40:6c:8f:37:95:28",
                                       .repeatable = true},
                                      "", "nobody"),

    make<&S::bootp, &on_or_off>(
        loaders,
        {.name = "bootp",
         .value_name = "on|off",
         .help = "answer the BOOTP request of a loader with the address that its Mac holds already",
         .example = "off",
         .completes = Completes::choices,
         .choices = switch_choices,
         .on_or_off = true},
        "on"),
    make<&S::bootp_answer_discover, &served_or_off>(
        loaders,
        {.name = "bootp-answer-discover",
         .value_name = "served|off",
         .help =
             "answer GRUB's DISCOVER in the same way, if it comes from a Mac that was served here, or not",
         .example = "off",
         .completes = Completes::choices,
         .choices = "served|off"},
        "served"),
    make<&S::bootp_lifetime, &ranged<std::uint32_t, 1, 604'800>>(
        loaders,
        {.name = "bootp-lifetime",
         .value_name = "SECONDS",
         .help = "how long after its last sign of life a Mac is believed to hold its address",
         .example = "600"},
        "1800"),
    make<&S::bootp_probe_wait, &ranged<std::uint32_t, 0, 5'000>>(
        loaders,
        {.name = "bootp-probe-wait",
         .value_name = "MILLISECONDS",
         .help =
             "how long another host has to claim a Mac's address by ARP before it is given; 0 asks nobody",
         .example = "250"},
        "100"),
    make<&S::bootp_networks, &bootp_network>(
        loaders,
        {.name = "bootp-network",
         .value_name = "'NETWORK WORD=VALUE...'",
         .help = "tell loaders in this network its router, dns and domain, if their DHCP server was not "
                 "overheard",
         .example = "10.0.5.0/24 router=10.0.5.1 dns=10.0.5.2 domain=example.org",
         .repeatable = true},
        "", "the mask of the interface, and no router"),
    make<&S::bootp_borrow, &on_or_off>(
        loaders,
        {.name = "bootp-borrow",
         .value_name = "on|off",
         .help =
             "ask the site's DHCP server on behalf of machines that speak nothing but BOOTP, as a relay does",
         .example = "on",
         .completes = Completes::choices,
         .choices = switch_choices,
         .on_or_off = true},
        "off"),
    make<&S::bootp_borrow_time, &ranged<std::uint32_t, 1, 86'400>>(
        loaders,
        {.name = "bootp-borrow-time",
         .value_name = "SECONDS",
         .help = "give a borrowed address back that long after its machine asked last",
         .example = "120"},
        "600"),
    make<&S::bootp_borrow_server, &optional_address>(
        loaders,
        {.name = "bootp-borrow-server",
         .value_name = "ADDRESS",
         .help = "ask this DHCP server, which may be behind a router, and no other",
         .example = "10.0.9.2"},
        "", "every server on the link"),
    make<&S::bootp_pool, &address_range>(
        loaders,
        {.name = "bootp-pool",
         .value_name = "LOW-HIGH",
         .help =
             "give addresses of this range, which no DHCP server has, to machines that nothing is known of",
         .example = "10.0.1.200-10.0.1.220",
         .repeatable = true},
        "", "none"),
    make<&S::hosts, &host>(
        loaders,
        {.name = "host",
         .value_name = "MAC ADDRESS [FILE]",
         .help = "answer the BOOTP request of this machine with this address, and this boot file",
         .example = "40:6c:8f:37:95:27 10.0.1.50",
         .repeatable = true},
        "", "none"),
    make<&S::bootptab, &path_or_none>(loaders,
                                      {.name = "bootptab",
                                       .value_name = "FILE",
                                       .help = "read more hosts from this file: a bootptab of Apple's or "
                                               "CMU's form, or ISC dhcpd's host blocks",
                                       .example = "/etc/bootptab",
                                       .completes = Completes::file},
                                      "", "none"),

    make<&S::machine_name_prefix, &machine_name_prefix>(
        machines,
        {.name = "machine-name-prefix",
         .value_name = "TEXT",
         .help = "what the machine names given to Macs begin with, as in NetBoot007",
         .example = "Lab"},
        "NetBoot"),
    make<&S::max_machines, &ranged<std::uint32_t, 1, 10'000'000>>(
        machines,
        {.name = "max-machines",
         .value_name = "NUMBER",
         .help = "how many Macs are remembered; beyond it the one that was seen longest ago is forgotten",
         .example = "500"},
        "20000"),
    make<&S::remember_days, &ranged<std::uint32_t, 1, 36500>>(
        machines,
        {.name = "remember-days",
         .value_name = "DAYS",
         .help = "forget a Mac that was not seen for so many days",
         .example = "30"},
        "400"),

    make<&S::tftp, &tftp_mode>(
        tftp,
        {.name = "tftp",
         .value_name = "on|off|external",
         .help =
             "serve files by TFTP, or not, or name them as another TFTP server with tftp-root resolves them",
         .example = "external",
         .completes = Completes::choices,
         .choices = "on|off|external",
         .on_or_off = true},
        "on"),
    make<&S::tftp_root, &path_or_none>(
        tftp,
        {.name = "tftp-root",
         .value_name = "FOLDER",
         .help = "also serve the other files below this folder; with tftp=external the root of that server",
         .example = "/srv/tftp",
         .completes = Completes::folder},
        "", "only the images are served"),
    make<&S::tftp_port, &ranged<std::uint16_t, 1, 65535>>(
        tftp,
        {.name = "tftp-port",
         .value_name = "PORT",
         .help = "the UDP port that takes requests; Macs know only 69",
         .example = "6969"},
        "69"),
    make<&S::tftp_single_port, &on_or_off>(
        tftp,
        {.name = "tftp-single-port",
         .value_name = "on|off",
         .help = "send files from the port of the requests, for containers and firewalls",
         .example = "on",
         .completes = Completes::choices,
         .choices = switch_choices,
         .on_or_off = true},
        "off"),
    make<&S::tftp_port_range, &port_range>(tftp,
                                           {.name = "tftp-port-range",
                                            .value_name = "LOW-HIGH",
                                            .help = "send files from UDP ports of this range, for firewalls",
                                            .example = "50000-50999"},
                                           "", "the kernel chooses"),
    make<&S::tftp_max_blksize, &ranged<std::uint16_t, 8, 65464>>(
        tftp,
        {.name = "tftp-max-blksize",
         .value_name = "BYTES",
         .help = "never grant larger blocks; above 1456 packets no longer fit an Ethernet frame",
         .example = "1024"},
        "1456"),
    make<&S::tftp_max_windowsize, &ranged<std::uint16_t, 1, 65535>>(
        tftp,
        {.name = "tftp-max-windowsize",
         .value_name = "BLOCKS",
         .help = "never grant more blocks without an acknowledgement",
         .example = "16"},
        "64"),
    make<&S::tftp_max_transfers, &ranged<std::uint32_t, 1, 60000>>(
        tftp,
        {.name = "tftp-max-transfers",
         .value_name = "NUMBER",
         .help = "refuse further transfers while so many are running",
         .example = "1000"},
        "4000"),
    make<&S::tftp_max_transfers_per_client, &ranged<std::uint32_t, 1, 60000>>(
        tftp,
        {.name = "tftp-max-transfers-per-client",
         .value_name = "NUMBER",
         .help = "refuse further transfers to one address while so many are running",
         .example = "8"},
        "64"),

    make<&S::http, &on_or_off>(http,
                               {.name = "http",
                                .value_name = "on|off",
                                .help = "serve by HTTP, too, what TFTP serves",
                                .example = "off",
                                .completes = Completes::choices,
                                .choices = switch_choices,
                                .on_or_off = true},
                               "on"),
    make<&S::http_port, &ranged<std::uint16_t, 1, 65535>>(
        http,
        {.name = "http-port",
         .value_name = "PORT",
         .help = "the TCP port that takes requests; GRUB before 2.12 knows only 80",
         .example = "8080"},
        "80"),
    make<&S::http_addresses, &ipv4_address>(
        http,
        {.name = "http-address",
         .value_name = "ADDRESS",
         .help = "take requests to this address of the host only, beside another web server",
         .example = "10.0.1.12",
         .repeatable = true},
        "", "all addresses"),
    make<&S::http_max_connections, &ranged<std::uint32_t, 1, 60000>>(
        http,
        {.name = "http-max-connections",
         .value_name = "NUMBER",
         .help = "let further connections wait while so many are open",
         .example = "500"},
        "1000"),
    make<&S::http_max_connections_per_client, &ranged<std::uint32_t, 1, 60000>>(
        http,
        {.name = "http-max-connections-per-client",
         .value_name = "NUMBER",
         .help = "refuse requests on further connections of one address while so many are open",
         .example = "16"},
        "256"),

    make<&S::state_dir, &absolute_path>(
        daemon,
        {.name = "state-dir",
         .value_name = "FOLDER",
         .help = "where the choices of Macs are kept; the user must be able to write there",
         .example = "/srv/pomona",
         .completes = Completes::folder},
        "/var/lib/pomona"),
    make<&S::control_socket, &socket_path>(daemon,
                                           {.name = "control-socket",
                                            .value_name = "PATH",
                                            .help = "where 'pomona machine' reaches the running daemon",
                                            .example = "/tmp/pomona-control",
                                            .completes = Completes::file},
                                           "/run/pomona/control"),
    make<&S::user, &user_name>(
        daemon,
        {.name = "user",
         .value_name = "NAME",
         .help = "the user to become once the ports are open; empty to stay who started it",
         .example = "nobody",
         .completes = Completes::user},
        "pomona"),

    make<&S::log_level, &log_level>(logging,
                                    {.name = "log-level",
                                     .value_name = "LEVEL",
                                     .help = "the least important lines that are still written",
                                     .example = "debug",
                                     .completes = Completes::choices,
                                     .choices = "debug|info|warn|error"},
                                    "info"),
    make<&S::log_format, &log_format>(logging,
                                      {.name = "log-format",
                                       .value_name = "text|json",
                                       .help = "lines of key=value, or one JSON object in each",
                                       .example = "json",
                                       .completes = Completes::choices,
                                       .choices = "text|json"},
                                      "text"),
};

}  // namespace

std::string Setting::variable() const {
    std::string text = "POMONA_";
    for (const char c : flag.name) {
        text += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    return text;
}

std::span<const Setting> setting_table() {
    return table;
}

const Setting* find_setting(std::string_view name) {
    const auto* const found = std::ranges::find(table, name, &Setting::name);
    return found == table.end() ? nullptr : found;
}

std::vector<std::string_view> setting_names() {
    std::vector<std::string_view> names;
    names.reserve(table.size());
    for (const Setting& setting : table) names.push_back(setting.name());
    return names;
}

std::vector<Flag> setting_flags() {
    std::vector<Flag> flags;
    flags.reserve(table.size());
    for (const Setting& setting : table) flags.push_back(setting.flag);
    return flags;
}

}  // namespace pomona::app
