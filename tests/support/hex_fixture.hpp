// Reads the packets of tests/data/frames/*.hex: blocks of "[name length]" and lines of "offset: octets  #
// note".
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace pomona::tests {

using Payload = std::vector<std::uint8_t>;

/// The folder tests/data of the source tree.
std::filesystem::path test_data();

/// Every block of a file by its name; octets that no line writes are zero. Throws std::runtime_error with the
/// line number if the file is not of this form, runs past a block's length, or writes an octet twice.
std::map<std::string, Payload, std::less<>> read_hex_fixture(const std::filesystem::path& file);

/// One of the worked examples of BSDP, "E1" to "E17" and "R1": a UDP payload. Throws std::out_of_range.
const Payload& bsdp_example(std::string_view name);

/// The names of all of them in the order of the notes: E1, E2, ... E17, R1.
std::vector<std::string> bsdp_example_names();

}  // namespace pomona::tests
