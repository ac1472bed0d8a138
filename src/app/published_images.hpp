// The image part of several subcommands: how settings become image roots, and what `pomona check` says of
// them.
#pragma once

#include "app/check.hpp"
#include "app/settings.hpp"
#include "store/image_folders.hpp"

#include <vector>

namespace pomona::app {

store::ImageFolderSettings image_folder_settings(const Settings& settings);

/// Every problem of an image, and one line about those that are published.
std::vector<Finding> check_published_images(const Settings& settings);

}  // namespace pomona::app
