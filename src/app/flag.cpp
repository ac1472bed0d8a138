#include "app/flag.hpp"

#include <pomona/base/hex.hpp>

#include <boost/program_options/cmdline.hpp>
#include <boost/program_options/errors.hpp>
#include <boost/program_options/option.hpp>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/value_semantic.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <set>

namespace pomona::app {

namespace po = boost::program_options;

namespace {

const Flag* find(std::span<const Flag> flags, std::string_view name) {
    const auto found = std::ranges::find(flags, name, &Flag::name);
    return found == flags.end() ? nullptr : &*found;
}

/// "--name=value" -> "name"
std::string bare_name(std::string name) {
    name.erase(0, std::min(name.find_first_not_of('-'), name.size()));
    name.erase(std::min(name.find('='), name.size()));
    return name;
}

std::unexpected<base::Error> value_missing(const Flag& flag) {
    const std::string name(flag.name);
    return base::fail("its value is missing", "flag --" + name,
                      "write --" + name + " " + std::string(flag.value_name));
}

/// Boost would take the flag behind `--flag` for its value, and does not know two spellings: `--flag` alone
/// for one that is on or off, and `--flag=` for an empty value.
base::Result<std::vector<std::string>> normalised(std::span<const std::string> arguments,
                                                  std::span<const Flag> flags) {
    std::vector<std::string> result;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string& argument = arguments[i];
        if (argument == "--") {
            result.insert(result.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i), arguments.end());
            break;
        }
        result.push_back(argument);
        if (!argument.starts_with("--")) continue;
        if (argument.find('=') == argument.size() - 1) {
            result.back().pop_back();
            result.emplace_back();
            continue;
        }
        const Flag* flag = find(flags, std::string_view(argument).substr(2));
        if (flag == nullptr || flag->value_name.empty()) continue;
        const bool last = i + 1 == arguments.size();
        if (flag->on_or_off && (last || arguments[i + 1].starts_with('-'))) {
            result.back() += "=on";
        } else if (last || arguments[i + 1].starts_with("--")) {
            return value_missing(*flag);
        } else {
            result.push_back(arguments[++i]);
        }
    }
    return result;
}

/// Edits (insert, delete, replace, swap two neighbours) that turn one text into the other.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before_last;
    std::vector<std::size_t> last(b.size() + 1);
    for (std::size_t j = 0; j < last.size(); ++j) last[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::vector<std::size_t> row(b.size() + 1, i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U);
            row[j] = std::min({replaced, last[j] + 1, row[j - 1] + 1});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], before_last[j - 2] + 1);
            }
        }
        before_last = std::move(last);
        last = std::move(row);
    }
    return last[b.size()];
}

std::vector<std::string_view> names_of(std::span<const Flag> flags) {
    std::vector<std::string_view> names;
    names.reserve(flags.size());
    for (const Flag& flag : flags) names.push_back(flag.name);
    return names;
}

}  // namespace

base::Result<GivenArguments> read_arguments(std::span<const std::string> arguments,
                                            std::span<const Flag> flags) {
    po::options_description description;
    for (const Flag& flag : flags) {
        const po::value_semantic* semantic =
            flag.value_name.empty() ? static_cast<po::value_semantic*>(new po::untyped_value(true))
                                    : po::value<std::vector<std::string>>();
        description.add_options()(std::string(flag.name).c_str(), semantic);
    }
    namespace style = po::command_line_style;
    GivenArguments given;
    std::set<std::string, std::less<>> seen;
    try {
        const base::Result<std::vector<std::string>> tokens = normalised(arguments, flags);
        if (!tokens) return std::unexpected(tokens.error());
        const po::parsed_options parsed =
            po::command_line_parser(*tokens)
                .options(description)
                .style(style::allow_long | style::long_allow_adjacent | style::long_allow_next)
                .run();
        for (const po::option& option : parsed.options) {
            if (option.string_key.empty()) {
                given.words.insert(given.words.end(), option.value.begin(), option.value.end());
                continue;
            }
            const Flag* flag = find(flags, option.string_key);
            const bool again = !seen.insert(option.string_key).second;
            if (again && flag != nullptr && !flag->repeatable) {
                return base::fail("it is given twice", "flag --" + option.string_key, "give it once");
            }
            given.flags.push_back({option.string_key, option.value.empty() ? "on" : option.value.front()});
        }
    } catch (const po::unknown_option& error) {
        const std::string name = bare_name(error.get_option_name());
        std::string remedy = did_you_mean(name, names_of(flags), "--");
        if (remedy.empty()) remedy = "--help lists all flags";
        return base::fail("there is no such flag", "flag --" + name, std::move(remedy));
    } catch (const po::error_with_option_name& error) {
        const std::string name = bare_name(error.get_option_name());
        const Flag* flag = find(flags, name);
        if (flag != nullptr && flag->value_name.empty()) {
            return base::fail("it takes no value", "flag --" + name, "leave the value out");
        }
        if (flag != nullptr) return value_missing(*flag);
        return base::fail("it is not understood", "flag --" + name, "--help lists all flags");
    } catch (const po::error& error) {
        return base::fail(error.what(), "command line", "--help shows the usage");
    }
    for (const std::string& word : given.words) {
        if (word.size() > 1 && word.starts_with('-') &&
            std::ranges::find(arguments, "--") == arguments.end()) {
            return base::fail("there is no such flag", in_quotes(word),
                              "flags begin with two dashes; see --help");
        }
    }
    return given;
}

std::string did_you_mean(std::string_view given, std::span<const std::string_view> names,
                         std::string_view prefix) {
    // Names are short; a long text is no typing error, and would only cost time.
    if (given.empty() || given.size() > 64) return {};
    std::string_view best;
    std::size_t least = std::max<std::size_t>(2, given.size() / 3) + 1;
    for (const std::string_view name : names) {
        std::size_t distance = edit_distance(given, name);
        if (given.size() >= 3 && name.starts_with(given)) distance = std::min<std::size_t>(distance, 1);
        if (distance < least && distance < name.size()) {
            least = distance;
            best = name;
        }
    }
    if (best.empty()) return {};
    return "did you mean " + std::string(prefix) + std::string(best) + "?";
}

std::string in_quotes(std::string_view text) {
    constexpr std::size_t longest = 200;
    std::string result = "'";
    for (const char c : text.substr(0, longest)) {
        const auto octet = static_cast<unsigned char>(c);
        if (octet < 0x20 || octet == 0x7f) {
            result += "\\x" + base::hex(octet, 2);
        } else {
            result += c;
        }
    }
    if (text.size() > longest) result += "...";
    return result + "'";
}

std::vector<std::string_view> choices_of(std::string_view choices) {
    std::vector<std::string_view> parts;
    while (!choices.empty()) {
        const std::size_t end = std::min(choices.find('|'), choices.size());
        parts.push_back(choices.substr(0, end));
        choices.remove_prefix(std::min(end + 1, choices.size()));
    }
    return parts;
}

}  // namespace pomona::app
