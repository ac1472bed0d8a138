// `pomona image make`: writes an image folder around EFI programs. The folder appears whole or not at all.
#pragma once

#include "app/image_options.hpp"
#include "store/image_folders.hpp"

#include <pomona/base/boot_image_id.hpp>
#include <pomona/base/error.hpp>
#include <pomona/model/catalogue.hpp>

#include <iosfwd>
#include <string>
#include <vector>

namespace pomona::app {

struct MadeImage {
    std::string path;
    base::BootImageId id;
    bool replaced = false;
    /// What `image check` says of it: warnings at most.
    std::vector<model::ImageProblem> problems;
};

/// Refuses every clash of programs, models, names and indexes with the remedy; Error::where is the flag or
/// the file. `settings` names the image roots, whose indexes are taken, and the table of models.
base::Result<MadeImage> make_image(const ImageMakeOptions& options,
                                   const store::ImageFolderSettings& settings);

/// Returns the exit code: 0, or 1 with one line on `err`.
int run_image_make(const ImageMakeOptions& options, const store::ImageFolderSettings& settings, bool json,
                   std::ostream& out, std::ostream& err);

}  // namespace pomona::app
