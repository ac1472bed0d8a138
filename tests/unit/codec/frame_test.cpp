#include "support/wire.hpp"

#include <pomona/codec/frame.hpp>

#include <gtest/gtest.h>

#include <numeric>

namespace pomona::codec {
namespace {

using tests::be16;
using tests::be32;
using tests::join;
using tests::octets;
using tests::Payload;
using tests::plain_checksum;

const base::MacAddress server_mac({0x02, 0, 0, 0, 0, 0x11});
const base::MacAddress client_mac({0x40, 0x6c, 0x8f, 0x37, 0x95, 0x27});
const base::Endpoint server{base::Ipv4Address(10, 0, 1, 11), 67};
const base::Endpoint client{base::Ipv4Address(10, 0, 1, 32), 68};

/// A frame from the client to the server, whose every field a test may bend before it is put together.
struct FrameParts {
    Payload tag;  // between the addresses and the type
    std::uint16_t ethertype = 0x0800;
    std::uint8_t version = 4;
    Payload ip_options;
    std::optional<std::uint8_t> header_words;
    std::optional<std::size_t> total_length;
    std::uint16_t fragment = 0x4000;  // "do not fragment", which is no fragment
    std::uint8_t protocol = 17;
    int checksum_error = 0;
    std::optional<std::size_t> udp_length;
    Payload payload = octets("hello");
    Payload trailer;

