// A frame that can be read is written again, whole and in fragments of a size taken from the frame, and must
// come out as it was.
#include "fuzz/require.hpp"

#include <pomona/codec/frame.hpp>

#include <algorithm>
#include <vector>

namespace {

using namespace pomona;
using fuzz::require;

void write_and_read_again(const codec::Datagram& datagram) {
    const codec::DatagramHeader header{datagram.link_source, datagram.link_destination, datagram.source,
                                       datagram.destination, 1};
    std::vector<std::uint8_t> room(codec::ethernet_header_size + 65'535);
    int frames = 0;
    const bool done =
        codec::PacketWriter(header, datagram.payload, 65'535).for_each_frame(room, [&](base::Bytes frame) {
            ++frames;
            const auto again = codec::parse_frame(frame);
            require(again.has_value(), "our own frame can be read");
            require(again->link_source == datagram.link_source, "link source");
            require(again->link_destination == datagram.link_destination, "link destination");
            require(!again->vlan, "no tag");
            require(again->source == datagram.source && again->destination == datagram.destination, "ends");
            require(std::ranges::equal(again->payload, datagram.payload), "payload");
            return true;
        });
    require(done && frames == 1, "one frame");
}

void write_in_pieces(const codec::Datagram& datagram, std::size_t mtu) {
    const codec::DatagramHeader header{datagram.link_source, datagram.link_destination, datagram.source,
                                       datagram.destination, 1};
    std::vector<std::uint8_t> room(mtu);
    std::vector<std::uint8_t> whole;
    const bool done =
        codec::PacketWriter(header, datagram.payload, mtu).for_each_packet(room, [&](base::Bytes packet) {
            require(packet.size() <= mtu, "within the MTU");
            require(codec::checksum_finish(codec::checksum_add(0, packet.first(codec::ip_header_size))) == 0,
                    "header checksum");
            const auto piece = packet.subspan(codec::ip_header_size);
            const std::size_t offset = std::size_t{8} * ((packet[6] & 0x1fU) << 8 | packet[7]);
            require(offset == whole.size(), "pieces in order");
            require((packet[6] & 0x20) == 0 || piece.size() % 8 == 0,
                    "all but the last are multiples of eight");
            whole.insert(whole.end(), piece.begin(), piece.end());
            return true;
        });
    require(done, "all pieces");
    require(std::ranges::equal(base::Bytes(whole).subspan(codec::udp_header_size), datagram.payload),
            "payload");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const base::Bytes frame(data, size);
    const auto datagram = codec::parse_frame(frame);
    if (!datagram) {
        require(!codec::text(datagram.error()).empty(), "a reason in words");
        return 0;
    }
    require(datagram->payload.empty() ||
                (datagram->payload.data() >= data && &datagram->payload.back() < data + size),
            "the payload lies in the frame");
    write_and_read_again(*datagram);
    write_in_pieces(*datagram, std::size_t{28} + frame.back() * std::size_t{8} + frame.front());
    return 0;
}
