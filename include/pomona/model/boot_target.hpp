// BootTarget: something that a machine can boot, described in a file of its own that an administrator can
// read and version. docs/targets.md is the manual.
#pragma once

#include <pomona/base/error.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pomona::model {

enum class TargetKind : std::uint8_t {
    image,    ///< a published NetBoot image
    linux,    ///< kernel, initial ramdisks and a command line
    efi,      ///< an EFI program
    chain,    ///< a script or program at a URL
    sanboot,  ///< an ISO or disk at a URL, by iPXE
    fog,      ///< the FOG server of the setting fog-url
    disk,     ///< the machine's own disk
    menu,     ///< one of several, chosen at the machine
    ignore,   ///< the machine is not answered
};

/// "image", "linux", ...
[[nodiscard]] std::string_view text(TargetKind kind);

/// Every text is UTF-8 without control characters. Places are URLs (http, https, tftp) or paths below the
/// roots from which this server serves, without a leading slash.
struct BootTarget {
    /// The file's name without ".conf": letters, digits, '.', '_' and '-', at most 64 octets.
    std::string name;
    /// What a menu shows; the name if the file says nothing.
    std::string title;
    TargetKind kind = TargetKind::disk;
    /// image: an id, index, folder or name, as `pomona machine select` takes it.
    std::string image;
    /// linux: place.
    std::string kernel;
    /// linux: places, in the order in which they are loaded.
    std::vector<std::string> initrds;
    /// linux: the kernel's command line.
    std::string arguments;
    /// efi: place.
    std::string program;
    /// chain, sanboot.
    std::string url;
    /// menu: names of targets, in order; at most 64.
    std::vector<std::string> entries;
    /// menu: the entry that is taken when time is up; the first if the file says nothing.
    std::string default_entry;
    /// menu: how long it waits; nullopt: until somebody chooses.
    std::optional<std::chrono::seconds> timeout;

    friend bool operator==(const BootTarget&, const BootTarget&) = default;
};

/// "key = value" lines, '#' begins a comment line. Refuses unknown keys, keys of another kind, keys given
/// twice (but for initrd and entry), missing ones and values that cannot be. Error::where is "line 3", or
/// empty.
[[nodiscard]] base::Result<BootTarget> parse_boot_target(std::string_view name, std::string_view file);

/// The file that parse_boot_target reads back to the same target.
[[nodiscard]] std::string write_boot_target(const BootTarget& target);

/// A place that is a URL and no path of ours.
[[nodiscard]] bool is_url(std::string_view place);

/// All targets by name; immutable.
class BootTargets {
  public:
    BootTargets() = default;

    /// Sorts them. A menu whose entry does not exist, or that leads back to itself, is left out and reported,
    /// as is the second of two of one name; Error::where is the target's name.
    static BootTargets build(const std::vector<BootTarget>& targets, std::vector<base::Error>& problems);

    [[nodiscard]] const BootTarget* find(std::string_view name) const;
    [[nodiscard]] std::span<const BootTarget> all() const { return targets_; }

  private:
    struct Menu {
        std::string trouble;
        bool done = false;
    };
    [[nodiscard]] std::string trouble_of(const BootTarget& target,
                                         std::map<std::string, Menu, std::less<>>& looked_at) const;

    std::vector<BootTarget> targets_;
};

}  // namespace pomona::model
