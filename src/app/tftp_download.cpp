#include "app/tftp_download.hpp"

#include "app/server_survey.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

namespace pomona::app {

namespace {

// The longest request (a file field of 127 octets and three options) or error text fits.
constexpr std::size_t packet_room = 1024;

template <typename Packet>
TftpDownload::Packet packet_of(const Packet& value) {
    TftpDownload::Packet room(packet_room);
    base::ByteWriter writer(room);
    codec::write_tftp(writer, value);
    room.resize(writer.ok() ? writer.size() : 0);
    return room;
}

}  // namespace

TftpDownload::TftpDownload(std::string path, const Options& options, Sink sink)
    : path_(std::move(path)), asked_(options), sink_(std::move(sink)) {}

TftpDownload::Packet TftpDownload::request() const {
    const std::string blksize = std::to_string(asked_.blksize);
    const std::string windowsize = std::to_string(asked_.windowsize);
    codec::TftpRequest request;
    request.path = path_;
    request.options.blksize = blksize;
    request.options.tsize = "0";
    // Window 1 is what a server does that knows nothing of windows; then do not ask.
    if (asked_.windowsize > 1) request.options.windowsize = windowsize;
    return packet_of(request);
}

TftpDownload::Packet TftpDownload::acknowledgement() const {
    return packet_of(codec::TftpAck{static_cast<std::uint16_t>(blocks_)});
}

std::optional<TftpDownload::Packet> TftpDownload::fail(std::string what,
                                                       std::optional<codec::TftpErrorCode> tell) {
    std::optional<Packet> packet;
    if (tell) packet = packet_of(codec::TftpError{static_cast<std::uint16_t>(*tell), what});
    failure_ = base::Error{std::move(what), "TFTP " + printable(path_), {}};
    return packet;
}

std::optional<TftpDownload::Packet> TftpDownload::take(base::Bytes packet) {
    if (finished_ || failure_) return std::nullopt;
    const auto parsed = codec::parse_tftp(packet);
    if (!parsed) return std::nullopt;
    if (const auto* oack = std::get_if<codec::TftpOack>(&*parsed)) return take_options(oack->options);
    if (const auto* error = std::get_if<codec::TftpError>(&*parsed)) {
        return fail("the server says error " + std::to_string(error->code) + " \"" +
                    printable(error->message) + "\"");
    }
    return std::holds_alternative<codec::TftpData>(*parsed) ? take_train(packet) : std::nullopt;
}

std::optional<TftpDownload::Packet> TftpDownload::take_train(base::Bytes packets) {
    std::optional<Packet> answer;
    const std::size_t whole = codec::tftp_data_header_size + blksize_;
    while (!packets.empty() && !finished_ && !failure_) {
        const base::Bytes one = packets.first(std::min(whole, packets.size()));
        packets = packets.subspan(one.size());
        const auto parsed = codec::parse_tftp(one);
        const auto* data = parsed ? std::get_if<codec::TftpData>(&*parsed) : nullptr;
        if (data == nullptr) {
            return fail("a DATA packet is longer than agreed", codec::TftpErrorCode::illegal_operation);
        }
        if (auto next = take_data(data->block, data->payload)) answer = std::move(next);
    }
    return answer;
}

std::optional<TftpDownload::Packet> TftpDownload::take_options(const codec::TftpOptions& granted) {
    // Our ACK 0 was lost when it comes once more.
    if (began_) return blocks_ == 0 ? std::optional(acknowledgement()) : std::nullopt;
    const auto refuse = [&](std::string_view what, std::string_view value, const std::string& asked) {
        return fail("the server grants a " + std::string(what) + " of \"" + printable(value) + "\"" + asked,
                    codec::TftpErrorCode::option_refused);
    };
    const auto where_asked = [](std::uint16_t asked) {
        return " where " + std::to_string(asked) + " was asked for";
    };
    if (granted.blksize) {
        const auto value = codec::parse_tftp_number(*granted.blksize);
        if (!value || *value < codec::tftp_min_blksize || *value > asked_.blksize) {
            return refuse("block size", *granted.blksize, where_asked(asked_.blksize));
        }
        blksize_ = static_cast<std::size_t>(*value);
    }
    if (granted.windowsize) {
        const auto value = codec::parse_tftp_number(*granted.windowsize);
        if (!value || *value < 1 || *value > asked_.windowsize) {
            return refuse("window", *granted.windowsize, where_asked(asked_.windowsize));
        }
        windowsize_ = static_cast<std::size_t>(*value);
    }
    if (granted.tsize) {
        tsize_ = codec::parse_tftp_number(*granted.tsize);
        if (!tsize_) return refuse("file size", *granted.tsize, {});
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
