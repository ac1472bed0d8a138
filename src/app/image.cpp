#include "app/image.hpp"

#include "app/image_text.hpp"

#include <pomona/model/boot_paths.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <ostream>
#include <string_view>

namespace pomona::app {

namespace {

using model::ImageProblem;
using Severity = model::ImageProblem::Severity;

void print(std::ostream& out, const model::NetBootImage& image) {
    out << image.id.text() << "  " << image.name << (image.is_default ? "  (default)" : "") << "\n"
        << "    folder    " << image.share_path << "/" << image.folder << "\n"
        << "    shown to  " << audience_text(image) << "\n";
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

void print_json(std::ostream& out, const store::ImageReading& reading) {
    nlohmann::ordered_json images = nlohmann::ordered_json::array();
    for (const model::NetBootImage& image : reading.catalogue.images()) images.push_back(image_json(image));
    nlohmann::ordered_json problems = nlohmann::ordered_json::array();
    for (const ImageProblem& problem : reading.problems) {
        problems.push_back(problem_json(problem));
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
        store::read_image_folders(folder ? settings_for_folder(settings, *folder) : settings);
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
