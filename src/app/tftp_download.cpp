#include "app/tftp_download.hpp"

#include "app/server_survey.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

namespace pomona::app {

namespace {

enum Opcode : std::uint16_t { rrq = 1, data = 3, ack = 4, error = 5, oack = 6 };

constexpr std::size_t data_header = 4;
constexpr std::uint16_t option_refused = 8;
constexpr std::uint16_t illegal_operation = 4;

void put_u16(TftpDownload::Packet& packet, std::uint16_t value) {
    packet.push_back(static_cast<std::uint8_t>(value >> 8));
    packet.push_back(static_cast<std::uint8_t>(value));
}

void put_text(TftpDownload::Packet& packet, std::string_view text) {
    packet.insert(packet.end(), text.begin(), text.end());
    packet.push_back(0);
}

// Takes the text up to the next NUL off `rest`.
std::string take_text(base::Bytes& rest) {
    const auto end = std::ranges::find(rest, std::uint8_t{0});
    std::string text(rest.begin(), end);
    rest = rest.subspan(std::min(text.size() + 1, rest.size()));
    return text;
}

std::string lower(std::string text) {
    for (char& character : text) {
        if (character >= 'A' && character <= 'Z') character = static_cast<char>(character - 'A' + 'a');
    }
    return text;
}

std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

}  // namespace

TftpDownload::TftpDownload(std::string path, const Options& options, Sink sink)
    : path_(std::move(path)), asked_(options), sink_(std::move(sink)) {}

TftpDownload::Packet TftpDownload::request() const {
    Packet packet;
    put_u16(packet, rrq);
    put_text(packet, path_);
    put_text(packet, "octet");
    put_text(packet, "blksize");
    put_text(packet, std::to_string(asked_.blksize));
    put_text(packet, "tsize");
    put_text(packet, "0");
    // Window 1 is what a server does that knows nothing of windows; then do not ask.
    if (asked_.windowsize > 1) {
        put_text(packet, "windowsize");
        put_text(packet, std::to_string(asked_.windowsize));
    }
    return packet;
}

TftpDownload::Packet TftpDownload::acknowledgement() const {
    Packet packet;
    put_u16(packet, ack);
    put_u16(packet, static_cast<std::uint16_t>(blocks_));
    return packet;
}

std::optional<TftpDownload::Packet> TftpDownload::fail(std::string what, std::uint16_t tell_code) {
    Packet packet;
    put_u16(packet, error);
    put_u16(packet, tell_code);
    put_text(packet, what);
    failure_ = base::Error{std::move(what), "TFTP " + printable(path_), {}};
    return tell_code == 0 ? std::nullopt : std::optional(std::move(packet));
}

std::optional<TftpDownload::Packet> TftpDownload::take(base::Bytes packet) {
    if (finished_ || failure_) return std::nullopt;
    base::ByteReader reader(packet);
    const std::uint16_t opcode = reader.u16();
    switch (opcode) {
        case oack:
            return take_options(reader.rest());
        case error: {
            const std::uint16_t code = reader.u16();
            base::Bytes rest = reader.rest();
            return fail("the server says error " + std::to_string(code) + " \"" + printable(take_text(rest)) +
                        "\"");
        }
        case data:
            break;
        default:
            return std::nullopt;
    }

    std::optional<Packet> answer;
    const std::size_t whole = data_header + blksize_;
    while (!packet.empty() && !finished_ && !failure_) {
        const base::Bytes one = packet.first(std::min(whole, packet.size()));
        packet = packet.subspan(one.size());
        base::ByteReader each(one);
        const bool is_data = each.u16() == data;
        const std::uint16_t block = each.u16();
        if (!each.ok() || !is_data) return fail("a DATA packet is longer than agreed", illegal_operation);
        if (auto next = take_data(block, each.rest())) answer = std::move(next);
    }
    return answer;
}

std::optional<TftpDownload::Packet> TftpDownload::take_options(base::Bytes options) {
    // Our ACK 0 was lost when it comes once more.
    if (began_) return blocks_ == 0 ? std::optional(acknowledgement()) : std::nullopt;
    while (!options.empty()) {
        const std::string name = lower(take_text(options));
        const std::string text = take_text(options);
        if (name.empty()) continue;
        const auto value = number(text);
        if (!value)
            return fail("the server grants " + printable(name) + " \"" + printable(text) + "\"",
                        option_refused);
        if (name == "blksize") {
            if (*value < 8 || *value > asked_.blksize) {
                return fail("the server grants a block size of " + text + " where " +
                                std::to_string(asked_.blksize) + " was asked for",
                            option_refused);
            }
            blksize_ = static_cast<std::size_t>(*value);
        } else if (name == "windowsize") {
            if (*value < 1 || *value > asked_.windowsize) {
                return fail("the server grants a window of " + text + " where " +
                                std::to_string(asked_.windowsize) + " was asked for",
                            option_refused);
            }
            windowsize_ = static_cast<std::size_t>(*value);
        } else if (name == "tsize") {
            tsize_ = *value;
        }
    }
    began_ = true;
    silences_in_a_row_ = 0;
    return acknowledgement();
}

std::optional<TftpDownload::Packet> TftpDownload::take_data(std::uint16_t block, base::Bytes payload) {
    if (block != static_cast<std::uint16_t>(blocks_ + 1)) {
        // A gap, or a repetition because our acknowledgement was lost: say once how far we are.
        ++misplaced_;
        in_window_ = 0;
        return std::exchange(repeated_, true) ? std::nullopt : std::optional(acknowledgement());
    }
    began_ = true;
    repeated_ = false;
    silences_in_a_row_ = 0;
    ++blocks_;
    octets_ += payload.size();
    sink_(payload);
    if (payload.size() < blksize_) {
        if (tsize_ && *tsize_ != octets_) {
            return fail("the file ended after " + std::to_string(octets_) +
                        " octets although the server said " + std::to_string(*tsize_));
        }
        finished_ = true;
        return acknowledgement();
    }
    if (++in_window_ < windowsize_) return std::nullopt;
    in_window_ = 0;
    return acknowledgement();
}

std::optional<TftpDownload::Packet> TftpDownload::silence() {
    if (finished_ || failure_) return std::nullopt;
    ++silences_;
    if (++silences_in_a_row_ >= asked_.patience) {
        return fail(began_ ? "the server fell silent after " + std::to_string(octets_) + " octets"
                           : std::string("no answer"));
    }
    in_window_ = 0;
    repeated_ = false;
    return began_ ? acknowledgement() : request();
}

}  // namespace pomona::app
