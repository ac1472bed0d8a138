// Flag: what help, manual and shell completion need to know of one flag; and the reading of command lines
// made of such flags (by Boost.Program_options).
#pragma once

#include <pomona/base/error.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pomona::app {

/// What a shell may offer as the value of a flag.
enum class Completes : std::uint8_t { nothing, choices, file, folder, interface, user };

struct Flag {
    std::string_view name;        ///< without dashes: "tftp-root"
    std::string_view value_name;  ///< "FOLDER"; empty for a switch, which takes no value
    std::string_view help;        ///< one sentence without its full stop
    std::string_view example = {};
    Completes completes = Completes::nothing;
    std::string_view choices = {};  ///< "on|off|external"
    bool repeatable = false;
    /// The value may be left out, and is "on" then.
    bool on_or_off = false;
};

/// A flag that was given, with its value; switches have the value "on".
struct GivenFlag {
    std::string name;
    std::string value;
};

struct GivenArguments {
    std::vector<GivenFlag> flags;
    std::vector<std::string> words;  ///< everything that is no flag, in order
};

/// Reads `--name value`, `--name=value` and words in any order; after `--` only words. A flag that is not
/// repeatable may be given once. The error names the flag and the remedy.
base::Result<GivenArguments> read_arguments(std::span<const std::string> arguments,
                                            std::span<const Flag> flags);

/// "did you mean X?", or empty when none of the names is close.
std::string did_you_mean(std::string_view given, std::span<const std::string_view> names,
                         std::string_view prefix = {});

/// 'text' for a message of one line: control characters are escaped, long texts are cut.
std::string in_quotes(std::string_view text);

/// The parts of "a|b|c".
std::vector<std::string_view> choices_of(std::string_view choices);

}  // namespace pomona::app
