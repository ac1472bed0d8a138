// Completion for bash, made from the tables of subcommands and settings.
#pragma once

#include <string>

namespace pomona::app {

/// A script to be sourced; packaging/pomona.bash-completion is this.
std::string bash_completion();

}  // namespace pomona::app
