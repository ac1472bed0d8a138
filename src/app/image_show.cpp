// `pomona image show`: one image, explained.
#include "app/flag.hpp"
#include "app/image.hpp"
#include "app/image_text.hpp"
#include "servers/machine_verbs.hpp"
#include "store/root_folder.hpp"

#include <pomona/codec/plist.hpp>
#include <pomona/model/boot_paths.hpp>
#include <pomona/model/image_rules.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <ostream>
#include <string_view>
#include <utility>

namespace pomona::app {

namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;
using Severity = model::ImageProblem::Severity;

/// A key of the property list, its value as one line, and how it is read.
struct Key {
    std::string name;
    std::string value;
    std::string reading;
};

struct Program {
    std::string path;
    /// Which clients load it: "32-bit EFI".
    std::string clients;
    std::string tftp_path;
    std::optional<codec::EfiProgram> efi;
};

struct Audience {
    std::string macs;
    bool sees = false;
    std::string why;
};

struct Explanation {
    std::string path;
    const model::NetBootImage* image = nullptr;
    bool is_first_for_unknown = false;
    std::vector<Key> keys;
    std::vector<Program> programs;
    std::string root_path;
    std::vector<Audience> audiences;
    std::vector<model::ImageProblem> problems;
};

/// The folder that is meant, and the settings under which it is read.
struct Meant {
    store::ImageFolderSettings settings;
    std::string root;
    std::string folder;

