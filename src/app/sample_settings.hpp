// The sample settings file, made from the table of settings.
#pragma once

#include <string>

namespace pomona::app {

/// Every setting with its meaning, commented out; packaging/pomona.conf is this.
std::string sample_settings();

}  // namespace pomona::app
