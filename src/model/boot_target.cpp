#include <pomona/base/utf8.hpp>
#include <pomona/model/boot_target.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <functional>
#include <map>
#include <set>
#include <utility>

namespace pomona::model {

namespace {

using base::fail;
using base::Result;

constexpr std::size_t longest_file = 65'536;
constexpr std::size_t longest_value = 4'096;
constexpr std::size_t longest_name = 64;
constexpr std::size_t most_entries = 64;
constexpr std::size_t most_initrds = 16;

struct KindRow {
    TargetKind kind;
    std::string_view name;
    /// Keys that must stand in the file, and further ones that may, separated by blanks; besides type and
    /// title.
    std::string_view required;
    std::string_view optional;
};

constexpr std::array kinds{
    KindRow{TargetKind::image, "image", "image", ""},
    KindRow{TargetKind::linux, "linux", "kernel", "initrd arguments"},
    KindRow{TargetKind::efi, "efi", "program", ""},
    KindRow{TargetKind::chain, "chain", "url", ""},
    KindRow{TargetKind::sanboot, "sanboot", "url", ""},
    KindRow{TargetKind::fog, "fog", "", ""},
    KindRow{TargetKind::disk, "disk", "", ""},
    KindRow{TargetKind::menu, "menu", "entry", "default timeout"},
    KindRow{TargetKind::ignore, "ignore", "", ""},
};

const KindRow& row_of(TargetKind kind) {
    return *std::ranges::find(kinds, kind, &KindRow::kind);
}

std::vector<std::string_view> words(std::string_view text) {
    std::vector<std::string_view> found;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        if (end > 0) found.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return found;
}

bool holds(std::string_view list, std::string_view word) {
    return std::ranges::count(words(list), word) != 0;
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t\r";
    const std::size_t first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

bool is_target_name(std::string_view name) {
    return !name.empty() && name.size() <= longest_name && name.front() != '.' &&
           std::ranges::all_of(name, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '_' || c == '-';
           });
}

bool is_text(std::string_view value) {
    return std::ranges::none_of(value, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

/// A path of ours: relative, and nowhere upwards.
bool is_path(std::string_view place) {
    if (place.empty() || place.front() == '/' || place.contains('\\')) return false;
    while (!place.empty()) {
        const std::size_t end = std::min(place.find('/'), place.size());
        if (end == 0 || place.substr(0, end) == ".." || place.substr(0, end) == ".") return false;
        place.remove_prefix(std::min(end + 1, place.size()));
    }
    return true;
}

/// A scheme that loaders know, a host, and no blank.
bool is_sound_url(std::string_view place) {
    const std::size_t end = place.find("://");
    return end != std::string_view::npos && place.size() > end + 3 && place[end + 3] != '/' &&
           !place.contains(' ');
}

Result<void> check_place(std::string_view key, const std::string& value) {
    if (is_url(value) ? is_sound_url(value) : is_path(value)) return {};
    return fail(std::string(key) + ": '" + value + "' is neither a URL nor a path below the server's roots",
                {}, "write it as in debian/vmlinuz or http://server/debian/vmlinuz");
}

Result<void> check_url(const std::string& value) {
    if (is_url(value) && is_sound_url(value)) return {};
    return fail("url: '" + value + "' is no URL", {},
                "begin it with http://, https:// or tftp:// and a host");
}

Result<std::optional<std::chrono::seconds>> read_timeout(const std::string& value) {
    unsigned seconds = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (value == "none") return std::optional<std::chrono::seconds>();
    if (error != std::errc() || end != value.data() + value.size() || seconds == 0 || seconds > 86'400) {
        return fail("timeout: '" + value + "' is no number of seconds from 1 to 86400", {},
                    "use one, or none");
    }
    return std::optional(std::chrono::seconds(seconds));
}

/// Puts one value where it belongs.
Result<void> assign(BootTarget& target, std::string_view key, const std::string& value) {
    if (key == "title") {
        target.title = value;
    } else if (key == "image") {
        target.image = value;
    } else if (key == "kernel") {
        target.kernel = value;
        return check_place(key, value);
    } else if (key == "initrd") {
        if (target.initrds.size() == most_initrds)
            return fail("more than 16 initrds", {}, "join some of them");
        target.initrds.push_back(value);
        return check_place(key, value);
    } else if (key == "arguments") {
        target.arguments = value;
    } else if (key == "program") {
        target.program = value;
        return check_place(key, value);
    } else if (key == "url") {
        target.url = value;
        return check_url(value);
    } else if (key == "entry" || key == "default") {
        if (!is_target_name(value)) {
            return fail(std::string(key) + ": '" + value + "' cannot be the name of a target", {},
                        "name the file of a target, without .conf");
        }
        if (key == "default") {
            target.default_entry = value;
            return {};
        }
        if (target.entries.size() == most_entries)
            return fail("more than 64 entries", {}, "make a menu of menus");
        if (std::ranges::count(target.entries, value) != 0) {
            return fail("entry: '" + value + "' stands twice in the menu", {}, "remove one of them");
        }
        target.entries.push_back(value);
    } else if (key == "timeout") {
        const auto timeout = read_timeout(value);
        if (!timeout) return std::unexpected(timeout.error());
        target.timeout = *timeout;
    }
    return {};
}

/// One "key = value" of the file.
struct Line {
    std::size_t number = 0;
    std::string key;
    std::string value;

    [[nodiscard]] std::string where() const { return "line " + std::to_string(number); }
};

Result<std::vector<Line>> lines_of(std::string_view file) {
    if (file.size() > longest_file)
        return fail("the file is longer than 64 KiB", {}, "a target needs a few lines");
    std::vector<Line> lines;
    for (std::size_t number = 1; !file.empty(); ++number) {
        const std::size_t end = std::min(file.find('\n'), file.size());
        const std::string_view text = trimmed(file.substr(0, end));
        file.remove_prefix(std::min(end + 1, file.size()));
        if (text.empty() || text.front() == '#') continue;
        const std::size_t equals = text.find('=');
        Line line{.number = number, .key = std::string(trimmed(text.substr(0, equals))), .value = {}};
        if (equals == std::string_view::npos) {
            return fail("there is no '=' in it", line.where(), "write lines of the form key = value");
        }
        line.value = trimmed(text.substr(equals + 1));
        if (line.value.empty())
            return fail(line.key + " has no value", line.where(), "give it one or remove the line");
        if (line.value.size() > longest_value) {
            return fail(line.key + " is longer than 4096 octets", line.where(), "shorten it");
        }
        if (!is_text(line.value) || !base::is_utf8(line.value)) {
            return fail(line.key + " holds control characters or is no UTF-8", line.where(),
                        "write plain text");
        }
        lines.push_back(std::move(line));
    }
    return lines;
}

Result<TargetKind> kind_of(const std::vector<Line>& lines) {
    constexpr std::string_view remedy =
        "write type = image, linux, efi, chain, sanboot, fog, disk, menu or ignore";
    const auto type = std::ranges::find(lines, "type", &Line::key);
    if (type == lines.end()) return fail("the type is missing", {}, std::string(remedy));
    const auto row = std::ranges::find(kinds, type->value, &KindRow::name);
    if (row == kinds.end())
        return fail("'" + type->value + "' is no type", type->where(), std::string(remedy));
    return row->kind;
}

Result<void> check_key(const Line& line, const KindRow& row, std::set<std::string>& seen) {
    const bool allowed = line.key == "type" || line.key == "title" || holds(row.required, line.key) ||
                         holds(row.optional, line.key);
    if (!allowed) {
        const std::string more =
            std::string(row.required) + (row.optional.empty() ? "" : " ") + std::string(row.optional);
        return fail("a target of type " + std::string(row.name) + " has no key '" + line.key + "'",
                    line.where(),
                    more.empty() ? "it has type and title only" : "its keys are: type title " + more);
    }
    const bool repeatable = line.key == "initrd" || line.key == "entry";
    if (!seen.insert(line.key).second && !repeatable) {
        return fail(line.key + " is given twice", line.where(), "remove one of the lines");
    }
    return {};
}

}  // namespace

std::string_view text(TargetKind kind) {
    return row_of(kind).name;
}

bool is_url(std::string_view place) {
    return place.starts_with("http://") || place.starts_with("https://") || place.starts_with("tftp://");
}

Result<BootTarget> parse_boot_target(std::string_view name, std::string_view file) {
    if (!is_target_name(name)) {
        return fail("'" + std::string(name) + "' cannot be the name of a target", {},
                    "use letters, digits, '.', '_' and '-'");
    }
    const auto lines = lines_of(file);
    if (!lines) return std::unexpected(lines.error());
    const auto kind = kind_of(*lines);
    if (!kind) return std::unexpected(kind.error());

    BootTarget target;
    target.name = name;
    target.kind = *kind;
    const KindRow& row = row_of(*kind);
    std::set<std::string> seen;
    for (const Line& line : *lines) {
        if (const auto fits = check_key(line, row, seen); !fits) return std::unexpected(fits.error());
        if (const auto assigned = assign(target, line.key, line.value); !assigned) {
            return fail(assigned.error().what, line.where(), assigned.error().remedy);
        }
    }
    for (const std::string_view key : words(row.required)) {
        if (!seen.contains(std::string(key))) {
            return fail("a target of type " + std::string(row.name) + " needs the key " + std::string(key),
                        {}, "add a line " + std::string(key) + " = ...");
        }
    }
    if (target.title.empty()) target.title = target.name;
    if (target.kind == TargetKind::menu && target.default_entry.empty())
        target.default_entry = target.entries.front();
    if (target.kind == TargetKind::menu && std::ranges::count(target.entries, target.default_entry) == 0) {
        return fail("default: '" + target.default_entry + "' is no entry of this menu", {},
                    "add it, or name another");
    }
    return target;
}

std::string write_boot_target(const BootTarget& target) {
    std::string file = "type = " + std::string(text(target.kind)) + "\n";
    const auto put = [&](std::string_view key, const std::string& value) {
        if (!value.empty()) file += std::string(key) + " = " + value + "\n";
    };
    put("title", target.title);
    put("image", target.image);
    put("kernel", target.kernel);
    for (const std::string& initrd : target.initrds) put("initrd", initrd);
    put("arguments", target.arguments);
    put("program", target.program);
    put("url", target.url);
    for (const std::string& entry : target.entries) put("entry", entry);
    put("default", target.default_entry);
    if (target.timeout) put("timeout", std::to_string(target.timeout->count()));
    return file;
}

BootTargets BootTargets::build(const std::vector<BootTarget>& targets, std::vector<base::Error>& problems) {
    // Of two of one name the first stays.
    std::map<std::string, BootTarget, std::less<>> by_name;
    for (const BootTarget& target : targets) {
        if (!by_name.try_emplace(target.name, target).second) {
            problems.push_back(
                {"there are two targets of this name", target.name, "rename one of the files"});
        }
    }
    BootTargets all;
    for (auto& [name, target] : by_name) all.targets_.push_back(std::move(target));
    std::map<std::string, Menu, std::less<>> looked_at;
    BootTargets result;
    for (const BootTarget& target : all.targets_) {
        const std::string what = all.trouble_of(target, looked_at);
        if (what.empty()) {
            result.targets_.push_back(target);
        } else {
            problems.push_back({what, target.name, "correct its entries"});
        }
    }
    return result;
}

/// Why a menu cannot be shown; empty if it can. Each is looked at once.
std::string BootTargets::trouble_of(const BootTarget& target,
                                    std::map<std::string, Menu, std::less<>>& looked_at) const {
    if (target.kind != TargetKind::menu) return {};
    if (const auto known = looked_at.find(target.name); known != looked_at.end()) {
        // Still being looked at: one of its entries leads here.
        return known->second.done ? known->second.trouble : "the menu leads back to itself";
    }
    looked_at[target.name] = {};
    std::string trouble;
    for (const std::string& entry : target.entries) {
        const BootTarget* next = find(entry);
        if (next == nullptr) {
            trouble = "there is no target '" + entry + "' for its entry";
        } else if (const std::string deeper = trouble_of(*next, looked_at); !deeper.empty()) {
            trouble = "its entry '" + entry + "' cannot be shown: ";
            trouble += deeper;
        }
        if (!trouble.empty()) break;
    }
    looked_at[target.name] = {.trouble = trouble, .done = true};
    return trouble;
}

const BootTarget* BootTargets::find(std::string_view name) const {
    const auto at = std::ranges::lower_bound(targets_, name, {}, &BootTarget::name);
    return at != targets_.end() && at->name == name ? &*at : nullptr;
}

}  // namespace pomona::model
