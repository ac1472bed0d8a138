#include <pomona/base/utf8.hpp>

namespace pomona::base {

namespace {

unsigned char octet_at(std::string_view text, std::size_t at) {
    return static_cast<unsigned char>(text[at]);
}

/// Octets of the character that starts at `at`, 0 if there is no valid one.
std::size_t character_length(std::string_view text, std::size_t at) {
    const unsigned char first = octet_at(text, at);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() - at < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((octet_at(text, at + i) & 0xc0U) != 0x80) return 0;
    }
    const unsigned char second = octet_at(text, at + 1);
    const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
    const bool surrogate = first == 0xed && second > 0x9f;
    const bool too_high = first == 0xf4 && second > 0x8f;
    return overlong || surrogate || too_high ? 0 : length;
}

}  // namespace

std::size_t valid_utf8_prefix(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t length = character_length(text, at);
        if (length == 0) break;
        at += length;
    }
    return at;
}

Utf8Character first_utf8_character(std::string_view text) {
    const std::size_t length = text.empty() ? 0 : character_length(text, 0);
    if (length == 0) return {};
    // The first of several octets begins with as many ones, and a zero.
    char32_t value = length == 1 ? octet_at(text, 0) : octet_at(text, 0) & 0x7fU >> length;
    for (std::size_t i = 1; i < length; ++i) value = value << 6U | (octet_at(text, i) & 0x3fU);
    return {length, value};
}

std::string_view cut_utf8(std::string_view text, std::size_t limit) {
    if (text.size() <= limit) return text;
    while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xc0U) == 0x80) --limit;
    return text.substr(0, limit);
}

void append_utf8(std::string& text, char32_t character) {
    const auto value = static_cast<std::uint32_t>(character);
    const auto put = [&](std::uint32_t octet) { text += static_cast<char>(octet); };
    if (value < 0x80) {
        put(value);
    } else if (value < 0x800) {
        put(0xc0U | value >> 6U);
        put(0x80U | (value & 0x3fU));
    } else if (value < 0x10000) {
        put(0xe0U | value >> 12U);
        put(0x80U | (value >> 6U & 0x3fU));
        put(0x80U | (value & 0x3fU));
    } else {
        put(0xf0U | value >> 18U);
        put(0x80U | (value >> 12U & 0x3fU));
        put(0x80U | (value >> 6U & 0x3fU));
        put(0x80U | (value & 0x3fU));
    }
}

}  // namespace pomona::base
