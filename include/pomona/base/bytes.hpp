// ByteReader and ByteWriter: bounds-checked cursors over octets in network byte order. Once a cursor ran past
// its end it stays failed: reads yield zeros, writes do nothing, and ok() is false for good. So a whole
// structure is read or written first and asked about once at the end.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace pomona::base {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

/// The octets of a text, without a terminator.
[[nodiscard]] inline Bytes as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// The octets seen as text; nothing is checked or converted.
[[nodiscard]] inline std::string_view as_text(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class ByteReader {
  public:
    explicit ByteReader(Bytes bytes) : bytes_(bytes) {}

    [[nodiscard]] bool ok() const { return ok_; }
    /// Octets left to read; none once it failed, so that a loop over them ends.
    [[nodiscard]] std::size_t remaining() const { return ok_ ? bytes_.size() - position_ : 0; }
    [[nodiscard]] std::size_t position() const { return position_; }

    std::uint8_t u8() {
        const Bytes b = bytes(1);
        return b.empty() ? std::uint8_t{0} : b[0];
    }
    std::uint16_t u16() { return static_cast<std::uint16_t>(big_endian<2>()); }
    std::uint32_t u32() { return static_cast<std::uint32_t>(big_endian<4>()); }
    std::uint64_t u64() { return big_endian<8>(); }

    /// The next `count` octets as a view into the buffer; empty (and failed) if there are fewer.
    Bytes bytes(std::size_t count) {
        if (count > remaining()) {
            ok_ = false;
            return {};
        }
        const Bytes taken = bytes_.subspan(position_, count);
        position_ += count;
        return taken;
    }

    /// A copy of the next N octets; zeros if there are fewer.
    template <std::size_t N>
    std::array<std::uint8_t, N> array() {
        std::array<std::uint8_t, N> copy{};
        const Bytes b = bytes(N);
        if (!b.empty()) std::memcpy(copy.data(), b.data(), N);
        return copy;
    }

    void skip(std::size_t count) { (void)bytes(count); }

    /// All that is left, possibly nothing.
    Bytes rest() { return bytes(remaining()); }

  private:
    template <std::size_t N>
    std::uint64_t big_endian() {
        std::uint64_t value = 0;
        for (const std::uint8_t octet : bytes(N)) value = value << 8 | octet;
        return value;
    }

    Bytes bytes_;
    std::size_t position_ = 0;
    bool ok_ = true;
};

class ByteWriter {
  public:
    explicit ByteWriter(MutableBytes bytes) : bytes_(bytes) {}

    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] std::size_t size() const { return position_; }
    [[nodiscard]] std::size_t room() const { return bytes_.size() - position_; }
    [[nodiscard]] Bytes written() const { return bytes_.first(position_); }

    void u8(std::uint8_t value) { put({value}); }
    void u16(std::uint16_t value) {
        put({static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)});
    }
    void u32(std::uint32_t value) {
        put({static_cast<std::uint8_t>(value >> 24), static_cast<std::uint8_t>(value >> 16),
             static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)});
    }

    /// Appends the octets whole, or nothing at all.
    void bytes(Bytes from) {
        if (const MutableBytes to = claim(from.size()); to.size() == from.size() && !from.empty()) {
            std::memcpy(to.data(), from.data(), from.size());
        }
    }
    void text(std::string_view from) { bytes(as_bytes(from)); }
    void zeros(std::size_t count) {
        if (const MutableBytes to = claim(count); !to.empty()) std::memset(to.data(), 0, count);
    }

    /// Overwrites an octet that was written before; for length fields.
    void set_u8(std::size_t at, std::uint8_t value) {
        if (at < position_) bytes_[at] = value;
    }
    void set_u16(std::size_t at, std::uint16_t value) {
        set_u8(at, static_cast<std::uint8_t>(value >> 8));
        set_u8(at + 1, static_cast<std::uint8_t>(value));
    }

  private:
    template <std::size_t N>
    void put(const std::uint8_t (&octets)[N]) {
        if (const MutableBytes to = claim(N); !to.empty()) std::memcpy(to.data(), octets, N);
    }
    MutableBytes claim(std::size_t count) {
        if (!ok_ || count > room()) {
            ok_ = false;
            return {};
        }
        const MutableBytes claimed = bytes_.subspan(position_, count);
        position_ += count;
        return claimed;
    }

    MutableBytes bytes_;
    std::size_t position_ = 0;
    bool ok_ = true;
};

}  // namespace pomona::base
