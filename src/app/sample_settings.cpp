#include "app/sample_settings.hpp"

#include "app/help.hpp"
#include "app/setting_table.hpp"

#include <string_view>

namespace pomona::app {

namespace {

/// wrapped() for comments: "# " before each line.
std::string comment(std::string_view text) {
    std::string result = "# ";
    for (const char c : wrapped(text, 0, 2)) {
        result += c;
        if (c == '\n') result += "# ";
    }
    return result + "\n";
}

}  // namespace

std::string sample_settings() {
    std::string text = comment(
        "Settings of pomona serve; pomona(8) says more. A setting that may be repeated is a list. The "
        "files of pomona.conf.d are read after this one. 'pomona check' says whether it all fits.");
    std::string_view section;
    for (const Setting& setting : setting_table()) {
        if (setting.section != section) {
            section = setting.section;
            text += "\n# ---- " + std::string(section) + " ----\n";
        }
        const bool none = setting.default_value.empty();
        std::string help(setting.flag.help);
        help += setting.flag.repeatable ? " (may be repeated)" : "";
        help += none ? "; default: " + std::string(setting.default_meaning) : "";
        text += "\n" + comment(help);
        const std::string_view value = none ? setting.flag.example : setting.default_value;
        text += "#" + std::string(setting.name()) + " = " + std::string(value) + "\n";
    }
    return text;
}

}  // namespace pomona::app
