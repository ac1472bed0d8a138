#include "app/manual_page.hpp"

#include "app/flag.hpp"
#include "app/help.hpp"
#include "app/setting_table.hpp"
#include "app/subcommands.hpp"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <string_view>

namespace pomona::app {

namespace {

/// For a line of text or the argument of a macro: nothing in it is a command.
std::string escaped(std::string_view text) {
    std::string result;
    for (const char c : text) {
        switch (c) {
            case '\\':
                result += "\\e";
                break;
            case '-':
                result += "\\-";
                break;
            case '"':
                result += "\\(dq";
                break;
            case '\'':
                result += "\\(aq";
                break;
            case '|':
                result += "\\*(Ba";
                break;
            default:
                result += c;
        }
    }
    if (result.starts_with('.')) result.insert(0, "\\&");
    return result;
}

/// Lines of at most 80 bytes, none of which looks like a macro.
std::string text_lines(std::string_view text) {
    std::string result;
    for (const char c : wrapped(escaped(text), 0, 0) + "\n") {
        if (c == '.' && result.ends_with('\n')) result += "\\&";
        result += c;
    }
    return result;
}

/// In mdoc every sentence begins on a line of its own.
std::string sentences(std::string_view text) {
    std::string result;
    while (!text.empty()) {
        std::size_t end = 0;
        do {
            end = text.find_first_of(".;?\n", end);
            end = end == std::string_view::npos ? text.size() : end + 1;
        } while (end < text.size() && text[end - 1] != '\n' && text[end] != ' ' && text[end] != '\n');
        std::string_view one = text.substr(0, end);
        const bool paragraph = one.ends_with('\n');
        if (paragraph) one.remove_suffix(1);
        if (!one.empty()) result += text_lines(one);
        if (paragraph && end < text.size()) result += ".Pp\n";
        text.remove_prefix(end);
        text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    }
    return result;
}

/// A quoted argument of a macro: its words stay together.
std::string argument(std::string_view text) {
    return "\"" + escaped(text) + "\"";
}

std::string flag_item(const Flag& flag) {
    // Fl writes one dash itself.
    std::string text = ".It Fl \\-" + escaped(flag.name);
    if (!flag.value_name.empty()) text += " Ar " + argument(flag.value_name);
    return text + "\n";
}

std::string capitalised(std::string_view text) {
    std::string result(text);
    if (!result.empty()) result[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(result[0])));
    return result;
}

std::string subcommand_text(const Subcommand& subcommand) {
    std::string text = ".Ss pomona " + escaped(subcommand.name) + "\n";
    text += sentences(std::string(subcommand.summary) + ".");
    if (!subcommand.description.empty()) text += ".Pp\n" + sentences(subcommand.description);
    if (!subcommand.actions.empty()) {
        text += ".Bl -tag -width Ds\n";
        for (const Action& action : subcommand.actions) {
            text += ".It Cm " + escaped(action.name);
            if (!action.words.empty()) text += " Ar " + argument(action.words);
            text += "\n" + sentences(capitalised(action.help) + ".");
        }
        text += ".El\n";
    }
    if (!subcommand.settings.empty()) {
        text += ".Pp\n";
        if (subcommand.settings == "*") {
            text += "Takes all settings as flags, and\n.Fl \\-config .\n";
        } else {
            text += "Takes the settings\n";
            const auto names = choices_of(subcommand.settings);
            for (const std::string_view name : names) text += ".Cm " + escaped(name) + " ,\n";
            text += "and\n.Fl \\-config .\n";
        }
    }
    if (!subcommand.flags.empty()) {
        text += ".Bl -tag -width Ds\n";
        for (const Flag& flag : subcommand.flags) {
            text += flag_item(flag) + sentences(capitalised(flag.help) + ".");
        }
        text += ".El\n";
    }
    return text;
}

std::string settings_text() {
    std::string text;
    std::string_view section;
    for (const Setting& setting : setting_table()) {
        if (setting.section != section) {
            if (!section.empty()) text += ".El\n";
            section = setting.section;
            text += ".Ss " + escaped(section) + "\n.Bl -tag -width Ds\n";
        }
        text += ".It Cm " + escaped(setting.name()) + " No = Ar " + argument(setting.flag.value_name) + "\n";
        text += sentences(capitalised(setting.flag.help) + ".");
        if (setting.flag.repeatable) text += "May be repeated.\n";
        const bool none = setting.default_value.empty();
        text += "Default: " + escaped(none ? setting.default_meaning : setting.default_value) + ".\n";
        text += "Example:\n.Ql " + escaped(setting.name()) + " = " + escaped(setting.flag.example) + "\n";
    }
    return text + ".El\n";
}

std::string examples_text() {
    std::string text = ".Bl -tag -width Ds\n";
    for (const Subcommand& subcommand : subcommand_table()) {
        for (const Example& example : subcommand.examples) {
            text += ".It Li " + argument(example.command) + "\n" + escaped(capitalised(example.meaning));
            text += example.meaning.ends_with('?') ? "\n" : ".\n";
        }
    }
    return text + ".El\n";
}

}  // namespace

