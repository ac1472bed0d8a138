// Fuzz target: TFTP packets are parsed, written and parsed again; the same octets drive a transfer as ACKs
// and pauses.
#include "fuzz/require.hpp"

#include <pomona/codec/netascii.hpp>
#include <pomona/codec/tftp.hpp>
#include <pomona/policy/tftp_transfer.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <type_traits>
#include <variant>
#include <vector>

namespace {

using namespace pomona;
using fuzz::require;

template <typename Packet>
void write_and_read_again(const Packet& packet, std::size_t size) {
    std::vector<std::uint8_t> room(size + 64);
    base::ByteWriter to(room);
    codec::write_tftp(to, packet);
    require(to.ok(), "what was read fits when written");
    const auto again = codec::parse_tftp(to.written());
    require(again.has_value() && std::holds_alternative<Packet>(*again), "it is read again as the same kind");
    if constexpr (std::is_same_v<Packet, codec::TftpData>) {
        require(std::get<Packet>(*again).block == packet.block, "the block number survives");
        require(base::as_text(std::get<Packet>(*again).payload) == base::as_text(packet.payload),
                "the payload survives");
    } else {
        require(std::get<Packet>(*again) == packet, "the packet survives");
    }
}

void negotiate(const codec::TftpOptions& options) {
    const auto terms = codec::negotiate_tftp(options, {}, 1234);
    if (!terms) return;
    require(terms->blksize() >= codec::tftp_min_blksize && terms->blksize() <= 1456,
            "the block size is within limits");
    require(terms->windowsize() >= 1 && terms->windowsize() <= 64, "the window is within limits");
    std::array<std::uint8_t, 128> room{};
    base::ByteWriter to(room);
    codec::write_tftp_oack(to, *terms);
    require(to.ok() && codec::parse_tftp(to.written()).has_value(), "an OACK can be read");
}

/// Octets as events: an ACK relative to what was sent, any ACK, or time that passes.
void drive(base::ByteReader from) {
    const bool with_oack = (from.u8() & 1) != 0;
    const auto windowsize = static_cast<std::uint16_t>(from.u8() % 65);
    const std::uint64_t blocks = 1 + from.u32() % 200'000;
    policy::TftpTransfer transfer(with_oack, windowsize, blocks, {});
    policy::TftpTransfer::Time now{};
    policy::TftpStep step = transfer.start(now);
    while (from.ok() && from.remaining() > 0) {
        if (step.kind == policy::TftpStep::Kind::send_blocks) {
            require(step.count >= 1 && step.count <= std::max<unsigned>(windowsize, 1U),
                    "no more than a window leaves");
            require(step.first >= 1 && step.first + step.count - 1 <= blocks,
                    "no block behind the end leaves");
            require(step.first == transfer.first_unacknowledged(), "a window begins where the client is");
        }
        const std::uint8_t what = from.u8();
        if (what < 128) {
            now += std::chrono::microseconds(10) * (what & 15);
            step = transfer.on_ack(
                static_cast<std::uint16_t>(transfer.first_unacknowledged() - 1 + (what >> 4)), now);
        } else if (what < 160) {
            step = transfer.on_ack(from.u16(), now);
        } else if (what < 250) {
            now += std::chrono::milliseconds(what - 160);
            step = transfer.on_time(now);
        } else if (what < 253) {
            now = std::max(now, transfer.deadline());
            step = transfer.on_time(now);
        } else {
            step = transfer.on_repeated_request(now);
        }
        require(transfer.first_unacknowledged() <= blocks + 1, "no more is acknowledged than there is");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const base::Bytes input(data, size);
    if (const auto packet = codec::parse_tftp(input)) {
        std::visit([&](const auto& value) { write_and_read_again(value, size); }, *packet);
        if (const auto* const request = std::get_if<codec::TftpRequest>(&*packet))
            negotiate(request->options);
        if (const auto* const oack = std::get_if<codec::TftpOack>(&*packet)) negotiate(oack->options);
    }
    drive(base::ByteReader(input));

    codec::NetasciiEncoder encoder;
    std::vector<std::uint8_t> out(2 * size + 1);
    const auto done = encoder.encode(input, out);
    require(done.consumed == size && done.produced >= size && !encoder.pending(),
            "netascii takes everything");
    return 0;
}
