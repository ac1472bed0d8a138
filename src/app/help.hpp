// Help for people at a terminal, made from the tables of subcommands and settings.
#pragma once

#include "app/subcommands.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace pomona::app {

/// What there is at all.
std::string help_text();

/// Usage, meaning, flags and examples of one subcommand.
std::string help_text(const Subcommand& subcommand);

/// Lines of at most 80 columns, each after `indent` blanks; the first line continues at column `start`.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t start);

}  // namespace pomona::app
