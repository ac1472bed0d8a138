#include <pomona/base/addresses.hpp>
#include <pomona/base/hex.hpp>

#include <charconv>

namespace pomona::base {

namespace {

std::optional<std::uint8_t> hex_digit(char c) {
    if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
    if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
    return std::nullopt;
}

/// A decimal number without sign or leading zero, at most `limit`; takes it off the front of `text`.
std::optional<unsigned> take_decimal(std::string_view& text, unsigned limit) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const auto length = static_cast<std::size_t>(end - text.data());
    if (error != std::errc{} || value > limit || (length > 1 && text[0] == '0')) return std::nullopt;
    text.remove_prefix(length);
    return value;
}

/// Groups of hex digits of one size, with a separator between them; fills all six octets or fails.
std::optional<std::array<std::uint8_t, 6>> even_groups(std::string_view text, std::size_t digits,
                                                       char separator) {
    std::array<std::uint8_t, 6> octets{};
    std::size_t nibble = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (separator != '\0' && i % (digits + 1) == digits) {
            if (text[i] != separator) return std::nullopt;
            continue;
        }
        const auto digit = hex_digit(text[i]);
        if (!digit || nibble == 12) return std::nullopt;
        octets[nibble / 2] = static_cast<std::uint8_t>(octets[nibble / 2] << 4 | *digit);
        ++nibble;
    }
    if (nibble != 12) return std::nullopt;
    return octets;
}

}  // namespace

std::optional<MacAddress> MacAddress::parse(std::string_view text) {
    const auto made = [](const std::optional<std::array<std::uint8_t, 6>>& octets) {
        return octets ? std::optional(MacAddress(*octets)) : std::nullopt;
    };
    if (text.size() == 12) {
        if (const auto plain = even_groups(text, 12, '\0')) return MacAddress(*plain);
    }
    if (text.size() == 14 && text[4] == '.') return made(even_groups(text, 4, '.'));

    std::array<std::uint8_t, 6> octets{};
    const char separator = text.find('-') != std::string_view::npos ? '-' : ':';
    for (std::size_t group = 0; group < octets.size(); ++group) {
        if (group > 0) {
            if (text.empty() || text[0] != separator) return std::nullopt;
            text.remove_prefix(1);
        }
        std::size_t digits = 0;
        unsigned value = 0;
        while (digits < 2 && digits < text.size()) {
            const auto digit = hex_digit(text[digits]);
            if (!digit) break;
            value = value << 4 | *digit;
            ++digits;
        }
        if (digits == 0) return std::nullopt;
        octets[group] = static_cast<std::uint8_t>(value);
        text.remove_prefix(digits);
    }
    if (!text.empty()) return std::nullopt;
    return MacAddress(octets);
}

std::uint64_t MacAddress::value() const {
    std::uint64_t number = 0;
    for (const std::uint8_t octet : octets_) number = number << 8 | octet;
    return number;
}

std::string MacAddress::text(char separator) const {
    std::string out;
    out.reserve(17);
    for (std::size_t i = 0; i < octets_.size(); ++i) {
        if (i > 0 && separator != '\0') out += separator;
        out += hex(octets_[i], 2);
    }
    return out;
}

std::optional<Ipv4Address> Ipv4Address::parse(std::string_view text) {
    std::uint32_t value = 0;
    for (int part = 0; part < 4; ++part) {
        if (part > 0) {
            if (text.empty() || text[0] != '.') return std::nullopt;
            text.remove_prefix(1);
        }
        const auto number = take_decimal(text, 255);
        if (!number) return std::nullopt;
        value = value << 8 | *number;
    }
    if (!text.empty()) return std::nullopt;
    return Ipv4Address(value);
}

std::string Ipv4Address::text() const {
    std::string out;
    out.reserve(15);
    for (int shift = 24; shift >= 0; shift -= 8) {
        if (shift < 24) out += '.';
        out += std::to_string(value_ >> shift & 0xff);
    }
    return out;
}

std::optional<Ipv4Network> Ipv4Network::parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto address = Ipv4Address::parse(text.substr(0, slash));
    if (!address) return std::nullopt;
    if (slash == std::string_view::npos) return Ipv4Network(*address, 32);
    std::string_view rest = text.substr(slash + 1);
    const auto length = take_decimal(rest, 32);
    if (!length || !rest.empty()) return std::nullopt;
    return Ipv4Network(*address, static_cast<int>(*length));
}

std::string Ipv4Network::text() const {
    return address_.text() + "/" + std::to_string(prefix_length_);
}

std::string Endpoint::text() const {
    return address.text() + ":" + std::to_string(port);
}

}  // namespace pomona::base
