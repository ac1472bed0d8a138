// BootImageId: the 32 bits that name a NetBoot image on the wire (Apple's BSDP, "boot image id").
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace pomona::base {

/// Bit 31 install flag, bits 30..24 kind, bits 23..16 reserved, bits 15..0 index. Compared by all 32 bits.
class BootImageId {
  public:
    constexpr BootImageId() = default;
    constexpr explicit BootImageId(std::uint32_t value) : value_(value) {}
    constexpr BootImageId(bool install, std::uint8_t kind, std::uint16_t index)
        : value_((install ? 0x80000000U : 0U) | std::uint32_t{static_cast<std::uint8_t>(kind & 0x7f)} << 24 |
                 index) {}

    /// "0x81001001" or eight hex digits "81001001".
    static std::optional<BootImageId> parse(std::string_view text);

    [[nodiscard]] constexpr std::uint32_t value() const { return value_; }
    [[nodiscard]] constexpr bool is_install() const { return (value_ >> 31) != 0; }
    [[nodiscard]] constexpr std::uint8_t kind() const {
        return static_cast<std::uint8_t>(value_ >> 24 & 0x7f);
    }
    [[nodiscard]] constexpr std::uint16_t index() const { return static_cast<std::uint16_t>(value_); }
    /// The upper 16 bits, as the attributes filter (sub-option 11) names them.
    [[nodiscard]] constexpr std::uint16_t attributes() const {
        return static_cast<std::uint16_t>(value_ >> 16);
    }
    /// Index 4096 and above: the same image may stand on several servers.
    [[nodiscard]] constexpr bool is_global() const { return index() >= 4096; }
    /// "0x81001001"
    [[nodiscard]] std::string text() const;

    friend constexpr auto operator<=>(const BootImageId&, const BootImageId&) = default;

  private:
    std::uint32_t value_ = 0;
};

}  // namespace pomona::base

template <>
struct std::hash<pomona::base::BootImageId> {
    std::size_t operator()(const pomona::base::BootImageId& id) const noexcept {
        return std::hash<std::uint32_t>{}(id.value());
    }
};
