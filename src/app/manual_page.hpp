// The manual page, made from the tables of subcommands and settings.
#pragma once

#include <string>

namespace pomona::app {

/// In mdoc; docs/pomona.8 is this.
std::string manual_page();

}  // namespace pomona::app
