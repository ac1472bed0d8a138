// ImageOptions: what `pomona image` was asked to do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace pomona::app {

struct ImageOptions {
    enum class Action : std::uint8_t { list, check };

    Action action = Action::list;
    /// check: one image folder, or a folder of such; none: the image roots of the settings.
    std::optional<std::string> folder;
    bool json = false;
};

}  // namespace pomona::app
