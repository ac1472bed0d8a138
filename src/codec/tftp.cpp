#include <pomona/codec/tftp.hpp>

#include <algorithm>
#include <charconv>
#include <string>

namespace pomona::codec {

namespace {

enum Opcode : std::uint16_t { rrq = 1, wrq = 2, data = 3, ack = 4, error = 5, oack = 6 };

constexpr char to_lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_word(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, {}, to_lower, to_lower);
}

/// The text up to the next NUL, which is consumed too; nothing if there is no NUL.
std::optional<std::string_view> take_string(std::string_view& rest) {
    const std::size_t end = rest.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view text = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    return text;
}

/// False if a name has no value behind it.
bool take_options(std::string_view rest, TftpOptions& options) {
    while (!rest.empty()) {
        const auto name = take_string(rest);
        // An empty name is padding: fixed-size requests of some firmware end in zeros.
        if (name && name->empty()) return true;
        const auto value = take_string(rest);
        if (!name || !value) return false;
        const auto keep = [&](std::optional<std::string_view>& option) {
            if (!option) option = *value;
        };
        if (same_word(*name, "blksize")) keep(options.blksize);
        if (same_word(*name, "timeout")) keep(options.timeout);
        if (same_word(*name, "tsize")) keep(options.tsize);
        if (same_word(*name, "windowsize")) keep(options.windowsize);
    }
    return true;
}

base::Result<TftpPacket> parse_request(bool write, std::string_view rest) {
    TftpRequest request;
    request.write = write;
    const auto path = take_string(rest);
    if (!path || path->empty()) return base::fail("request without file name");
    request.path = *path;
    const auto mode = take_string(rest);
    if (!mode) return base::fail("request without mode");
    if (same_word(*mode, "octet")) {
        request.mode = TftpMode::octet;
    } else if (same_word(*mode, "netascii")) {
        request.mode = TftpMode::netascii;
    } else {
        return base::fail("unknown mode", {}, "use octet or netascii");
    }
    if (!take_options(rest, request.options)) return base::fail("option without value");
    return request;
}

void write_option(base::ByteWriter& to, std::string_view name, std::string_view value) {
    to.text(name);
    to.u8(0);
    to.text(value);
    to.u8(0);
}

void write_options(base::ByteWriter& to, const TftpOptions& options) {
    if (options.tsize) write_option(to, "tsize", *options.tsize);
    if (options.blksize) write_option(to, "blksize", *options.blksize);
    if (options.timeout) write_option(to, "timeout", *options.timeout);
    if (options.windowsize) write_option(to, "windowsize", *options.windowsize);
}

std::optional<std::uint64_t> number_between(std::string_view text, std::uint64_t least, std::uint64_t most) {
    const auto number = parse_tftp_number(text);
    return number && *number >= least && *number <= most ? number : std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> parse_tftp_number(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || text.size() > 20 || problem != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return number;
}

base::Result<TftpPacket> parse_tftp(base::Bytes packet) {
    base::ByteReader from(packet);
    const std::uint16_t opcode = from.u16();
    if (!from.ok()) return base::fail("packet shorter than an opcode");
    switch (opcode) {
        case rrq:
        case wrq:
            return parse_request(opcode == wrq, base::as_text(from.rest()));
        case data: {
            const std::uint16_t block = from.u16();
            if (!from.ok()) return base::fail("DATA without block number");
            return TftpData{block, from.rest()};
        }
        case ack: {
            const std::uint16_t block = from.u16();
            if (!from.ok()) return base::fail("ACK without block number");
            return TftpAck{block};
        }
        case error: {
            const std::uint16_t code = from.u16();
            if (!from.ok()) return base::fail("ERROR without code");
            const std::string_view text = base::as_text(from.rest());
            return TftpError{code, text.substr(0, std::min(text.find('\0'), text.size()))};
        }
        case oack: {
            TftpOack packet_oack;
            if (!take_options(base::as_text(from.rest()), packet_oack.options)) {
                return base::fail("option without value");
            }
            return packet_oack;
        }
        default:
            return base::fail("unknown opcode " + std::to_string(opcode));
    }
}

void write_tftp(base::ByteWriter& to, const TftpRequest& packet) {
    to.u16(packet.write ? wrq : rrq);
    to.text(packet.path);
    to.u8(0);
    to.text(packet.mode == TftpMode::octet ? "octet" : "netascii");
    to.u8(0);
    write_options(to, packet.options);
}

void write_tftp(base::ByteWriter& to, const TftpData& packet) {
    to.u16(data);
    to.u16(packet.block);
    to.bytes(packet.payload);
}

void write_tftp(base::ByteWriter& to, TftpAck packet) {
    to.u16(ack);
    to.u16(packet.block);
}

void write_tftp(base::ByteWriter& to, const TftpError& packet) {
    to.u16(error);
    to.u16(packet.code);
    to.text(packet.message);
    to.u8(0);
}

void write_tftp(base::ByteWriter& to, const TftpOack& packet) {
    to.u16(oack);
    write_options(to, packet.options);
}

base::Result<TftpTerms> negotiate_tftp(const TftpOptions& asked, const TftpLimits& limits,
                                       std::optional<std::uint64_t> file_size) {
    TftpTerms terms;
    if (asked.blksize) {
        // More than RFC 2348 knows is still only a wish: it is granted smaller, as any wish above our limit.
        const auto wish = number_between(*asked.blksize, tftp_min_blksize, UINT64_MAX);
        if (!wish) return base::fail("blksize is not a number from 8 to 65464");
        terms.blksize_granted = static_cast<std::uint16_t>(std::min<std::uint64_t>(
            *wish, std::clamp(limits.max_blksize, tftp_min_blksize, tftp_max_blksize)));
    }
    if (asked.windowsize) {
        const auto wish = number_between(*asked.windowsize, 1, UINT64_MAX);
        if (!wish) return base::fail("windowsize is not a number from 1 to 65535");
        terms.windowsize_granted = static_cast<std::uint16_t>(
            std::min<std::uint64_t>(*wish, std::max(limits.max_windowsize, std::uint16_t{1})));
    }
    if (asked.timeout) {
        // RFC 2349 leaves no room for another value than the one asked.
        const auto wish = number_between(*asked.timeout, 1, 255);
        if (!wish) return base::fail("timeout is not a number from 1 to 255");
        terms.timeout_granted = static_cast<std::uint8_t>(*wish);
    }
    if (asked.tsize && file_size) terms.tsize_granted = file_size;
    return terms;
}

void write_tftp_oack(base::ByteWriter& to, const TftpTerms& terms) {
    to.u16(oack);
    const auto put = [&](std::string_view name, const auto& granted) {
        if (granted) write_option(to, name, std::to_string(*granted));
    };
    put("tsize", terms.tsize_granted);
    put("blksize", terms.blksize_granted);
    put("timeout", terms.timeout_granted);
    put("windowsize", terms.windowsize_granted);
}

}  // namespace pomona::codec
