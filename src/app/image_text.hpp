// Images and their problems for people and programs: what the actions of `pomona image` share.
#pragma once

#include "store/image_folders.hpp"

#include <pomona/model/catalogue.hpp>
#include <pomona/model/netboot_image.hpp>

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace pomona::app {

std::string_view width_text(model::EfiWidth width);
std::string_view type_text(model::ImageType type);

/// "i386 Macs, models iMac12,1, without 00:01:02:03:04:05"
std::string audience_text(const model::NetBootImage& image);

nlohmann::ordered_json image_json(const model::NetBootImage& image);
nlohmann::ordered_json problem_json(const model::ImageProblem& problem);

/// The settings for a look at one folder: a single image, or a folder of images.
store::ImageFolderSettings settings_for_folder(store::ImageFolderSettings settings,
                                               const std::string& folder);

}  // namespace pomona::app
