// Small EFI programs for tests: headers that pass every check, and nothing to run.
#pragma once

#include <pomona/codec/efi.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace pomona::tests {

inline void put_le(std::vector<std::uint8_t>& file, std::size_t at, std::uint64_t value, std::size_t size) {
    if (file.size() < at + size) file.resize(at + size);
    for (std::size_t i = 0; i < size; ++i) file[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
}

/// A PE file of 1024 octets with one section, from 512 to the end.
inline std::vector<std::uint8_t> efi_program(codec::EfiMachine machine) {
    const bool x64 = machine == codec::EfiMachine::x64;
    const std::size_t optional_size = x64 ? 240 : 224;
    constexpr std::size_t pe = 0x80;
    std::vector<std::uint8_t> file(1024);
    put_le(file, 0, 0x5a4d, 2);
    put_le(file, 0x3c, pe, 4);
    put_le(file, pe, 0x00004550, 4);
    put_le(file, pe + 4, x64 ? 0x8664 : 0x014c, 2);
    put_le(file, pe + 6, 1, 2);
    put_le(file, pe + 20, optional_size, 2);
    put_le(file, pe + 24, x64 ? 0x20b : 0x10b, 2);
    put_le(file, pe + 24 + 68, 10, 2);
    const std::size_t section = pe + 24 + optional_size;
    put_le(file, section + 16, 512, 4);
    put_le(file, section + 20, 512, 4);
    return file;
}

inline std::vector<std::uint8_t> universal_efi_program() {
    const auto ia32 = efi_program(codec::EfiMachine::ia32);
    const auto x64 = efi_program(codec::EfiMachine::x64);
    return codec::build_universal_efi({ia32, x64}).value();
}

}  // namespace pomona::tests
