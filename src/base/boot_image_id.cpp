#include <pomona/base/boot_image_id.hpp>

#include <charconv>

namespace pomona::base {

std::optional<BootImageId> BootImageId::parse(std::string_view text) {
    if (text.starts_with("0x") || text.starts_with("0X")) text.remove_prefix(2);
    if (text.size() != 8) return std::nullopt;
    std::uint32_t value = 0;
    const char* end = text.data() + text.size();
    const auto result = std::from_chars(text.data(), end, value, 16);
    if (result.ec != std::errc{} || result.ptr != end) return std::nullopt;
    return BootImageId(value);
}

std::string BootImageId::text() const {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out = "0x";
    for (int shift = 28; shift >= 0; shift -= 4) out += digits[value_ >> shift & 0xf];
    return out;
}

}  // namespace pomona::base
