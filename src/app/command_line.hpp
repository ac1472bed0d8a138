// The command line: which subcommand was asked for, with everything it needs, checked and typed.
#pragma once

#include "app/image_options.hpp"
#include "app/machine_options.hpp"
#include "app/probe_options.hpp"
#include "app/settings.hpp"

#include <pomona/base/error.hpp>

#include <span>
#include <string>
#include <variant>
#include <vector>

namespace pomona::app {

struct ServeCommand {
    Settings settings;
};
struct CheckCommand {
    Settings settings;
    bool json = false;
};
struct ProbeCommand {
    ProbeOptions options;
};
struct ImageCommand {
    ImageOptions options;
    Settings settings;
};
struct MachineCommand {
    MachineOptions options;
    Settings settings;
};
/// Help, version, completion: print this and be done.
struct PrintCommand {
    std::string text;
};

using Command =
    std::variant<ServeCommand, CheckCommand, ProbeCommand, ImageCommand, MachineCommand, PrintCommand>;

/// `arguments` without the program's name. Reads settings files where the subcommand has settings. Every
/// error is one of usage (exit code 2).
base::Result<Command> parse_command_line(std::span<const std::string> arguments,
                                         const std::vector<std::string>& environment,
                                         std::string_view default_file = default_config_file);

}  // namespace pomona::app
