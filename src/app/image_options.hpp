// ImageOptions: what `pomona image` was asked to do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pomona::app {

/// `pomona image make`.
struct ImageMakeOptions {
    /// Of the folder, with or without ".nbi".
    std::string name;
    /// Plain EFI programs; at least one of the two.
    std::optional<std::string> x64;
    std::optional<std::string> ia32;
    std::optional<std::uint16_t> index;  ///< none: a free one from 4097 on
    bool is_install = true;
    bool is_default = false;
    std::vector<std::string> models;     ///< empty: all that can start a program of it
    std::optional<std::string> title;    ///< what the Mac shows; none: the name
    std::optional<std::string> script;   ///< PomonaLoaderScript, a path inside the folder
    std::vector<std::string> additions;  ///< folders and files that are copied into the folder
    bool separate = false;               ///< two boot files instead of a universal one
    bool replace = false;
    std::optional<std::string> output;  ///< a folder; none: the first image root
};

struct ImageOptions {
    enum class Action : std::uint8_t { list, check, show, make };

    Action action = Action::list;
    /// check: one image folder, or a folder of such; none: the image roots of the settings. show: the image.
    std::optional<std::string> folder;
    ImageMakeOptions make;
    bool json = false;
};

}  // namespace pomona::app
