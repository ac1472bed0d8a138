// UTF-8: is a text valid, where may it be cut, and how one character is written (RFC 3629).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pomona::base {

/// Octets of the longest valid prefix; equal to text.size() if all of it is UTF-8. No overlong forms, no
/// surrogates, nothing above U+10FFFF.
[[nodiscard]] std::size_t valid_utf8_prefix(std::string_view text);

[[nodiscard]] inline bool is_utf8(std::string_view text) {
    return valid_utf8_prefix(text) == text.size();
}

struct Utf8Character {
    std::size_t length = 0;  ///< octets it takes; 0 if there is no valid character
    char32_t value = 0;
};

/// The character at the start of `text`.
[[nodiscard]] Utf8Character first_utf8_character(std::string_view text);

/// At most `limit` octets of a valid text, cut between two characters.
[[nodiscard]] std::string_view cut_utf8(std::string_view text, std::size_t limit);

/// `character` must be a Unicode scalar value.
void append_utf8(std::string& text, char32_t character);

[[nodiscard]] constexpr bool is_unicode_scalar(std::uint32_t value) {
    return value < 0xd800 || (value > 0xdfff && value <= 0x10ffff);
}

}  // namespace pomona::base
