#include "app/image_text.hpp"

#include <pomona/model/boot_paths.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>

namespace pomona::app {

namespace {

using model::ImageProblem;
using Severity = model::ImageProblem::Severity;

/// Lists of models may have eighty entries; a person wants the first few.
constexpr std::size_t most_listed = 8;

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

}  // namespace

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

namespace {

/// " with 64-bit EFI" when the image has programs of that width only.
std::string_view width_limit(const model::NetBootImage& image) {
    bool ia32 = false;
    bool x64 = false;
    for (const model::BootFile& file : image.boot_files) {
        ia32 = ia32 || file.width == model::EfiWidth::ia32 || file.width == model::EfiWidth::universal;
        x64 = x64 || file.width == model::EfiWidth::x64 || file.width == model::EfiWidth::universal;
    }
    if (ia32 == x64) return "";
    return ia32 ? " with 32-bit EFI" : " with 64-bit EFI";
}

}  // namespace

std::string audience_text(const model::NetBootImage& image) {
    std::vector<std::string> architectures;
    architectures.reserve(image.boot_files.size());
    for (const model::BootFile& file : image.boot_files) {
        if (std::ranges::count(architectures, file.architecture) == 0)
            architectures.push_back(file.architecture);
    }
    std::string line = joined(architectures) + " Macs" + std::string(width_limit(image)) + ", ";
    line += image.enabled_models.empty() ? "all models" : "models " + joined(image.enabled_models);
    if (!image.disabled_models.empty()) line += " but not " + joined(image.disabled_models);
    if (!image.enabled_macs.empty()) line += ", only " + joined(texts(image.enabled_macs));
    if (!image.disabled_macs.empty()) line += ", without " + joined(texts(image.disabled_macs));
    if (image.filter_only) line += ", only when they ask for this kind";
    return line;
}

nlohmann::ordered_json image_json(const model::NetBootImage& image) {
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

nlohmann::ordered_json problem_json(const ImageProblem& problem) {
    return {{"severity", severity_text(problem.severity)},
            {"path", problem.path},
            {"key", problem.key},
            {"what", problem.what},
            {"remedy", problem.remedy}};
}

store::ImageFolderSettings settings_for_folder(store::ImageFolderSettings settings,
                                               const std::string& folder) {
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

}  // namespace pomona::app