    [[nodiscard]] Payload frame() const {
        const std::size_t udp_size = 8 + payload.size();
        const std::size_t header_size = 20 + ip_options.size();
        Payload ip =
            join({{static_cast<std::uint8_t>(version << 4 | header_words.value_or(header_size / 4)), 0},
                  be16(static_cast<std::uint16_t>(total_length.value_or(header_size + udp_size))),
                  be16(7),
                  be16(fragment),
                  {64, protocol},
                  be16(0),
                  be32(client.address.value()),
                  be32(server.address.value()),
                  ip_options});
        const auto sum = static_cast<std::uint16_t>(plain_checksum(ip) + checksum_error);
        ip[10] = static_cast<std::uint8_t>(sum >> 8);
        ip[11] = static_cast<std::uint8_t>(sum);
        return join({{0x02, 0, 0, 0, 0, 0x11, 0x40, 0x6c, 0x8f, 0x37, 0x95, 0x27},
                     tag,
                     be16(ethertype),
                     ip,
                     be16(client.port),
                     be16(server.port),
                     be16(static_cast<std::uint16_t>(udp_length.value_or(udp_size))),
                     be16(0xbad),  // the UDP checksum is nobody's business
                     payload,
                     trailer});
    }
};

TEST(ParseFrame, GivesAddressesPortsAndPayload) {
    const Payload frame = FrameParts{}.frame();
    const auto datagram = parse_frame(frame);
    ASSERT_TRUE(datagram);
    EXPECT_EQ(datagram->link_source, client_mac);
    EXPECT_EQ(datagram->link_destination, server_mac);
    EXPECT_EQ(datagram->vlan, std::nullopt);
    EXPECT_EQ(datagram->source, client);
    EXPECT_EQ(datagram->destination, server);
    EXPECT_EQ(base::as_text(datagram->payload), "hello");
}

TEST(ParseFrame, ReadsWhatEthernetAllows) {
    struct Case {
        const char* name;
        FrameParts parts;
        std::optional<std::uint16_t> vlan;
        std::string_view payload = "hello";
    };
    const Payload forty(40, 1);
    for (const Case& c : {Case{"802.1Q tag with priority 3", {.tag = {0x81, 0, 0x60, 0x2a}}, 42},
                          Case{"the highest VLAN", {.tag = {0x81, 0, 0x0f, 0xff}}, 4095},
                          Case{"priority tag, VLAN 0", {.tag = {0x81, 0, 0xe0, 0}}, std::nullopt},
                          Case{"IP options", {.ip_options = {7, 4, 4, 0}}, std::nullopt},
                          Case{"the longest IP header", {.ip_options = forty}, std::nullopt},
                          Case{"padding to 60 octets", {.trailer = Payload(13, 0xee)}, std::nullopt},
                          Case{"tag and padding", {.tag = {0x81, 0, 0, 5}, .trailer = Payload(9, 0xee)}, 5},
                          Case{"no payload", {.payload = {}}, std::nullopt, ""},
                          Case{"UDP ends before IP does", {.udp_length = 12}, std::nullopt, "hell"},
                          Case{"not a fragment, no flag", {.fragment = 0}, std::nullopt}}) {
        const Payload frame = c.parts.frame();
        const auto datagram = parse_frame(frame);
        ASSERT_TRUE(datagram) << c.name;
        EXPECT_EQ(datagram->vlan, c.vlan) << c.name;
        EXPECT_EQ(datagram->source, client) << c.name;
        EXPECT_EQ(base::as_text(datagram->payload), c.payload) << c.name;
    }
}

TEST(ParseFrame, SaysWhatIsWrong) {
    struct Case {
        const char* name;
        FrameParts parts;
        FrameFault fault;
    };
    for (const Case& c : {
             Case{"ARP", {.ethertype = 0x0806}, FrameFault::not_ipv4_udp},
             Case{"IPv6", {.ethertype = 0x86dd}, FrameFault::not_ipv4_udp},
             Case{"ARP in a VLAN", {.tag = {0x81, 0, 0, 5}, .ethertype = 0x0806}, FrameFault::not_ipv4_udp},
             Case{"two tags", {.tag = {0x81, 0, 0, 5, 0x81, 0, 0, 6}}, FrameFault::not_ipv4_udp},
             Case{"TCP", {.protocol = 6}, FrameFault::not_ipv4_udp},
             Case{"ICMP of four octets", {.total_length = 24, .protocol = 1}, FrameFault::not_ipv4_udp},
             Case{"IP version 6", {.version = 6}, FrameFault::bad_header},
             Case{"header of 16 octets", {.header_words = 4}, FrameFault::bad_header},
             Case{"header longer than the packet", {.header_words = 15}, FrameFault::bad_header},
             Case{"total length past the frame", {.total_length = 34}, FrameFault::bad_header},
             Case{"no room for a UDP header", {.total_length = 27}, FrameFault::bad_header},
             Case{"total length below the header", {.total_length = 19}, FrameFault::bad_header},
             Case{"header checksum off by one", {.checksum_error = 1}, FrameFault::bad_header},
             Case{"UDP length past IP", {.udp_length = 14}, FrameFault::bad_header},
             Case{"UDP length past IP into the padding",
                  {.udp_length = 14, .trailer = Payload(13, 0xee)},
                  FrameFault::bad_header},
             Case{"UDP length below its header", {.udp_length = 7}, FrameFault::bad_header},
             Case{"UDP length 0", {.udp_length = 0}, FrameFault::bad_header},
             Case{"first fragment", {.fragment = 0x2000}, FrameFault::fragment},
             Case{"middle fragment", {.fragment = 0x2064}, FrameFault::fragment},
             Case{"last fragment", {.fragment = 0x00b9}, FrameFault::fragment},
             Case{"last fragment of four octets",
                  {.total_length = 24, .fragment = 0x00b9},
                  FrameFault::fragment},
         }) {
        const Payload frame = c.parts.frame();
        const auto datagram = parse_frame(frame);
        ASSERT_FALSE(datagram) << c.name;
        EXPECT_EQ(datagram.error(), c.fault) << c.name << ": " << text(datagram.error());
        EXPECT_FALSE(text(datagram.error()).empty()) << c.name;
    }
}

TEST(ParseFrame, TakesNoFrameThatIsCutOff) {
    const Payload whole = FrameParts{.tag = {0x81, 0, 0, 5}}.frame();
    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_FALSE(parse_frame(base::Bytes(whole).first(size))) << size;
    }
    EXPECT_TRUE(parse_frame(whole));
}

TEST(Checksum, IsThatOfRfc1071) {
    const Payload example{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};  // RFC 1071, section 3
    EXPECT_EQ(checksum_finish(checksum_add(0, example)), static_cast<std::uint16_t>(~0xddf2U));
    EXPECT_EQ(checksum_finish(checksum_add(0, Payload{0xab})), static_cast<std::uint16_t>(~0xab00U));
    EXPECT_EQ(checksum_finish(0), 0xffff);
    EXPECT_EQ(checksum_finish(0xffff'ffff), 0);
    // Two pieces are like one, also past 32 bits.
    EXPECT_EQ(checksum_finish(checksum_add(0xffff'ff00, example)),
              checksum_finish(checksum_add(0xff00, example)));
}

/// What PacketWriter handed out, put together again the way a receiver does it.
struct Reassembled {
    std::vector<Payload> packets;  // as handed out
    std::vector<std::uint16_t> offsets;
    Payload udp;  // UDP header and payload
};

/// Expects IP packets (without a link header) of at most `mtu` that are sound one by one and in this order.
Reassembled reassemble(const std::vector<Payload>& packets, std::size_t mtu, std::uint16_t ip_id) {
    Reassembled all{packets, {}, {}};
    for (std::size_t i = 0; i < packets.size(); ++i) {
        const Payload& packet = packets[i];
        EXPECT_LE(packet.size(), mtu);
        EXPECT_EQ(plain_checksum(base::Bytes(packet).first(20)), 0) << "IP header checksum of packet " << i;
        base::ByteReader reader(packet);
        EXPECT_EQ(reader.u16(), 0x4500);
        EXPECT_EQ(reader.u16(), packet.size());
        EXPECT_EQ(reader.u16(), ip_id);
        const std::uint16_t fragment = reader.u16();
        EXPECT_EQ((fragment & 0x2000) != 0, i + 1 < packets.size()) << "more fragments";
        EXPECT_EQ(fragment & 0xc000, 0);
        all.offsets.push_back(static_cast<std::uint16_t>((fragment & 0x1fff) * 8));
        EXPECT_EQ(all.offsets.back(), all.udp.size());
        EXPECT_GT(reader.u8(), 16) << "time to live";
        EXPECT_EQ(reader.u8(), 17);
        reader.skip(2);
        EXPECT_EQ(reader.u32(), server.address.value());
        EXPECT_EQ(reader.u32(), client.address.value());
        const base::Bytes rest = reader.rest();
        EXPECT_FALSE(rest.empty());
        if (i + 1 < packets.size()) {
            EXPECT_EQ(rest.size() % 8, 0U);
        }
        all.udp.insert(all.udp.end(), rest.begin(), rest.end());
    }
    return all;
}

std::uint16_t udp_checksum_over(const Payload& udp) {
    const Payload pseudo = join({be32(server.address.value()), be32(client.address.value()), be16(17),
                                 be16(static_cast<std::uint16_t>(udp.size()))});
    return plain_checksum(join({pseudo, udp}));
}

const DatagramHeader answer{.link_source = server_mac,
                            .link_destination = client_mac,
                            .source = server,
                            .destination = client,
                            .ip_id = 0xbeef};

Payload counting(std::size_t size) {
    Payload payload(size);
    std::iota(payload.begin(), payload.end(), std::uint8_t{1});
    return payload;
}

std::vector<Payload> packets_of(const Payload& payload, std::size_t mtu, std::size_t room_size) {
    std::vector<Payload> packets;
    Payload room(room_size);
    EXPECT_TRUE(PacketWriter(answer, payload, mtu).for_each_packet(room, [&](base::Bytes packet) {
        packets.emplace_back(packet.begin(), packet.end());
        return packets.size() < 10'000;
    }));
    return packets;
}

TEST(PacketWriter, WritesWhatAReceiverPutsTogetherAgain) {
    struct Case {
        std::size_t mtu;
        std::size_t payload;
        std::size_t packets;
        std::size_t largest;
    };
    for (const Case& c : {
             Case{1500, 0, 1, 28},
             Case{1500, 1, 1, 29},  // odd
             Case{1500, 300, 1, 328},
             Case{1500, 1472, 1, 1500},
             Case{1500, 1473, 2, 1500},
             Case{1500, 8164, 6, 1500},
             Case{576, 548, 1, 576},  // fits exactly, although 556 is no multiple of eight
             Case{576, 549, 2, 572},  // the first piece is cut down to 552
             Case{576, 1472, 3, 572},
             Case{68, 40, 1, 68},
             Case{68, 41, 2, 68},
             Case{68, 300, 7, 68},
             Case{68, 1001, 22, 68},
             Case{28, 17, 4, 28},  // the narrowest there is: eight octets in each
             Case{35, 17, 3, 29},
             Case{65535, 65507, 1, 65535},
             Case{1500, 65507, 45, 1500},
         }) {
        const std::string name = "mtu " + std::to_string(c.mtu) + ", payload " + std::to_string(c.payload);
        SCOPED_TRACE(name);
        const Payload payload = counting(c.payload);
        const Reassembled all = reassemble(packets_of(payload, c.mtu, c.mtu), c.mtu, 0xbeef);
        EXPECT_EQ(all.packets.size(), c.packets);
        std::size_t largest = 0;
        for (const Payload& packet : all.packets) largest = std::max(largest, packet.size());
        EXPECT_EQ(largest, c.largest);

        ASSERT_EQ(all.udp.size(), 8 + c.payload);
        base::ByteReader udp(all.udp);
        EXPECT_EQ(udp.u16(), 67);
        EXPECT_EQ(udp.u16(), 68);
        EXPECT_EQ(udp.u16(), all.udp.size());
        EXPECT_NE(udp.u16(), 0) << "0 would mean that there is no checksum";
        EXPECT_EQ(udp_checksum_over(all.udp), 0);
        const base::Bytes rest = udp.rest();
        EXPECT_EQ(Payload(rest.begin(), rest.end()), payload);
    }
}

TEST(PacketWriter, SendsAChecksumOfZeroAsAllOnes) {
    // Choose the payload so that the sum over everything else comes out as 0.
    Payload payload(2);
    Payload udp = join({be16(67), be16(68), be16(10), be16(0), payload});
    payload = be16(udp_checksum_over(udp));
    const auto packets = packets_of(payload, 1500, 1500);
    ASSERT_EQ(packets.size(), 1U);
    EXPECT_EQ(packets[0][26], 0xff);
    EXPECT_EQ(packets[0][27], 0xff);
    EXPECT_EQ(udp_checksum_over(Payload(packets[0].begin() + 20, packets[0].end())), 0);
}

TEST(PacketWriter, PutsALinkHeaderInFrontOfEachFrame) {
    const Payload payload = counting(1600);
    Payload room(14 + 1500);
    std::vector<Payload> packets;
    ASSERT_TRUE(PacketWriter(answer, payload, 1500).for_each_frame(room, [&](base::Bytes frame) {
        base::ByteReader reader(frame);
        EXPECT_EQ(base::MacAddress(reader.array<6>()), client_mac);
        EXPECT_EQ(base::MacAddress(reader.array<6>()), server_mac);
        EXPECT_EQ(reader.u16(), 0x0800);
        const base::Bytes rest = reader.rest();
        packets.emplace_back(rest.begin(), rest.end());
        return true;
    }));
    const Reassembled all = reassemble(packets, 1500, 0xbeef);
    EXPECT_EQ(all.packets.size(), 2U);
    EXPECT_EQ(all.offsets, (std::vector<std::uint16_t>{0, 1480}));
    EXPECT_EQ(udp_checksum_over(all.udp), 0);
}

TEST(PacketWriter, IsReadByParseFrame) {
    const Payload payload = counting(301);
    Payload room(2000);
    Payload frame;
    ASSERT_TRUE(PacketWriter(answer, payload, 1500).for_each_frame(room, [&](base::Bytes bytes) {
        frame.assign(bytes.begin(), bytes.end());
        return true;
    }));
    const auto datagram = parse_frame(frame);
    ASSERT_TRUE(datagram);
    EXPECT_EQ(datagram->link_source, server_mac);
    EXPECT_EQ(datagram->link_destination, client_mac);
    EXPECT_EQ(datagram->source, server);
    EXPECT_EQ(datagram->destination, client);
    EXPECT_EQ(Payload(datagram->payload.begin(), datagram->payload.end()), payload);
}

TEST(PacketWriter, RefusesWhatDoesNotFit) {
    struct Case {
        const char* name;
        std::size_t payload;
        std::size_t mtu;
        std::size_t room;
    };
    for (const Case& c :
         {Case{"a payload that no datagram holds", 65'508, 1500, 1514},
          Case{"an MTU without room for a piece", 10, 27, 1514}, Case{"MTU 0", 10, 0, 1514},
          Case{"a room smaller than the frame", 300, 1500, 341},
          Case{"a room smaller than the headers", 300, 1500, 20}, Case{"no room", 300, 1500, 0}}) {
        const Payload payload = counting(c.payload);
        Payload room(c.room);
        int frames = 0;
        EXPECT_FALSE(PacketWriter(answer, payload, c.mtu).for_each_frame(room, [&](base::Bytes) {
            return ++frames < 100;
        })) << c.name;
        EXPECT_EQ(frames, 0) << c.name;
    }
}

TEST(PacketWriter, BeginsAgainWhenAskedAgain) {
    const Payload payload = counting(3000);
    PacketWriter writer(answer, payload, 1500);
    Payload room(1500);
    for (int pass = 0; pass < 2; ++pass) {
        std::vector<Payload> packets;
        ASSERT_TRUE(writer.for_each_packet(room, [&](base::Bytes packet) {
            packets.emplace_back(packet.begin(), packet.end());
            return true;
        }));
        EXPECT_EQ(packets.size(), 3U);
        EXPECT_EQ(udp_checksum_over(reassemble(packets, 1500, 0xbeef).udp), 0);
    }
}

TEST(PacketWriter, StopsWhenTold) {
    const Payload payload = counting(5000);
    Payload room(1514);
    int frames = 0;
    EXPECT_FALSE(
        PacketWriter(answer, payload, 1500).for_each_frame(room, [&](base::Bytes) { return ++frames < 2; }));
    EXPECT_EQ(frames, 2);
}

}  // namespace
}  // namespace pomona::codec
