#include <pomona/base/boot_image_id.hpp>
#include <pomona/base/hex.hpp>

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
    return "0x" + hex(value_, 8);
}

}  // namespace pomona::base
