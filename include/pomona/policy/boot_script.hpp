// A boot target as the script that a loader runs: iPXE, gPXE, GRUB and PXELINUX say the same thing in their
// own languages. Nothing that a target or a machine says can add a line or a command to a script.
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/model/boot_target.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace pomona::policy {

enum class ScriptLanguage : std::uint8_t { ipxe, gpxe, grub, pxelinux };

/// "iPXE", "gPXE", "GRUB", "PXELINUX".
[[nodiscard]] std::string_view text(ScriptLanguage language);

/// Where the script's reader finds files, and who it is.
struct ScriptScene {
    base::Ipv4Address server;
    /// nullopt: files by TFTP only.
    std::optional<std::uint16_t> http_port;
    base::MacAddress mac;
    /// "http://fog/fog", without a slash at the end; empty: there is none.
    std::string fog_url;
    const model::BootTargets* targets = nullptr;
    /// The boot file of an image target below the roots ("nbi/NetBootSP0/grub.nbi/i386/booter"); empty if it
    /// is not published or no program of one width.
    std::function<std::string(const model::BootTarget&)> image_file;
    /// Where the same loader gets its script again, below the roots ("boot.ipxe"); for menus.
    std::string self;
};

/// Never empty. What a language cannot do ends in a script that says so on the screen and leaves the machine
/// to its disk.
[[nodiscard]] std::string write_boot_script(ScriptLanguage language, const model::BootTarget& target,
                                            const ScriptScene& scene);

}  // namespace pomona::policy
