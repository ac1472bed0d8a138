// Settings files: lines `name = value`, comments after `#`, values in double quotes when they begin or end
// with a blank or hold " #". No sections.
#pragma once

#include "app/settings.hpp"

#include <pomona/base/error.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace pomona::app {

/// Each value with its source "FILE line N". Names are not checked here.
base::Result<std::vector<GivenSetting>> parse_settings_text(std::string_view text, const std::string& file);

/// FILE, then FILE.d/*.conf in the order of their names. A missing FILE is an error only if `must_exist`.
base::Result<std::vector<GivenSetting>> read_settings_files(const std::string& file, bool must_exist);

}  // namespace pomona::app
