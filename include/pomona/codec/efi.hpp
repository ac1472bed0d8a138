// EFI programs: plain PE files and Apple's universal container with one slice per width ("efifat", magic
// 0x0ef1fab9, all fields little-endian). Read to see what a boot file is, and to refuse a damaged one.
#pragma once

#include <pomona/base/bytes.hpp>
#include <pomona/base/error.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace pomona::codec {

enum class EfiMachine : std::uint8_t { ia32, x64 };

/// One program inside the file; a plain PE file is a single slice from 0 to its end.
struct EfiSlice {
    EfiMachine machine = EfiMachine::x64;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    /// PE's word for what it is: 10 an EFI application, 11 and 12 EFI drivers.
    std::uint16_t subsystem = 10;

    friend bool operator==(const EfiSlice&, const EfiSlice&) = default;
};

struct EfiProgram {
    /// Apple's container, which no PC firmware knows.
    bool is_container = false;
    /// At least one; in a container each machine at most once.
    std::vector<EfiSlice> slices;

    [[nodiscard]] bool runs_on(EfiMachine machine) const;
    friend bool operator==(const EfiProgram&, const EfiProgram&) = default;
};

/// Fills `into` from `offset` on and returns how many octets it could. So a file of any size is looked at
/// without being read whole.
using ReadAt = std::function<std::size_t(std::uint64_t offset, base::MutableBytes into)>;

/// Checks headers, machine, EFI subsystem, that no section or slice is cut off, and that a slice lies where
/// its alignment says. Of what is no EFI program the error says what it is instead, if it can be told.
/// Error::where is an offset.
[[nodiscard]] base::Result<EfiProgram> inspect_efi(std::uint64_t file_size, const ReadAt& read);
[[nodiscard]] base::Result<EfiProgram> inspect_efi(base::Bytes file);

/// A container of plain PE programs, one per machine, each at a multiple of 4096. Fails if one of them is no
/// plain EFI program, two are for the same machine, or 4 GiB are not enough.
[[nodiscard]] base::Result<std::vector<std::uint8_t>> build_universal_efi(
    const std::vector<base::Bytes>& programs);

}  // namespace pomona::codec
