// Numbers and octets as hexadecimal digits, lower case.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pomona::base {

inline constexpr std::string_view hex_digits = "0123456789abcdef";

/// The lowest `digits` digits of `value`, without a prefix: hex(0x1f, 4) is "001f".
[[nodiscard]] inline std::string hex(std::uint64_t value, std::size_t digits) {
    std::string text(digits, '0');
    for (std::size_t i = digits; i-- > 0; value >>= 4) text[i] = hex_digits[value & 0xf];
    return text;
}

}  // namespace pomona::base
