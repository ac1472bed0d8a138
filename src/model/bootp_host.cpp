#include <pomona/model/bootp_host.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace pomona::model {

namespace {

using base::fail;
using base::Result;

constexpr std::size_t longest_file_field = 127;
constexpr std::string_view blanks = " \t\r";

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    while (!(text = trimmed(text)).empty()) {
        const std::size_t end = std::min(text.find_first_of(blanks), text.size());
        words.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
    return words;
}

std::string in_line(std::size_t number) {
    return "line " + std::to_string(number);
}

/// The parts of a host as texts; empty parts are absent.
Result<BootpHost> host_of(std::string_view name, std::string_view mac, std::string_view address,
                          std::string_view file) {
    BootpHost host;
    const auto parsed_mac = base::MacAddress::parse(mac);
    if (!parsed_mac || parsed_mac->is_zero() || parsed_mac->is_multicast()) {
        return fail("'" + std::string(mac) + "' is no MAC address of a machine", {},
                    "write it like 40:6c:8f:37:95:27");
    }
    const auto parsed_address = base::Ipv4Address::parse(address);
    const bool usable = parsed_address && !parsed_address->is_multicast() && !parsed_address->is_loopback() &&
                        parsed_address->value() >> 24U != 0 && parsed_address->value() >> 28U != 0xf;
    if (!usable) {
        return fail("'" + std::string(address) + "' is no IPv4 address of a machine", {},
                    "write it like 10.0.1.50");
    }
    if (file.size() > longest_file_field) {
        return fail("the boot file has " + std::to_string(file.size()) + " octets, more than 127", {},
                    "shorten its path");
    }
    host.mac = *parsed_mac;
    host.address = *parsed_address;
    host.file = file;
    host.name = name;
    return host;
}

struct Line {
    std::size_t number = 0;
    std::string_view text;
};

std::vector<Line> lines_of(std::string_view text) {
    std::vector<Line> lines;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        if (const std::string_view line = trimmed(text.substr(0, end)); !line.empty())
            lines.push_back({number, line});
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

/// Apple's form: after "%%" lines of name, hardware type, MAC, address, boot file.
Result<std::vector<BootpHost>> apple_table(const std::vector<Line>& lines) {
    std::vector<BootpHost> hosts;
    bool begun = false;
    for (const Line& line : lines) {
        if (!begun) {
            begun = line.text == "%%";
            continue;
        }
        if (line.text.front() == '#') continue;
        const auto words = words_of(line.text);
        if (words.size() < 4 || words.size() > 5) {
            return fail("it has " + std::to_string(words.size()) + " words", in_line(line.number),
                        "write name, hardware type 1, MAC, address and, if any, boot file");
        }
        if (words[1] != "1") continue;
        auto host = host_of(words[0], words[2], words[3], words.size() == 5 ? words[4] : std::string_view());
        if (!host) return fail(host.error().what, in_line(line.number), host.error().remedy);
        hosts.push_back(*std::move(host));
    }
    return hosts;
}

/// CMU's form: entries "name:tag=value:...", continued by a backslash at the end of a line; tc= names an
/// entry that gives what this one leaves open.
using Tags = std::map<std::string, std::string, std::less<>>;

struct Entry {
    std::size_t line = 0;
    std::string name;
    Tags tags;
};

std::string unquoted(std::string_view value) {
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
        value = value.substr(1, value.size() - 2);
    return std::string(value);
}

Entry entry_of(std::size_t line, std::string_view text) {
    Entry entry{.line = line, .name = {}, .tags = {}};
    bool first = true;
    while (!text.empty()) {
        std::size_t end = 0;
        for (bool quoted = false; end < text.size() && (quoted || text[end] != ':'); ++end) {
            if (text[end] == '"') quoted = !quoted;
        }
        const std::string_view part = trimmed(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (first) {
            entry.name = part.substr(0, part.find('|'));
            first = false;
        } else if (!part.empty()) {
            const std::size_t equals = std::min(part.find('='), part.size());
            entry.tags.emplace(trimmed(part.substr(0, equals)),
                               unquoted(trimmed(part.substr(std::min(equals + 1, part.size())))));
        }
    }
    return entry;
}

std::vector<Entry> entries_of(const std::vector<Line>& lines) {
    std::vector<Entry> entries;
    std::string joined;
    std::size_t begin = 0;
    for (const Line& line : lines) {
        if (joined.empty() && line.text.front() == '#') continue;
        if (joined.empty()) begin = line.number;
        const bool goes_on = line.text.ends_with('\\');
        joined += line.text.substr(0, line.text.size() - (goes_on ? 1 : 0));
        if (goes_on) continue;
        entries.push_back(entry_of(begin, joined));
        joined.clear();
    }
    if (!joined.empty()) entries.push_back(entry_of(begin, joined));
    return entries;
}

Result<std::vector<BootpHost>> cmu_table(const std::vector<Line>& lines) {
    constexpr int deepest_template = 16;
    const std::vector<Entry> entries = entries_of(lines);
    std::map<std::string, const Entry*, std::less<>> by_name;
    for (const Entry& entry : entries) by_name.emplace(entry.name, &entry);
    std::vector<BootpHost> hosts;
    for (const Entry& entry : entries) {
        Tags tags = entry.tags;
        for (int depth = 0; tags.contains("tc"); ++depth) {
            const std::string name = tags.extract("tc").mapped();
            const auto found = by_name.find(name);
            if (found == by_name.end() || depth == deepest_template) {
                return fail(
                    "tc=" + name + (found == by_name.end() ? " names no entry" : " leads round in a circle"),
                    in_line(entry.line), "correct the name of the template");
            }
            Tags more = found->second->tags;
            tags.merge(more);
        }
        const bool ethernet =
            !tags.contains("ht") || tags["ht"] == "1" || tags["ht"] == "ether" || tags["ht"] == "ethernet";
        // A template, or a machine that gets its address by other means.
        if (!ethernet || tags["ha"].empty() || tags["ip"].empty()) continue;
        std::string file = tags["bf"];
        if (!file.empty() && file.front() != '/' && !tags["hd"].empty()) file.insert(0, tags["hd"] + "/");
        auto host = host_of(entry.name, tags["ha"], tags["ip"], file);
        if (!host) return fail(host.error().what, in_line(entry.line), host.error().remedy);
        hosts.push_back(*std::move(host));
    }
    return hosts;
}

/// Words, quoted texts and the punctuation of ISC dhcpd's configuration.
struct Token {
    std::size_t line = 0;
    std::string text;
};

std::vector<Token> tokens_of(std::string_view text) {
    std::vector<Token> tokens;
    std::size_t line = 1;
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        if (c == '\n') ++line;
        if (c == '#') {
            at = std::min(text.find('\n', at), text.size());
        } else if (c == '"') {
            const std::size_t end = std::min(text.find_first_of("\"\n", at + 1), text.size());
            tokens.push_back({line, std::string(text.substr(at + 1, end - at - 1))});
            at = end < text.size() && text[end] == '"' ? end + 1 : end;
        } else if (c == '{' || c == '}' || c == ';') {
            tokens.push_back({line, std::string(1, c)});
            ++at;
        } else if (c == '\n' || blanks.contains(c)) {
            ++at;
        } else {
            const std::size_t end = std::min(text.find_first_of(" \t\r\n{};#\"", at), text.size());
            tokens.push_back({line, std::string(text.substr(at, end - at))});
            at = end;
        }
    }
    return tokens;
}

Result<std::vector<BootpHost>> isc_table(std::string_view text) {
    const std::vector<Token> tokens = tokens_of(text);
    std::vector<BootpHost> hosts;
    for (std::size_t i = 0; i + 2 < tokens.size(); ++i) {
        const bool statement =
            i == 0 || tokens[i - 1].text == ";" || tokens[i - 1].text == "{" || tokens[i - 1].text == "}";
        if (!statement || tokens[i].text != "host" || tokens[i + 2].text != "{") continue;
        const std::size_t line = tokens[i].line;
        std::string name = tokens[i + 1].text;
        std::string mac;
        std::string address;
        std::string file;
        std::size_t at = i + 3;
        for (std::vector<std::string> words; at < tokens.size() && tokens[at].text != "}"; ++at) {
            if (tokens[at].text != ";") {
                words.push_back(tokens[at].text);
                continue;
            }
            if (words.size() == 3 && words[0] == "hardware" && words[1] == "ethernet") mac = words[2];
            if (words.size() == 2 && words[0] == "fixed-address") address = words[1];
            if (words.size() == 2 && words[0] == "filename") file = words[1];
            if (words.size() == 3 && words[0] == "option" && words[1] == "host-name") name = words[2];
            words.clear();
        }
        if (at == tokens.size())
            return fail("the block of host " + name + " has no end", in_line(line), "add a }");
        i = at;
        // Hosts without a fixed address, and those with a name in its place, are left to the DHCP server.
        if (mac.empty() || !base::Ipv4Address::parse(address)) continue;
        auto host = host_of(name, mac, address, file);
        if (!host) return fail(host.error().what, in_line(line), host.error().remedy);
        hosts.push_back(*std::move(host));
    }
    return hosts;
}

}  // namespace

Result<BootpHost> parse_bootp_host(std::string_view text) {
    const auto words = words_of(text);
    if (words.size() < 2 || words.size() > 3) {
        return fail("'" + std::string(text) + "' is no host", {},
                    "write MAC ADDRESS [FILE], as in 40:6c:8f:37:95:27 10.0.1.50");
    }
    return host_of({}, words[0], words[1], words.size() == 3 ? words[2] : std::string_view());
}

Result<std::vector<BootpHost>> parse_bootp_table(std::string_view text) {
    const std::vector<Line> lines = lines_of(text);
    const auto is = [&](auto&& question) { return std::ranges::any_of(lines, question); };
    if (is([](const Line& line) { return line.text == "%%"; })) return apple_table(lines);
    const auto tokens = tokens_of(text);
    if (std::ranges::any_of(tokens, [](const Token& token) { return token.text == "{"; }))
        return isc_table(text);
    if (is([](const Line& line) { return line.text.front() != '#' && !line.text.contains(':'); })) {
        return fail("the file is no table of hosts",
                    lines.empty() ? std::string() : in_line(lines.front().number),
                    "use Apple's bootptab (with a line %%), CMU's bootptab, or host blocks of ISC dhcpd");
    }
    return cmu_table(lines);
}

}  // namespace pomona::model
