#include "app/machine_advice.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <string_view>

namespace pomona::app {

namespace {

using nlohmann::json;

std::string text_at(const json& object, const char* key) {
    const auto at = object.find(key);
    return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

/// For a shell, in quotes only where it needs them.
std::string shell_word(const std::string& text) {
    constexpr std::string_view plain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/:@%+,=";
    if (text.find_first_not_of(plain) == std::string::npos) return text;
    std::string word = "'";
    for (const char c : text) {
        if (c == '\'') {
            word += "'\\''";
        } else {
            word += c;
        }
    }
    return word + "'";
}

json hints_for(const json& boot, bool no_netboot) {
    json hints = json::array();
    const std::string firmware = text_at(boot, "firmware");
    const std::string netboot = text_at(boot, "netboot");
    if (netboot == "T2") hints.push_back("this model has a T2 chip, which took NetBoot away");
    if (netboot == "Apple-silicon")
        hints.push_back("this model has Apple's own processor and cannot NetBoot");
    if (firmware.empty()) {
        hints.push_back("the table of models does not know this model; it counts as one with 64-bit EFI");
    } else if (firmware == "ia32") {
        hints.push_back(
            "its EFI has 32 bits; some early firmware is reported to show no network images, only to "
            "start the default one");
    } else if (firmware == "doubtful") {
        hints.push_back("whether its EFI has 32 or 64 bits is doubtful; a universal file suits both");
    }
    if (!no_netboot && !boot.value("published", false))
        hints.push_back("its image is not published, or not for this Mac: `pomona image check` says more");
    return hints;
}

json commands_for(const json& boot, const std::string& server) {
    json commands = json::array();
    const auto add = [&](const std::string& command, const char* meaning) {
        commands.push_back({{"command", command}, {"meaning", meaning}});
    };
    const std::string address = server.empty() ? "ADDRESS" : server;
    add("csrutil netboot add " + address, "before the others, in the Recovery system, from OS X 10.11 on");
    const std::string bless = "sudo bless --netboot --server bsdp://" + address;
    add(bless, "start from this server from now on");
    add(bless + " --nextonly", "start from this server once");
    const std::string file = text_at(boot, "boot_file");
    if (boot.value("boot_file_only", false) && !file.empty()) {
        const std::string source =
            text_at(boot, "boot_server").empty() ? address : text_at(boot, "boot_server");
        add("sudo bless --netboot --booter " + shell_word("tftp://" + source + "/" + file),
            "load this program without BSDP");
    }
    return commands;
}

}  // namespace

void add_advice(json& machine, const std::string& server) {
    const json boot = machine.value("boot", json::object());
    const std::string netboot = text_at(boot, "netboot");
    const bool no_netboot = !netboot.empty() && netboot != "yes";
    json advice{{"picker", machine.value("image_name", json())},
                {"keys", json::array()},
                {"hints", hints_for(boot, no_netboot)},
                {"commands", json::array()},
                {"proof", "read and reported, not tried on hardware"}};
    if (!no_netboot) {
        advice["keys"] = {{{"key", "Option"}, {"meaning", "shows the picker with the images"}},
                          {{"key", "N"}, {"meaning", "starts the remembered image"}}};
        // OS X for PowerPC has a bless of its own; Open Firmware is told otherwise.
        if (text_at(machine, "architecture") != "ppc") advice["commands"] = commands_for(boot, server);
    }
    machine["advice"] = std::move(advice);
}

}  // namespace pomona::app
