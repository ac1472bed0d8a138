#include "app/help.hpp"

#include "app/setting_table.hpp"

#include <algorithm>
#include <cctype>
#include <vector>

namespace pomona::app {

namespace {

constexpr std::size_t line_width = 80;
constexpr std::size_t flag_indent = 2;
constexpr std::size_t help_indent = 6;

std::string_view next_word(std::string_view& text) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return word;
}

std::string flag_line(const Flag& flag) {
    std::string line(flag_indent, ' ');
    line += "--" + std::string(flag.name);
    if (!flag.value_name.empty()) line += " " + std::string(flag.value_name);
    if (flag.repeatable) line += "  (may be repeated)";
    return line + "\n";
}

std::string sentence(std::string_view text) {
    std::string result(text);
    if (!result.empty()) result[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(result[0])));
    return result + ".";
}

void add_flag(std::string& text, const Flag& flag, std::string_view addition = {}) {
    text += flag_line(flag);
    std::string help = sentence(flag.help);
    if (!addition.empty()) help += " " + std::string(addition);
    text += std::string(help_indent, ' ') + wrapped(help, help_indent, help_indent) + "\n";
}

void add_settings(std::string& text, const Subcommand& subcommand) {
    const std::vector<std::string_view> names = choices_of(subcommand.settings);
    std::string_view section;
    for (const Setting& setting : setting_table()) {
        if (subcommand.settings != "*" && std::ranges::count(names, setting.name()) == 0) continue;
        if (setting.section != section && subcommand.settings == "*") {
            section = setting.section;
            text += "\n" + std::string(section) + ":\n";
        }
        const std::string_view value =
            setting.default_value.empty() ? setting.default_meaning : setting.default_value;
        add_flag(text, setting.flag, "Default: " + std::string(value) + ".");
    }
}

void add_examples(std::string& text, const Subcommand& subcommand) {
    if (subcommand.examples.empty()) return;
    text += "\nExamples:\n";
    for (const Example& example : subcommand.examples) {
        text += "  " + std::string(example.command) + "\n      " +
                wrapped(example.meaning, help_indent, help_indent) + "\n";
    }
}

}  // namespace

std::string wrapped(std::string_view text, std::size_t indent, std::size_t start) {
    std::string result;
    std::size_t column = start;
    bool line_is_empty = true;
    while (!text.empty()) {
        const std::string_view word = next_word(text);
        if (!line_is_empty && column + 1 + word.size() > line_width) {
            result += "\n" + std::string(indent, ' ');
            column = indent;
            line_is_empty = true;
        }
        if (!line_is_empty) {
            result += ' ';
            ++column;
        }
        result += word;
        column += word.size();
        line_is_empty = false;
    }
    return result;
}

std::string help_text() {
    std::string text =
        "Usage: pomona SUBCOMMAND [WORDS] [FLAGS]\n"
        "\n" +
        wrapped(
            "Pomona is a boot server for rooms full of Macs: it shows images to Macs held on Option, "
            "remembers what each of them chose, and sends it, beside any DHCP server.",
            0, 0) +
        "\n\nSubcommands:\n";
    std::size_t longest = 0;
    for (const Subcommand& subcommand : subcommand_table()) {
        longest = std::max(longest, subcommand.name.size());
    }
    for (const Subcommand& subcommand : subcommand_table()) {
        const std::size_t gap = longest - subcommand.name.size() + 2;
        text += "  " + std::string(subcommand.name) + std::string(gap, ' ') +
                std::string(subcommand.summary) + "\n";
    }
    text +=
        "\n"
        "First steps:\n"
        "  pomona check\n"
        "      Would it work on this host? If not: why, and what to do.\n"
        "  pomona serve --image-root /srv/netboot/NetBootSP0\n"
        "      Serve the .nbi folders found there.\n"
        "  pomona probe --interface eth0\n"
        "      See what a Mac on that network would see.\n"
        "\n"
        "'pomona SUBCOMMAND --help' says more. The manual is pomona(8).\n";
    return text;
}

std::string help_text(const Subcommand& subcommand) {
    const std::string name(subcommand.name);
    std::string text = "Usage: pomona " + name;
    if (!subcommand.actions.empty()) text += " ACTION";
    text += " [FLAGS]\n\n" + wrapped(sentence(subcommand.summary), 0, 0) + "\n";

    std::string_view description = subcommand.description;
    while (!description.empty()) {
        const std::size_t end = std::min(description.find('\n'), description.size());
        text += "\n" + wrapped(description.substr(0, end), 0, 0) + "\n";
        description.remove_prefix(std::min(end + 1, description.size()));
    }
    if (!subcommand.actions.empty()) {
        text += "\nActions:\n";
        for (const Action& action : subcommand.actions) {
            text += "  " + std::string(action.name) + (action.words.empty() ? "" : " ") +
                    std::string(action.words) + "\n      " +
                    wrapped(sentence(action.help), help_indent, help_indent) + "\n";
        }
    }
    const bool all_settings = subcommand.settings == "*";
    text += "\nFlags:\n";
    for (const Flag& flag : flags_of(subcommand)) {
        if (find_setting(flag.name) == nullptr || subcommand.settings.empty()) add_flag(text, flag);
    }
    if (!subcommand.settings.empty()) {
        if (!all_settings) text += "\nSettings:\n";
        add_settings(text, subcommand);
        text += "\n" +
                wrapped(
                    "Each setting may also stand in a file, as in 'tftp-port = 69', or in the environment, "
                    "as in POMONA_TFTP_PORT=69, where lists are separated by commas. Flags beat the "
                    "environment, which beats files.",
                    0, 0) +
                "\n";
    }
    add_examples(text, subcommand);
    return text;
}

}  // namespace pomona::app
