// MachineOptions: what `pomona machine` was asked to do.
#pragma once

#include <pomona/base/addresses.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace pomona::app {

struct MachineOptions {
    enum class Action : std::uint8_t { list, show, select, forget };

    Action action = Action::list;
    base::MacAddress mac;              ///< all but list
    std::optional<std::string> model;  ///< --model; none: every record of the MAC
    std::string image;                 ///< select: an image id, or the name of an image or its folder
    bool json = false;
};

}  // namespace pomona::app
