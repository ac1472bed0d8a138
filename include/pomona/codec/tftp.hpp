// TFTP packets (RFC 1350) with option extension (RFC 2347), blksize (2348), timeout and tsize (2349) and
// windowsize (7440): octets to values and back, and which of the asked options a server grants.
#pragma once

#include <pomona/base/bytes.hpp>
#include <pomona/base/error.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

namespace pomona::codec {

enum class TftpErrorCode : std::uint16_t {
    undefined = 0,
    file_not_found = 1,
    access_violation = 2,
    disk_full = 3,
    illegal_operation = 4,
    unknown_transfer_id = 5,
    file_exists = 6,
    no_such_user = 7,
    option_refused = 8,
};

enum class TftpMode : std::uint8_t { octet, netascii };

constexpr std::uint16_t tftp_default_blksize = 512;
constexpr std::uint16_t tftp_min_blksize = 8;
constexpr std::uint16_t tftp_max_blksize = 65464;
/// Opcode and block number before the payload of DATA.
constexpr std::size_t tftp_data_header_size = 4;

/// The four options we know, as text; of an option given twice the first counts. Views into the packet.
struct TftpOptions {
    std::optional<std::string_view> blksize;
    std::optional<std::string_view> timeout;
    std::optional<std::string_view> tsize;
    std::optional<std::string_view> windowsize;

    friend bool operator==(const TftpOptions&, const TftpOptions&) = default;
};

/// RRQ or WRQ. `path` is what the client wrote, at least one octet, never containing NUL; otherwise
/// unchecked.
struct TftpRequest {
    bool write = false;
    std::string_view path;
    TftpMode mode = TftpMode::octet;
    TftpOptions options;

    friend bool operator==(const TftpRequest&, const TftpRequest&) = default;
};

struct TftpData {
    std::uint16_t block = 0;
    base::Bytes payload;
};

struct TftpAck {
    std::uint16_t block = 0;
    friend bool operator==(const TftpAck&, const TftpAck&) = default;
};

/// ERROR. `message` may lack its terminating NUL on the wire.
struct TftpError {
    std::uint16_t code = 0;
    std::string_view message;
    friend bool operator==(const TftpError&, const TftpError&) = default;
};

struct TftpOack {
    TftpOptions options;
    friend bool operator==(const TftpOack&, const TftpOack&) = default;
};

using TftpPacket = std::variant<TftpRequest, TftpData, TftpAck, TftpError, TftpOack>;

/// Any packet; what it returns holds views into `packet`. Errors: too short, unknown opcode, a request
/// without file name or mode, a mode that is neither octet nor netascii, an option name without value. Octets
/// behind ACK and zeros behind the last option (some firmware pads) are no error.
[[nodiscard]] base::Result<TftpPacket> parse_tftp(base::Bytes packet);

void write_tftp(base::ByteWriter& to, const TftpRequest& packet);
void write_tftp(base::ByteWriter& to, const TftpData& packet);
void write_tftp(base::ByteWriter& to, TftpAck packet);
/// The message is always NUL-terminated: GRUB and PXE firmware show it as it is.
void write_tftp(base::ByteWriter& to, const TftpError& packet);
void write_tftp(base::ByteWriter& to, const TftpOack& packet);

/// The four octets before a payload that is already in place; `to` has room for tftp_data_header_size octets.
inline void put_tftp_data_header(std::uint8_t* to, std::uint16_t block) {
    to[0] = 0;
    to[1] = 3;
    to[2] = static_cast<std::uint8_t>(block >> 8);
    to[3] = static_cast<std::uint8_t>(block);
}

/// The most a server grants.
struct TftpLimits {
    std::uint16_t max_blksize = 1456;
    std::uint16_t max_windowsize = 64;
};

/// What both sides will use: the defaults of RFC 1350 where nothing was granted.
struct TftpTerms {
    std::optional<std::uint16_t> blksize_granted;
    std::optional<std::uint16_t> windowsize_granted;
    std::optional<std::uint8_t> timeout_granted;  ///< seconds
    std::optional<std::uint64_t> tsize_granted;   ///< octets

    [[nodiscard]] std::uint16_t blksize() const { return blksize_granted.value_or(tftp_default_blksize); }
    [[nodiscard]] std::uint16_t windowsize() const { return windowsize_granted.value_or(std::uint16_t{1}); }
    /// An OACK is due if any option is granted, and only then.
    [[nodiscard]] bool wants_oack() const {
        return blksize_granted || windowsize_granted || timeout_granted || tsize_granted;
    }
    friend bool operator==(const TftpTerms&, const TftpTerms&) = default;
};

/// Values above the limits are granted smaller; a value that is no number, or that its RFC does not allow, is
/// an error (ERROR 8). `file_size` is empty where the size on the wire is not known, as in netascii; tsize is
/// then not granted.
[[nodiscard]] base::Result<TftpTerms> negotiate_tftp(const TftpOptions& asked, const TftpLimits& limits,
                                                     std::optional<std::uint64_t> file_size);

/// OACK of exactly the granted options.
void write_tftp_oack(base::ByteWriter& to, const TftpTerms& terms);

/// A decimal number without sign or blank, 1 to 20 digits, that fits 64 bits.
[[nodiscard]] std::optional<std::uint64_t> parse_tftp_number(std::string_view text);

}  // namespace pomona::codec
