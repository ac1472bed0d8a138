// `pomona image list` and `pomona image check [DIR]`: what is published to whom, or which file and key is
// wrong and what to do about it.
#pragma once

#include "store/image_folders.hpp"

#include <iosfwd>
#include <optional>
#include <string>

namespace pomona::app {

/// Writes every published image and every problem; `json` gives one object with "images" and "problems".
/// Returns the exit code: 0, or 1 if there is a problem of severity error.
int list_images(const store::ImageFolderSettings& settings, bool json, std::ostream& out);

/// The same with the problems in front and a summary at the end. `folder` is one image folder or a folder of
/// such; without it the roots of the settings are looked at.
int check_images(const store::ImageFolderSettings& settings, const std::optional<std::string>& folder,
                 bool json, std::ostream& out);

}  // namespace pomona::app
