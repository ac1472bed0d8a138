// Blanks in a boot program, and what goes into them while it is sent: where it comes from. Apple's firmware
// does not tell a program which server it was loaded from, so its embedded configuration has to know
// (docs/decisions/0041).
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/base/bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace pomona::codec {

enum class Blank : std::uint8_t {
    server,     ///< our address, "10.0.1.11"
    http_port,  ///< "80"; "0" when files come by TFTP only
    path,  ///< the program's own path here, "nbi/NetBootSP0/grub.nbi/i386/booter"; empty if it holds quotes
};

/// How a blank is spelled; what goes in is filled up with blanks to the same length, so that no length in the
/// program changes. A configuration puts single quotes around it.
inline constexpr std::string_view server_blank = "@@POMONA-SERVER@@";
inline constexpr std::string_view http_port_blank = "@@POMONA-HTTP@@";
/// Followed by as many '.' as make 127 octets, the longest path of BOOTP's file field.
inline constexpr std::string_view path_blank = "@@POMONA-PATH@@";
inline constexpr std::size_t path_blank_size = 127;

struct PlacedBlank {
    Blank blank = Blank::server;
    std::size_t offset = 0;

    friend bool operator==(const PlacedBlank&, const PlacedBlank&) = default;
};

/// Looked for in EFI programs only, plain or universal, of at most 16 MiB: anything else is sent as it is.
inline constexpr std::size_t largest_program_with_blanks = std::size_t{16} << 20U;
/// A configuration has a few, once per width.
inline constexpr std::size_t most_blanks = 64;

/// Do these first octets of a file begin an EFI program (at least four are needed)?
[[nodiscard]] bool may_hold_blanks(base::Bytes first_octets);
/// In order of their place; the first `most_blanks`.
[[nodiscard]] std::vector<PlacedBlank> find_blanks(base::Bytes program);

struct BlankValues {
    base::Ipv4Address server;
    std::optional<std::uint16_t> http_port;
    std::string_view path;
};

/// Writes over the blanks.
void fill_blanks(base::MutableBytes program, const std::vector<PlacedBlank>& blanks,
                 const BlankValues& values);

}  // namespace pomona::codec
