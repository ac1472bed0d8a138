#include "app/dhcp_client.hpp"

#include <pomona/codec/bsdp.hpp>

#include <array>
#include <bit>

namespace pomona::app {

namespace {

using codec::DhcpType;
using codec::Option;

constexpr std::size_t request_room = 1200;

// Header and option 53; the caller adds the rest and finishes.
struct Draft {
    Draft(const PlayedMac& mac, std::uint32_t xid, DhcpType type, base::Ipv4Address ciaddr)
        : room(request_room), writer(room, header(mac, xid, ciaddr), {}, {}) {
        writer.option_u8(Option::message_type, static_cast<std::uint8_t>(type));
    }
    static codec::BootpHeader header(const PlayedMac& mac, std::uint32_t xid, base::Ipv4Address ciaddr) {
        codec::BootpHeader header;
        header.xid = xid;
        header.ciaddr = ciaddr;
        header.set_mac(mac.mac);
        return header;
    }
    // What Mac firmware says about itself in DISCOVER and REQUEST.
    void introduce(const PlayedMac& mac) {
        writer.option(Option::parameter_request_list, std::array<std::uint8_t, 5>{1, 3, 67, 43, 60});
        writer.option(Option::maximum_message_size, std::array<std::uint8_t, 2>{0x05, 0xdc});
        writer.option_text(Option::vendor_class, mac.vendor_class());
        codec::BsdpWriter vendor;
        vendor.u16(codec::BsdpOption::version, codec::bsdp_version_1_1);
        writer.option(Option::vendor_specific, vendor.value());
    }
    Message finish() {
        room.resize(writer.finish().size());
        return std::move(room);
    }

    Message room;
    codec::DhcpWriter writer;
};

}  // namespace

Message dhcp_discover(const PlayedMac& mac, std::uint32_t xid) {
    Draft draft(mac, xid, DhcpType::discover, {});
    draft.introduce(mac);
    return draft.finish();
}

Message dhcp_request(const PlayedMac& mac, std::uint32_t xid, const DhcpAnswer& offer) {
    Draft draft(mac, xid, DhcpType::request, {});
    draft.writer.option_address(Option::requested_address, offer.address.address());
    draft.writer.option_address(Option::server_identifier, offer.server);
    draft.introduce(mac);
    return draft.finish();
}

Message dhcp_release(const PlayedMac& mac, std::uint32_t xid, base::Ipv4Address server) {
    Draft draft(mac, xid, DhcpType::release, mac.address);
    draft.writer.option_address(Option::server_identifier, server);
    return draft.finish();
}

std::optional<DhcpAnswer> read_dhcp_answer(const codec::Datagram& datagram, const PlayedMac& mac,
                                           std::uint32_t xid) {
    if (datagram.destination.port != codec::bootp_client_port) return std::nullopt;
    const auto message = codec::DhcpView::parse(datagram.payload);
    if (!message || message->options_fault()) return std::nullopt;
    const codec::BootpHeader& header = message->header();
    if (header.op != codec::bootreply || header.xid != xid || header.mac() != mac.mac) return std::nullopt;
    const auto type = message->type();
    if (type != DhcpType::offer && type != DhcpType::ack && type != DhcpType::nak) return std::nullopt;
    const auto server = message->option_address(Option::server_identifier);
    if (!server) return std::nullopt;

    DhcpAnswer answer;
    answer.type = *type;
    answer.server = *server;
    const auto vendor_class = message->option(Option::vendor_class);
    const bool says_bsdp = vendor_class && base::as_text(*vendor_class).starts_with(codec::bsdp_class);
    answer.boot_offer = says_bsdp && header.yiaddr.is_zero();
    answer.poses_as_bsdp = says_bsdp && !header.yiaddr.is_zero();
    const auto mask = message->option_address(Option::subnet_mask);
    const int prefix = mask ? std::countl_one(mask->value()) : 32;
    answer.address = base::Ipv4Network(header.yiaddr, prefix);
    // The list may be longer than one; the first counts.
    if (const auto routers = message->option(Option::router); routers && routers->size() >= 4) {
        base::ByteReader reader(*routers);
        answer.router = base::Ipv4Address(reader.u32());
    }
    if (const auto lease = message->option_address(Option::lease_time)) answer.lease_seconds = lease->value();
    if (*type != DhcpType::nak && header.yiaddr.is_zero() && !answer.boot_offer) return std::nullopt;
    return answer;
}

}  // namespace pomona::app
