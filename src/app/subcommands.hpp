// The table of all subcommands: parsing, help, manual and shell completion follow it.
#pragma once

#include "app/flag.hpp"

#include <span>
#include <string_view>
#include <vector>

namespace pomona::app {

struct Example {
    std::string_view command;
    std::string_view meaning;
};

/// A first word that says more closely what to do: `machine select MAC IMAGE`.
struct Action {
    std::string_view name;
    std::string_view words;  ///< "MAC IMAGE"
    std::string_view help;   ///< one sentence without its full stop
};

struct Subcommand {
    std::string_view name;
    std::string_view summary;      ///< one sentence without its full stop
    std::string_view description;  ///< paragraphs separated by '\n'
    std::span<const Action> actions;
    std::span<const Flag> flags;
    /// Settings that may stand on its command line: "image-root|image-order", "*" for all. Empty: none, and
    /// no settings are read.
    std::string_view settings;
    std::span<const Example> examples;
};

std::span<const Subcommand> subcommand_table();

/// Null if there is none.
const Subcommand* find_subcommand(std::string_view name);

std::vector<std::string_view> subcommand_names();

/// --config, for every subcommand that reads settings.
const Flag& config_flag();

/// All that may stand on its command line: its own, its settings, --config and --help.
std::vector<Flag> flags_of(const Subcommand& subcommand);

}  // namespace pomona::app
