// MacAddress, Ipv4Address, Ipv4Network, Endpoint: distinct value types with text in and out, so that no bare
// integer or string stands for an address anywhere.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace pomona::base {

/// An Ethernet address of six octets.
class MacAddress {
  public:
    constexpr MacAddress() = default;
    constexpr explicit MacAddress(std::array<std::uint8_t, 6> octets) : octets_(octets) {}

    static constexpr MacAddress broadcast() { return MacAddress({0xff, 0xff, 0xff, 0xff, 0xff, 0xff}); }

    /// Six groups of one or two hex digits separated by ':' or '-', three groups of four separated by '.', or
    /// twelve hex digits; either case. Nothing else.
    static std::optional<MacAddress> parse(std::string_view text);

    [[nodiscard]] constexpr const std::array<std::uint8_t, 6>& octets() const { return octets_; }
    [[nodiscard]] constexpr bool is_zero() const { return *this == MacAddress(); }
    /// True for broadcast too: the group bit is set.
    [[nodiscard]] constexpr bool is_multicast() const { return (octets_[0] & 1) != 0; }
    /// The 48 bits as a number, first octet highest.
    [[nodiscard]] std::uint64_t value() const;
    /// "40:6c:8f:37:95:27"
    [[nodiscard]] std::string text() const { return text(':'); }
    /// With another separator, or none for '\0'.
    [[nodiscard]] std::string text(char separator) const;

    friend constexpr auto operator<=>(const MacAddress&, const MacAddress&) = default;

  private:
    std::array<std::uint8_t, 6> octets_{};
};

/// An IPv4 address; value() is in host byte order.
class Ipv4Address {
  public:
    constexpr Ipv4Address() = default;
    constexpr explicit Ipv4Address(std::uint32_t value) : value_(value) {}
    constexpr Ipv4Address(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d)
        : value_(std::uint32_t{a} << 24 | std::uint32_t{b} << 16 | std::uint32_t{c} << 8 | d) {}

    static constexpr Ipv4Address broadcast() { return Ipv4Address(0xffffffffU); }

    /// Four decimal numbers 0..255 separated by dots, without leading zeros, signs or blanks.
    static std::optional<Ipv4Address> parse(std::string_view text);

    [[nodiscard]] constexpr std::uint32_t value() const { return value_; }
    [[nodiscard]] constexpr bool is_zero() const { return value_ == 0; }
    [[nodiscard]] constexpr bool is_multicast() const { return (value_ >> 28) == 0xe; }
    [[nodiscard]] constexpr bool is_loopback() const { return (value_ >> 24) == 127; }
    [[nodiscard]] std::string text() const;

    friend constexpr auto operator<=>(const Ipv4Address&, const Ipv4Address&) = default;

  private:
    std::uint32_t value_ = 0;
};

/// An address together with the prefix of its network: 10.0.1.11/24 keeps both the host and the network.
class Ipv4Network {
  public:
    constexpr Ipv4Network() = default;
    constexpr Ipv4Network(Ipv4Address address, int prefix_length)
        : address_(address), prefix_length_(prefix_length) {}

    /// "10.0.1.0/24"; an address alone means /32.
    static std::optional<Ipv4Network> parse(std::string_view text);

    [[nodiscard]] constexpr Ipv4Address address() const { return address_; }
    [[nodiscard]] constexpr int prefix_length() const { return prefix_length_; }
    [[nodiscard]] constexpr Ipv4Address mask() const {
        return Ipv4Address(prefix_length_ == 0 ? 0U : 0xffffffffU << (32 - prefix_length_));
    }
    [[nodiscard]] constexpr bool contains(Ipv4Address other) const {
        return (other.value() & mask().value()) == (address_.value() & mask().value());
    }
    [[nodiscard]] std::string text() const;

    friend constexpr bool operator==(const Ipv4Network&, const Ipv4Network&) = default;

  private:
    Ipv4Address address_;
    int prefix_length_ = 0;
};

/// An IPv4 address and a UDP or TCP port.
struct Endpoint {
    Ipv4Address address;
    std::uint16_t port = 0;

    [[nodiscard]] std::string text() const;
    friend constexpr auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

}  // namespace pomona::base

template <>
struct std::hash<pomona::base::MacAddress> {
    std::size_t operator()(const pomona::base::MacAddress& mac) const noexcept {
        return std::hash<std::uint64_t>{}(mac.value());
    }
};

template <>
struct std::hash<pomona::base::Ipv4Address> {
    std::size_t operator()(const pomona::base::Ipv4Address& address) const noexcept {
        return std::hash<std::uint32_t>{}(address.value());
    }
};
