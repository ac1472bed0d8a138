#include "app/published_images.hpp"

#include <string>

namespace pomona::app {

store::ImageFolderSettings image_folder_settings(const Settings& settings) {
    store::ImageFolderSettings images;
    for (const ImageRoot& root : settings.image_roots) images.roots.push_back({root.name, root.path});
    images.pinned_order = settings.image_order;
    images.honour_disabled_list = settings.honour_disabled_models;
    for (const std::string& model : settings.ia32_models)
        images.models.override_firmware(model, model::Firmware::ia32);
    for (const std::string& model : settings.x64_models)
        images.models.override_firmware(model, model::Firmware::x64);
    if (settings.tftp == TftpMode::external) images.external_tftp_root = settings.tftp_root;
    return images;
}

std::vector<Finding> check_published_images(const Settings& settings) {
    const store::ImageReading reading = store::read_image_folders(image_folder_settings(settings));
    std::vector<Finding> findings;
    for (const model::ImageProblem& problem : reading.problems) {
        const bool error = problem.severity == model::ImageProblem::Severity::error;
        findings.push_back({.severity = error ? Finding::Severity::error : Finding::Severity::warning,
                            .subject = "image " + problem.path,
                            .what = problem.key.empty() ? problem.what : problem.key + ": " + problem.what,
                            .remedy = problem.remedy});
    }
    const std::size_t published = reading.catalogue.images().size();
    if (published > 0) {
        findings.push_back({.severity = Finding::Severity::ok,
                            .subject = "images",
                            .what = std::to_string(published) + " of " + std::to_string(reading.folders) +
                                    " image folders are published",
                            .remedy = ""});
    } else {
        findings.push_back({.severity = Finding::Severity::error,
                            .subject = "images",
                            .what = "no image is published, so every Mac gets silence",
                            .remedy =
                                "put an .nbi folder into an image root; 'pomona image check' tells about "
                                "each one"});
    }
    return findings;
}

}  // namespace pomona::app