    [[nodiscard]] std::string path() const { return root + "/" + folder; }
};

bool is_folder(const fs::path& path) {
    std::error_code ignored;
    return fs::is_directory(path, ignored);
}

std::string clean(const std::string& path) {
    std::error_code ignored;
    std::string text = fs::absolute(path, ignored).lexically_normal().string();
    while (text.size() > 1 && text.ends_with('/')) text.pop_back();
    return text;
}

base::Result<Meant> find_meant(const store::ImageFolderSettings& settings, const std::string& text) {
    // A folder of a root counts even when it is broken: that is when people ask.
    for (const store::ImageRoot& root : settings.roots) {
        for (const std::string& name : {text, text + ".nbi"}) {
            const std::string folder =
                name.starts_with(root.name + "/") ? name.substr(root.name.size() + 1) : name;
            if (folder.ends_with(".nbi") && folder.find('/') == std::string::npos &&
                is_folder(root.path + "/" + folder)) {
                return Meant{.settings = settings, .root = clean(root.path), .folder = folder};
            }
        }
    }
    if (is_folder(text)) {
        store::ImageFolderSettings alone = settings_for_folder(settings, text);
        if (!alone.only_folder) {
            return base::fail("the folder's name does not end in .nbi", text,
                              "name one image; `pomona image check` looks at a folder of images");
        }
        std::string root = alone.roots.front().path;
        std::string folder = *alone.only_folder;
        const auto same = std::ranges::find_if(settings.roots, [&](const store::ImageRoot& one) {
            std::error_code error;
            return fs::equivalent(one.path, root, error) && !error;
        });
        if (same != settings.roots.end())
            return Meant{.settings = settings, .root = clean(same->path), .folder = std::move(folder)};
        return Meant{.settings = std::move(alone), .root = std::move(root), .folder = std::move(folder)};
    }
    const store::ImageReading reading = store::read_image_folders(settings);
    const auto id = servers::find_image(reading.catalogue, text);
    if (!id) return std::unexpected(id.error());
    const model::NetBootImage& image = *reading.catalogue.find(*id);
    return Meant{.settings = settings, .root = image.share_path, .folder = image.folder};
}

std::string text_of(const codec::PlistValue& value) {
    if (const auto* const text = value.get<std::string>()) return in_quotes(*text);
    if (const auto* const number = value.get<std::int64_t>()) return std::to_string(*number);
    if (const auto* const flag = value.get<bool>()) return *flag ? "true" : "false";
    if (const auto* const list = value.get<codec::PlistArray>()) {
        constexpr std::size_t most = 6;
        std::string line;
        for (std::size_t i = 0; i < std::min(list->size(), most); ++i)
            line += (i == 0 ? "" : ", ") + text_of((*list)[i]);
        if (list->size() > most) line += " and " + std::to_string(list->size() - most) + " more";
        return list->empty() ? "none" : line;
    }
    return std::string(value.type_name());
}

bool is_empty_list(const codec::PlistValue& value) {
    const auto* const list = value.get<codec::PlistArray>();
    return list != nullptr && list->empty();
}

std::string reading_of(const codec::PlistEntry& entry, bool honours_disabled) {
    const bool set = entry.value.get<bool>() != nullptr && *entry.value.get<bool>();
    if (entry.key == "Index") {
        const auto* const index = entry.value.get<std::int64_t>();
        if (index == nullptr) return "the lower half of the id";
        return *index < 4096 ? "the lower half of the id; an image of this server alone"
                             : "the lower half of the id; several servers may offer the image";
    }
    if (entry.key == "IsInstall") return set ? "listed with the installers" : "listed with the systems";
    if (entry.key == "IsEnabled") return set ? "published" : "switched off: not published";
    if (entry.key == "IsDefault")
        return set ? "candidate for the image that starts unasked" : "starts only when chosen";
    if (entry.key == "FilterOnly")
        return set ? "shown only to clients that ask for this kind" : "shown to everybody";
    if (entry.key == "SupportsDiskless") return "the root image can be shared";
    if (entry.key == "EnabledSystemIdentifiers")
        return is_empty_list(entry.value) ? "all models" : "these models only";
    if (entry.key == "DisabledSystemIdentifiers")
        return honours_disabled ? "not these models (honour-disabled-models)" : "not used, as Apple's server";
    if (entry.key == "EnabledMACAddresses")
        return is_empty_list(entry.value) ? "all Macs" : "these Macs only";
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 10> others = {{
        {"Name", "what the Mac shows"},
        {"Type", "how the root image is reached; BootFileOnly has none"},
        {"Kind", "part of the id: 1 Mac OS X, 2 Server, 3 diagnostics"},
        {"Architectures", "every Intel Mac calls itself i386"},
        {"BootFile", "loaded by TFTP from the folder of the architecture"},
        {"RootPath", "the root image"},
        {"DisabledMACAddresses", "not these Macs"},
        {"LoadBalanceServer", "the server that sends the files"},
        {"PomonaBootFileIA32", "loaded by 32-bit EFI in place of BootFile"},
        {"PomonaLoaderScript", "the script that iPXE is told to load"},
    }};
    const auto* const found =
        std::ranges::find(others, entry.key, [](const auto& pair) { return pair.first; });
    return found == others.end() ? "not used" : std::string(found->second);
}

std::vector<Key> keys_of(const store::RootFolder& root, const Meant& meant) {
    std::vector<Key> keys;
    const auto octets = root.read(meant.folder + "/" + model::image_info_file, codec::largest_plist + 1);
    if (!octets) return keys;
    const auto plist = codec::parse_plist(*octets);
    const auto* const dict = plist ? plist->get<codec::PlistDict>() : nullptr;
    if (dict == nullptr) return keys;
    const bool honours = std::ranges::count(meant.settings.honour_disabled_list, meant.folder) != 0;
    for (const codec::PlistEntry& entry : dict->entries) {
        // A key may hold anything, a line feed too.
        const std::string quoted = in_quotes(entry.key);
        keys.push_back({.name = quoted.substr(1, quoted.size() - 2),
                        .value = text_of(entry.value),
                        .reading = reading_of(entry, honours)});
    }
    return keys;
}

std::string_view machine_text(codec::EfiMachine machine) {
    return machine == codec::EfiMachine::x64 ? "x64" : "ia32";
}

/// PE's number for the processor.
std::string_view machine_number(codec::EfiMachine machine) {
    return machine == codec::EfiMachine::x64 ? "0x8664" : "0x014c";
}

std::string_view subsystem_text(std::uint16_t subsystem) {
    switch (subsystem) {
        case 10:
            return "an EFI application";
        case 11:
            return "an EFI driver for the time of booting";
        default:
            return "an EFI driver that stays";
    }
}

std::string clients_of(const model::BootFile& file) {
    return file.architecture == "ppc" ? "PowerPC" : std::string(width_text(file.width));
}

/// Macs that the lists allow, by what their firmware can start.
std::vector<Audience> audiences_of(const model::Catalogue& catalogue, const model::NetBootImage& image) {
    std::vector<Audience> audiences;
    const auto runs = [&](model::EfiWidth width) {
        return std::ranges::any_of(image.boot_files, [&](const model::BootFile& file) {
            return file.architecture == "i386" &&
                   (file.width == width || file.width == model::EfiWidth::universal);
        });
    };
    const bool is_intel = image.boot_file_for("i386") != nullptr;
    if (image.enabled_models.empty()) {
        const auto add = [&](std::string macs, bool sees, std::string_view program) {
            audiences.push_back({.macs = std::move(macs),
                                 .sees = sees,
                                 .why = (sees ? "there is a program for " : "there is no program for ") +
                                        std::string(program)});
        };
        const bool x64 = runs(model::EfiWidth::x64);
        const bool ia32 = runs(model::EfiWidth::ia32);
        add("models with 64-bit EFI, and unknown ones", x64, "64-bit EFI");
        add("models with 32-bit EFI", ia32, "32-bit EFI");
        audiences.push_back({.macs = "models whose EFI is doubtful",
                             .sees = is_intel,
                             .why = !is_intel     ? "there is no program for Intel Macs"
                                    : x64 && ia32 ? "there is a program for either width"
                                                  : "it may be able to start the program"});
        add("PowerPC Macs", image.boot_file_for("ppc") != nullptr, "PowerPC");
    }
    for (const std::string& model : image.enabled_models) {
        const auto facts = catalogue.models().find(model);
        const model::Firmware firmware = catalogue.models().firmware_of(model);
        const bool is_ppc = firmware == model::Firmware::none;
        const model::ClientTraits client{.mac = {}, .architecture = is_ppc ? "ppc" : "i386", .model = model};
        const bool sees = catalogue.boot_file_for(image, client) != nullptr;
        std::string why = "its EFI is doubtful";
        if (is_ppc) why = "it has no EFI";
        if (firmware == model::Firmware::ia32) why = "its EFI has 32 bits";
        if (firmware == model::Firmware::x64)
            why = facts ? "its EFI has 64 bits" : "it is unknown and counts as 64-bit";
        if (facts && facts->netboot != model::NetBooting::yes) why += ", but this model cannot NetBoot";
        audiences.push_back({.macs = in_quotes(model), .sees = sees, .why = std::move(why)});
    }
    for (const std::string& model : image.disabled_models)
        audiences.push_back({.macs = in_quotes(model), .sees = false, .why = "the plist disables it"});
    return audiences;
}

Explanation explain(const Meant& meant, const store::ImageReading& reading) {
    Explanation explanation;
    explanation.path = meant.path();
    for (const model::NetBootImage& image : reading.catalogue.images()) {
        if (image.share_path == meant.root && image.folder == meant.folder) explanation.image = &image;
    }
    std::ranges::copy_if(
        reading.problems, std::back_inserter(explanation.problems), [&](const model::ImageProblem& problem) {
            return problem.path == explanation.path || problem.path.starts_with(explanation.path + "/") ||
                   problem.path == meant.root;
        });
    const auto root = store::RootFolder::open(meant.root);
    if (root) explanation.keys = keys_of(*root, meant);
    if (explanation.image == nullptr || !root) return explanation;

    const model::NetBootImage& image = *explanation.image;
    const auto* const first =
        reading.catalogue.default_for({.mac = {}, .architecture = "i386", .model = {}}, std::nullopt);
    explanation.is_first_for_unknown = first == &image;
    for (const model::BootFile& file : image.boot_files) {
        Program program{.path = file.path,
                        .clients = clients_of(file),
                        .tftp_path = model::tftp_path(image, file),
                        .efi = {}};
        if (file.width != model::EfiWidth::other) {
            if (auto efi = root->efi(meant.folder + "/" + file.path)) program.efi = std::move(*efi);
        }
        explanation.programs.push_back(std::move(program));
    }
    // The address is that of the interface a Mac asks on.
    explanation.root_path = model::root_path_option(image, base::Ipv4Address());
    constexpr std::string_view nobody = "0.0.0.0";
    const std::size_t at = explanation.root_path.find(nobody);
    if (at != std::string::npos) explanation.root_path.replace(at, nobody.size(), "SERVER");
    explanation.audiences = audiences_of(reading.catalogue, image);
    return explanation;
}

void print(const Explanation& explanation, std::ostream& out) {
    const model::NetBootImage* const image = explanation.image;
    out << explanation.path << '\n';
    if (image == nullptr) {
        out << "  not published; the problems below say why\n";
    } else {
        out << "  " << image->name << ", " << image->id.text()
            << " on the wire: " << (image->id.is_install() ? "installer" : "system") << ", kind "
            << static_cast<int>(image->id.kind()) << ", index " << image->id.index() << '\n'
            << "  enabled; " << (image->is_default ? "a default image" : "not a default image")
            << (explanation.is_first_for_unknown ? ", the one that 64-bit Macs start unasked" : "") << '\n';
    }
    std::size_t widest_name = 0;
    for (const Key& key : explanation.keys) widest_name = std::max(widest_name, key.name.size());
    if (!explanation.keys.empty()) out << "\nKeys of " << model::image_info_file << '\n';
    for (const Key& key : explanation.keys) {
        out << "  " << key.name << std::string(widest_name - key.name.size() + 2, ' ') << key.value << "  ("
            << key.reading << ")\n";
    }
    if (image == nullptr) out << '\n';
    if (image != nullptr) {
        out << "\nBoot files\n";
        for (const Program& program : explanation.programs) {
            out << "  " << program.path << "  for " << program.clients;
            if (program.efi && program.efi->is_container) out << ", a universal file";
            out << '\n';
            if (program.efi) {
                for (const codec::EfiSlice& slice : program.efi->slices) {
                    out << "      " << machine_text(slice.machine)
                        << (slice.machine == codec::EfiMachine::x64 ? " " : "") << "  offset " << slice.offset
                        << ", " << slice.size << " octets; machine " << machine_number(slice.machine)
                        << ", subsystem " << slice.subsystem << " (" << subsystem_text(slice.subsystem)
                        << ")\n";
                }
            }
            out << "      TFTP path " << program.tftp_path << '\n';
        }
        out << "\nRoot path\n  "
            << (explanation.root_path.empty() ? "none: the program is all" : explanation.root_path) << '\n';
        out << "\nShown to  (" << audience_text(*image) << ")\n";
        for (const Audience& audience : explanation.audiences) {
            out << "  " << (audience.sees ? "yes  " : "no   ") << audience.macs << ": " << audience.why
                << '\n';
        }
        out << '\n';
    }
    if (explanation.problems.empty()) out << "No problems.\n";
    for (const model::ImageProblem& problem : explanation.problems) out << problem.text() << '\n';
}

void print_json(const Explanation& explanation, std::ostream& out) {
    ordered_json keys = ordered_json::array();
    for (const Key& key : explanation.keys)
        keys.push_back({{"key", key.name}, {"value", key.value}, {"reading", key.reading}});
    ordered_json programs = ordered_json::array();
    for (const Program& program : explanation.programs) {
        ordered_json slices = ordered_json::array();
        if (program.efi) {
            for (const codec::EfiSlice& slice : program.efi->slices) {
                slices.push_back({{"machine", machine_text(slice.machine)},
                                  {"subsystem", slice.subsystem},
                                  {"offset", slice.offset},
                                  {"size", slice.size}});
            }
        }
        programs.push_back({{"path", program.path},
                            {"clients", program.clients},
                            {"tftp_path", program.tftp_path},
                            {"universal", program.efi && program.efi->is_container},
                            {"slices", slices}});
    }
    ordered_json audiences = ordered_json::array();
    for (const Audience& audience : explanation.audiences)
        audiences.push_back({{"macs", audience.macs}, {"sees", audience.sees}, {"why", audience.why}});
    ordered_json problems = ordered_json::array();
    for (const model::ImageProblem& problem : explanation.problems) problems.push_back(problem_json(problem));
    out << ordered_json{{"path", explanation.path},
                        {"published", explanation.image != nullptr},
                        {"starts_unasked", explanation.is_first_for_unknown},
                        {"image",
                         explanation.image == nullptr ? ordered_json() : image_json(*explanation.image)},
                        {"keys", keys},
                        {"programs", programs},
                        {"root_path", explanation.root_path},
                        {"shown_to", audiences},
                        {"problems", problems}}
               .dump(2, ' ', false, ordered_json::error_handler_t::replace)
        << '\n';
}

}  // namespace

int show_image(const store::ImageFolderSettings& settings, const std::string& image, bool json,
               std::ostream& out, std::ostream& err) {
    const auto meant = find_meant(settings, image);
    if (!meant) {
        err << "pomona image show: " << meant.error().text() << '\n';
        return 1;
    }
    const store::ImageReading reading = store::read_image_folders(meant->settings);
    const Explanation explanation = explain(*meant, reading);
    if (json) {
        print_json(explanation, out);
    } else {
        print(explanation, out);
    }
    return std::ranges::any_of(
               explanation.problems,
               [](const model::ImageProblem& problem) { return problem.severity == Severity::error; })
               ? 1
               : 0;
}

}  // namespace pomona::app