std::string manual_page() {
    std::string text = R"(.\" Made from the program's own tables; see tools/update_docs.cpp.
.Dd November 21, 2026
.Dt POMONA 8
.Os
.Sh NAME
.Nm pomona
.Nd boot server for rooms full of Macs
.Sh SYNOPSIS
)";
    for (const Subcommand& subcommand : subcommand_table()) {
        text += ".Nm\n.Cm " + escaped(subcommand.name) + "\n";
        if (!subcommand.actions.empty()) text += ".Ar action\n";
        text += ".Op Ar flags\n";
    }
    text += R"(.Sh DESCRIPTION
.Nm
shows images to Macs that are held on Option at their start, remembers what
each of them chose, and sends it by TFTP.
It speaks BSDP, the Boot Server Discovery Protocol of Apple, beside any DHCP
server, on the same host or on another one, which needs no change.
.Sh SUBCOMMANDS
)";
    for (const Subcommand& subcommand : subcommand_table()) text += subcommand_text(subcommand);
    text += R"(.Sh SETTINGS
Every setting has one name in three places: as a flag
.Pq Fl \-tftp\-port Ar 69 ,
in the environment
.Pq Ev POMONA_TFTP_PORT=69 ,
and in a file
.Pq Ql tftp\-port = 69 .
Flags beat the environment, which beats files.
.Pp
A setting that may be repeated is a list.
In the environment its values are separated by commas or blanks.
The list of a stronger place replaces that of a weaker one.
An empty value empties a list.
.Pp
Files hold one setting a line, and comments after
.Ql # .
A value in double quotes keeps its blanks and
.Ql # .
What is on or off may also be written yes or no, true or false, 1 or 0.
)" + settings_text() +
            R"(.Sh ENVIRONMENT
.Bl -tag -width Ds
.It Ev POMONA_CONFIG
The file to read settings from, unless there is
.Fl \-config .
.It Ev POMONA_*
One variable for each setting, as above.
A variable that is no setting is an error.
.El
.Sh FILES
.Bl -tag -width Ds
.It Pa /etc/pomona/pomona.conf
Settings.
.It Pa /etc/pomona/pomona.conf.d/*.conf
More settings, read after it in the order of their names.
.It Pa /srv/netboot/NetBootSP0
Images, unless
.Cm image\-root
says otherwise.
.It Pa /var/lib/pomona
What is remembered of Macs.
.It Pa /run/pomona/control
The control socket.
.El
.Sh SIGNALS
.Bl -tag -width Ds
.It Dv SIGHUP
Read the images again.
.It Dv SIGTERM , SIGINT
End in order.
.El
.Sh EXIT STATUS
.Bl -tag -width Ds
.It 0
It went well.
.It 1
Something on this host or network was wrong: a port is taken, an interface is
missing, an image has an error.
.It 2
The command line or a setting was wrong.
.El
.Sh EXAMPLES
)" + examples_text() +
            R"(.Sh SEE ALSO
.Xr dhcpd 8 ,
.Xr dnsmasq 8 ,
.Xr tftpd 8
)";
    return text;
}

}  // namespace pomona::app
