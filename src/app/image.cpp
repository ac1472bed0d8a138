#include "app/image.hpp"

#include <pomona/model/boot_paths.hpp>
#include <pomona/model/image_rules.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <ostream>
#include <string_view>

namespace pomona::app {

namespace {

using model::ImageProblem;
using Severity = model::ImageProblem::Severity;

/// Lists of models may have eighty entries; a person wants the first few.
constexpr std::size_t most_listed = 8;

std::string_view width_text(model::EfiWidth width) {
    switch (width) {
        case model::EfiWidth::ia32:
            return "32-bit EFI";
        case model::EfiWidth::x64:
            return "64-bit EFI";
        case model::EfiWidth::universal:
            return "32- and 64-bit EFI";
        case model::EfiWidth::other:
            break;
    }
    return "no EFI";
}

std::string_view type_text(model::ImageType type) {
    switch (type) {
        case model::ImageType::nfs:
            return "NFS";
        case model::ImageType::http:
            return "HTTP";
        case model::ImageType::boot_file_only:
            break;
    }
    return "BootFileOnly";
}

std::string_view severity_text(Severity severity) {
    switch (severity) {
        case Severity::note:
            return "note";
        case Severity::warning:
            return "warning";
        case Severity::error:
            break;
    }
    return "error";
}

std::vector<std::string> texts(const std::vector<base::MacAddress>& macs) {
    std::vector<std::string> texts;
    texts.reserve(macs.size());
    for (const base::MacAddress mac : macs) texts.push_back(mac.text());
    return texts;
}

std::string joined(const std::vector<std::string>& texts) {
    std::string line;
    for (std::size_t i = 0; i < std::min(texts.size(), most_listed); ++i)
        line += (i == 0 ? "" : ", ") + texts[i];
    if (texts.size() > most_listed) line += " and " + std::to_string(texts.size() - most_listed) + " more";
    return line;
}

std::string audience(const model::NetBootImage& image) {
    std::vector<std::string> architectures;
    architectures.reserve(image.boot_files.size());
    for (const model::BootFile& file : image.boot_files) architectures.push_back(file.architecture);
    std::string line = joined(architectures) + " Macs, ";
    line += image.enabled_models.empty() ? "all models" : "models " + joined(image.enabled_models);
    if (!image.disabled_models.empty()) line += " but not " + joined(image.disabled_models);
    if (!image.enabled_macs.empty()) line += ", only " + joined(texts(image.enabled_macs));
    if (!image.disabled_macs.empty()) line += ", without " + joined(texts(image.disabled_macs));
    if (image.filter_only) line += ", only when they ask for this kind";
    return line;
}

void print(std::ostream& out, const model::NetBootImage& image) {
    out << image.id.text() << "  " << image.name << (image.is_default ? "  (default)" : "") << "\n"
        << "    folder    " << image.share_path << "/" << image.folder << "\n"
        << "    shown to  " << audience(image) << "\n";
    for (const model::BootFile& file : image.boot_files) {
        out << "    loads     " << model::tftp_path(image, file) << "  (" << file.architecture << ", "
            << width_text(file.width) << ", " << file.size << " octets)\n";
    }
    if (image.root_path) {
        const bool local = image.root_path->elsewhere.empty();
        out << "    root      " << (local ? image.root_path->local_file : image.root_path->elsewhere) << "  ("
            << type_text(image.type) << (image.supports_diskless ? ", diskless" : "") << ")\n";
    }
    if (image.load_balance_server) out << "    server    " << image.load_balance_server->text() << "\n";
}

void print(std::ostream& out, const std::vector<ImageProblem>& problems) {
    for (const ImageProblem& problem : problems) out << problem.text() << "\n";
}

nlohmann::ordered_json json_of(const model::NetBootImage& image) {
    nlohmann::ordered_json files = nlohmann::ordered_json::array();
    for (const model::BootFile& file : image.boot_files) {
        const bool x64 = file.width == model::EfiWidth::x64 || file.width == model::EfiWidth::universal;
        const bool ia32 = file.width == model::EfiWidth::ia32 || file.width == model::EfiWidth::universal;
        nlohmann::ordered_json widths = nlohmann::ordered_json::array();
        if (ia32) widths.push_back(32);
        if (x64) widths.push_back(64);
        files.push_back({{"architecture", file.architecture},
                         {"tftp_path", model::tftp_path(image, file)},
                         {"efi_widths", widths},
                         {"size", file.size}});
    }
    nlohmann::ordered_json root = nullptr;
    if (image.root_path) {
        root = image.root_path->elsewhere.empty()
                   ? nlohmann::ordered_json{{"file", image.root_path->local_file}}
                   : nlohmann::ordered_json{{"place", image.root_path->elsewhere}};
    }
    nlohmann::ordered_json server = nullptr;
    if (image.load_balance_server) server = image.load_balance_server->text();
    return {{"id", image.id.text()},
            {"index", image.id.index()},
            {"kind", image.id.kind()},
            {"install", image.id.is_install()},
            {"name", image.name},
            {"type", type_text(image.type)},
            {"default", image.is_default},
            {"diskless", image.supports_diskless},
            {"filter_only", image.filter_only},
            {"share", image.share},
            {"folder", image.folder},
            {"path", image.share_path + "/" + image.folder},
            {"boot_files", files},
            {"root", root},
            {"models", image.enabled_models},
            {"disabled_models", image.disabled_models},
            {"macs", texts(image.enabled_macs)},
            {"disabled_macs", texts(image.disabled_macs)},
            {"load_balance_server", server}};
}

void print_json(std::ostream& out, const store::ImageReading& reading) {
    nlohmann::ordered_json images = nlohmann::ordered_json::array();
    for (const model::NetBootImage& image : reading.catalogue.images()) images.push_back(json_of(image));
    nlohmann::ordered_json problems = nlohmann::ordered_json::array();
    for (const ImageProblem& problem : reading.problems) {
        problems.push_back({{"severity", severity_text(problem.severity)},
                            {"path", problem.path},
                            {"key", problem.key},
                            {"what", problem.what},
                            {"remedy", problem.remedy}});
    }
    // Names of folders need not be UTF-8.
    out << nlohmann::ordered_json{{"images", images}, {"problems", problems}}.dump(
               2, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
        << "\n";
}

std::string count_of(std::size_t count, const char* what) {
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

void print_summary(std::ostream& out, const store::ImageReading& reading) {
    const auto count = [&](Severity severity) {
        return static_cast<std::size_t>(
            std::ranges::count(reading.problems, severity, &ImageProblem::severity));
    };
    out << count_of(reading.catalogue.images().size(), "image") << " of "
        << count_of(reading.folders, "folder") << " published, " << count_of(count(Severity::error), "error")
        << ", " << count_of(count(Severity::warning), "warning") << "\n";
}

/// The settings for a look at one folder: a single image, or a folder of images.
store::ImageFolderSettings settings_for(store::ImageFolderSettings settings, const std::string& folder) {
    std::error_code ignored;
    std::filesystem::path path = std::filesystem::absolute(folder, ignored).lexically_normal();
    if (!path.has_filename()) path = path.parent_path();
    settings.only_folder.reset();
    if (path.extension() == ".nbi") {
        settings.only_folder = path.filename().string();
        path = path.parent_path();
    }
    // Its name in TFTP paths is known if it is one of the roots.
    const auto known = std::ranges::find_if(settings.roots, [&](const store::ImageRoot& root) {
        std::error_code error;
        return std::filesystem::equivalent(root.path, path, error) && !error;
    });
    const std::string name = known == settings.roots.end() ? "NetBootSP0" : known->name;
    // A folder that is still being prepared elsewhere need not lie where another TFTP server finds it.
    if (known == settings.roots.end()) settings.external_tftp_root.reset();
    settings.roots = {{.name = name, .path = path.string()}};
    return settings;
}

}  // namespace

int list_images(const store::ImageFolderSettings& settings, bool json, std::ostream& out) {
    const store::ImageReading reading = store::read_image_folders(settings);
    if (json) {
        print_json(out, reading);
    } else {
        for (const model::NetBootImage& image : reading.catalogue.images()) print(out, image);
        if (reading.catalogue.empty()) out << "no image is published\n";
        if (!reading.problems.empty()) out << "\n";
        print(out, reading.problems);
    }
    return reading.has_errors() ? 1 : 0;
}

int check_images(const store::ImageFolderSettings& settings, const std::optional<std::string>& folder,
                 bool json, std::ostream& out) {
    const store::ImageReading reading =
        store::read_image_folders(folder ? settings_for(settings, *folder) : settings);
    if (json) {
        print_json(out, reading);
    } else {
        print(out, reading.problems);
        if (!reading.problems.empty() && !reading.catalogue.empty()) out << "\n";
        for (const model::NetBootImage& image : reading.catalogue.images()) print(out, image);
        print_summary(out, reading);
    }
    return reading.has_errors() ? 1 : 0;
}

}  // namespace pomona::app
