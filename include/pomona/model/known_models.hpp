// KnownModels: which EFI a model of Mac has and whether it can NetBoot, as the table nbi/models.txt says and
// the administrator corrects it. The class string of BSDP ("AAPLBSDPC/i386/iMac4,1") tells only the model.
#pragma once

#include <pomona/base/error.hpp>
#include <pomona/model/netboot_image.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pomona::model {

/// The EFI of a Mac; `doubtful` when the sources disagree, `none` for PowerPC and for Apple's own processors.
enum class Firmware : std::uint8_t { ia32, x64, doubtful, none };

/// T2 chips and Apple's own processors took NetBoot away.
enum class NetBooting : std::uint8_t { yes, no_t2, no_apple_silicon };

struct ModelFacts {
    Firmware firmware = Firmware::x64;
    NetBooting netboot = NetBooting::yes;

    friend bool operator==(const ModelFacts&, const ModelFacts&) = default;
};

class KnownModels {
  public:
    /// Knows nothing: every model counts as x64.
    KnownModels() = default;

    /// The text of a table such as nbi/models.txt. Error::where is the line.
    static base::Result<KnownModels> parse(std::string_view table);
    /// The table that the program was built with.
    static const KnownModels& built_in();

    /// Whatever the table says. `pattern` is a model, or holds '*' for any text; an exact one counts before
    /// patterns, a longer pattern before a shorter one.
    void override_firmware(std::string pattern, Firmware firmware);

    /// nullopt for a model that neither the table nor an override knows.
    [[nodiscard]] std::optional<ModelFacts> find(std::string_view model) const;
    /// x64 for an unknown model.
    [[nodiscard]] Firmware firmware_of(std::string_view model) const;
    /// Known and able to NetBoot.
    [[nodiscard]] bool netboots(std::string_view model) const;
    /// The firmware of the model may start a program of this width; always so for `universal` and `other`.
    [[nodiscard]] bool may_start(std::string_view model, EfiWidth width) const;

    friend bool operator==(const KnownModels&, const KnownModels&) = default;

  private:
    /// "iMac" 4 to 6, and one number behind the comma or any.
    struct Range {
        std::string family;
        int first = 0;
        int last = 0;
        std::optional<int> minor;
        ModelFacts facts;

        friend bool operator==(const Range&, const Range&) = default;
    };
    struct Override {
        std::string pattern;
        Firmware firmware = Firmware::x64;

        friend bool operator==(const Override&, const Override&) = default;
    };

    static base::Result<Range> parse_line(std::string_view line);
    [[nodiscard]] const Range* range_of(std::string_view model) const;
    [[nodiscard]] const Override* override_of(std::string_view model) const;

    std::vector<Range> ranges_;
    std::vector<Override> overrides_;
};

}  // namespace pomona::model
