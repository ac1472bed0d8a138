// The one table of all settings: parsing, help, manual, shell completion and the sample file follow it.
#pragma once

#include "app/flag.hpp"
#include "app/settings.hpp"

#include <pomona/base/error.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pomona::app {

struct Setting {
    std::string_view section;  ///< heading in help and manual
    Flag flag;
    /// The default as it would be written; empty for none.
    std::string_view default_value;
    /// What an empty default means: "every suitable interface".
    std::string_view default_meaning;
    /// Reads one value into its field; a list grows by it. The error has no `where` yet.
    base::Result<void> (*assign)(Settings& settings, const std::string& value);
    /// Empties a list; does nothing to other fields.
    void (*clear)(Settings& settings);

    [[nodiscard]] std::string_view name() const { return flag.name; }
    /// "POMONA_TFTP_ROOT"
    [[nodiscard]] std::string variable() const;
};

std::span<const Setting> setting_table();

/// Null if there is none.
const Setting* find_setting(std::string_view name);

std::vector<std::string_view> setting_names();

/// The flags of all settings.
std::vector<Flag> setting_flags();

}  // namespace pomona::app
