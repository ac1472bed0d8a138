// `pomona image list`, `pomona image check [DIR]` and `pomona image show IMAGE`: what is published to whom,
// or which file and key is wrong and what to do about it.
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

/// Explains one image: its keys, who sees it, its boot files, paths and problems. `image` is a folder of the
/// image roots (with or without ".nbi"), the name, index or id of a published image, or a path to a folder
/// elsewhere. Returns 0, 1 for a problem of severity error, and 1 with a line on `err` when there is no such
/// image.
int show_image(const store::ImageFolderSettings& settings, const std::string& image, bool json,
               std::ostream& out, std::ostream& err);

}  // namespace pomona::app
