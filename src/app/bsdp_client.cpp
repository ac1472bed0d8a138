#include "app/bsdp_client.hpp"

#include <pomona/codec/bsdp.hpp>
#include <pomona/codec/dhcp.hpp>

#include <algorithm>
#include <array>
#include <string_view>

namespace pomona::app {

namespace {

using base::Bytes;
using codec::BsdpOption;
using codec::BsdpType;
using codec::DhcpView;
using codec::Option;

// Large enough for any class string and filter that fits its option.
constexpr std::size_t request_room = 1200;
constexpr std::uint16_t whole_ethernet_packet = 1500;
constexpr std::array<std::uint8_t, 5> firmware_asks_for = {1, 3, 67, 43, 60};
constexpr std::array<std::uint8_t, 2> tool_asks_for = {60, 43};

// A text field of the header: up to the first NUL.
std::string text_of(Bytes field) {
    const std::string_view text = base::as_text(field);
    return std::string(text.substr(0, text.find('\0')));
}

Message inform(const PlayedMac& mac, std::uint32_t xid, const codec::BsdpWriter& vendor) {
    codec::BootpHeader header;
    header.xid = xid;
    header.ciaddr = mac.address;
    header.set_mac(mac.mac);
    Message room(request_room);
    codec::DhcpWriter writer(room, header, {}, {});
    writer.option_u8(Option::message_type, static_cast<std::uint8_t>(codec::DhcpType::inform));
    writer.option(Option::parameter_request_list,
                  mac.reply_port ? Bytes(tool_asks_for) : Bytes(firmware_asks_for));
    const std::array<std::uint8_t, 2> size = {whole_ethernet_packet >> 8, whole_ethernet_packet & 0xff};
    writer.option(Option::maximum_message_size, size);
    writer.option_text(Option::vendor_class, mac.vendor_class());
    writer.option(Option::vendor_specific, vendor.value());
    room.resize(writer.finish().size());
    return room;
}

codec::BsdpWriter vendor_options(const PlayedMac& mac, BsdpType type) {
    codec::BsdpWriter vendor;
    vendor.u8(BsdpOption::message_type, static_cast<std::uint8_t>(type));
    vendor.u16(BsdpOption::version, codec::bsdp_version_1_1);
    if (mac.reply_port) vendor.u16(BsdpOption::reply_port, *mac.reply_port);
    return vendor;
}

NotAccepted unusable(base::Ipv4Address from, std::string why) {
    return {NotAccepted::Kind::unusable, from, std::move(why)};
}

// What both kinds of answers must have, in the order in which Apple's client looks.
struct Accepted {
    DhcpView message;
    codec::BsdpOptions options;
    base::Ipv4Address server;
    BsdpType type = BsdpType::list;
};

std::expected<Accepted, NotAccepted> accept(const codec::Datagram& datagram, const PlayedMac& mac,
                                            std::uint32_t xid) {
    const base::Ipv4Address from = datagram.source.address;
    if (datagram.destination.port != mac.port()) return std::unexpected(NotAccepted{});
    const auto message = DhcpView::parse(datagram.payload);
    if (!message) return std::unexpected(NotAccepted{});
    const codec::BootpHeader& header = message->header();
    if (header.op != codec::bootreply || header.xid != xid || header.htype != codec::hardware_ethernet ||
        header.hlen != 6 || header.mac() != mac.mac) {
        return std::unexpected(NotAccepted{});
    }
    if (message->options_fault()) return std::unexpected(unusable(from, "its DHCP options cannot be read"));
    const auto vendor_class = message->option(Option::vendor_class);
    const bool says_bsdp = vendor_class && base::as_text(*vendor_class).starts_with(codec::bsdp_class);
    if (!says_bsdp) {
        return std::unexpected(
            NotAccepted{NotAccepted::Kind::plain_dhcp, from, "it carries no class AAPLBSDPC"});
    }
    if (base::as_text(*vendor_class) != codec::bsdp_class) {
        return std::unexpected(unusable(from, "its class is not exactly AAPLBSDPC"));
    }
    if (message->type() != codec::DhcpType::ack) {
        return std::unexpected(unusable(from, "its option 53 is not ACK"));
    }
    if (header.ciaddr != mac.address) {
        return std::unexpected(unusable(from, "its ciaddr " + header.ciaddr.text() + " is not ours"));
    }
    const auto server = message->option_address(Option::server_identifier);
    if (!server) return std::unexpected(unusable(from, "it has no server identifier (option 54)"));
    auto options = codec::parse_bsdp(*message);
    if (!options) {
        switch (options.error()) {
            case codec::BsdpFault::no_vendor_options:
                return std::unexpected(unusable(from, "it has no vendor options (option 43)"));
            case codec::BsdpFault::truncated:
                return std::unexpected(unusable(from, "a sub-option runs past the end of its option 43"));
            case codec::BsdpFault::wrong_length:
                return std::unexpected(unusable(from, "a sub-option has a wrong length"));
        }
    }
    if (!options->message_type) return std::unexpected(unusable(from, "it has no BSDP message type"));
    return Accepted{*message, std::move(*options), *server, static_cast<BsdpType>(*options->message_type)};
}

void note_common_oddities(const codec::Datagram& datagram, const Accepted& accepted,
                          std::vector<std::string>& oddities) {
    if (datagram.source.address != accepted.server) {
        oddities.push_back("it comes from " + datagram.source.address.text() + " but calls itself " +
                           accepted.server.text() + " (option 54)");
    }
    if (datagram.source.port != codec::bootp_server_port) {
        oddities.push_back("it comes from port " + std::to_string(datagram.source.port) +
                           " instead of 67, which firewalls stop");
    }
    if (!accepted.message.header().yiaddr.is_zero()) {
        oddities.emplace_back("it gives an address (yiaddr), which a boot server must not");
    }
}

}  // namespace

std::uint16_t PlayedMac::port() const {
    return reply_port.value_or(codec::bootp_client_port);
}

std::string PlayedMac::vendor_class() const {
    return std::string(codec::bsdp_class) + "/" + architecture + "/" + model;
}

Message list_request(const PlayedMac& mac, std::uint32_t xid) {
    codec::BsdpWriter vendor = vendor_options(mac, BsdpType::list);
    if (!mac.filter.empty()) {
        std::vector<std::uint8_t> octets;
        for (const std::uint16_t attributes : mac.filter) {
            octets.push_back(static_cast<std::uint8_t>(attributes >> 8));
            octets.push_back(static_cast<std::uint8_t>(attributes));
        }
        vendor.bytes(BsdpOption::attributes_filter, octets);
    }
    return inform(mac, xid, vendor);
}

Message select_request(const PlayedMac& mac, std::uint32_t xid, base::Ipv4Address server,
                       base::BootImageId image) {
    codec::BsdpWriter vendor = vendor_options(mac, BsdpType::select);
    vendor.address(BsdpOption::server_identifier, server);
    vendor.image(BsdpOption::selected_boot_image, image);
    return inform(mac, xid, vendor);
}

std::expected<ListAnswer, NotAccepted> read_list_answer(const codec::Datagram& datagram, const PlayedMac& mac,
                                                        std::uint32_t xid) {
    auto accepted = accept(datagram, mac, xid);
    if (!accepted) return std::unexpected(accepted.error());
    const base::Ipv4Address from = datagram.source.address;
    const codec::BsdpOptions& options = accepted->options;
    if (accepted->type != BsdpType::list) {
        return std::unexpected(unusable(
            from, "it answers LIST with BSDP message type " + std::to_string(*options.message_type)));
    }
    if (!options.image_list) return std::unexpected(unusable(from, "it has no image list (sub-option 9)"));
    const auto listed = codec::parse_image_list(*options.image_list);
    if (!listed) {
        return std::unexpected(
            unusable(from, "a name runs past the end of its image list, so all of it is lost"));
    }

    ListAnswer answer{.server = accepted->server,
                      .source = datagram.source,
                      .priority = options.server_priority,
                      .default_image = options.default_image,
                      .selected_image = options.selected_image,
                      .images = {},
                      .payload_octets = datagram.payload.size(),
                      .oddities = {}};
    note_common_oddities(datagram, *accepted, answer.oddities);
    std::size_t zero = 0;
    std::size_t unwanted = 0;
    for (const codec::ListedImage& image : *listed) {
        if (image.id.value() == 0) {
            ++zero;
        } else if (!mac.filter.empty() &&
                   std::ranges::find(mac.filter, image.id.attributes()) == mac.filter.end()) {
            ++unwanted;
        } else {
            answer.images.push_back({image.id, std::string(image.name)});
        }
    }
    if (zero > 0)
        answer.oddities.push_back(std::to_string(zero) + " of its images have the id 0 and are lost");
    if (unwanted > 0) {
        answer.oddities.push_back(std::to_string(unwanted) +
                                  " of its images do not pass the filter asked for");
    }
    const auto lists = [&](base::BootImageId id) {
        return std::ranges::any_of(answer.images, [&](const OfferedImage& image) { return image.id == id; });
    };
    if (!answer.priority) {
        answer.oddities.emplace_back(
            "it sends no priority (sub-option 4); some Macs then show none of its images");
    }
    if (!answer.default_image) {
        answer.oddities.emplace_back(
            "it sends no default image (sub-option 7); some Macs then show none of its images");
    } else if (!lists(*answer.default_image)) {
        answer.oddities.push_back("its default " + answer.default_image->text() + " is not in its list");
    }
    if (answer.selected_image && !lists(*answer.selected_image)) {
        answer.oddities.push_back("the remembered choice " + answer.selected_image->text() +
                                  " is not in its list");
    }
    if (answer.images.empty()) answer.oddities.emplace_back("its list is empty");
    return answer;
}

std::expected<SelectAnswer, NotAccepted> read_select_answer(const codec::Datagram& datagram,
                                                            const PlayedMac& mac, std::uint32_t xid) {
    auto accepted = accept(datagram, mac, xid);
    if (!accepted) return std::unexpected(accepted.error());
    const codec::BsdpOptions& options = accepted->options;
    if (accepted->type != BsdpType::select && accepted->type != BsdpType::failed) {
        return std::unexpected(unusable(datagram.source.address, "it answers SELECT with BSDP message type " +
                                                                     std::to_string(*options.message_type)));
    }
    SelectAnswer answer;
    answer.server = accepted->server;
    answer.failed = accepted->type == BsdpType::failed;
    note_common_oddities(datagram, *accepted, answer.oddities);
    if (answer.failed) return answer;

    const DhcpView& message = accepted->message;
    answer.image = options.selected_image;
    answer.tftp_server = message.header().siaddr;
    if (!message.sname_overloaded()) answer.server_name = text_of(message.sname());
    if (!message.file_overloaded()) answer.file = text_of(message.file());
    if (answer.file.empty()) {
        if (const auto name = message.option(Option::boot_file_name)) answer.file = text_of(*name);
        if (!answer.file.empty()) {
            answer.oddities.emplace_back(
                "the boot file is named in option 67 only; some Macs read the file field");
        }
    }
    if (const auto root = message.option(Option::root_path))
        answer.root_path = std::string(base::as_text(*root));
    answer.machine_name = std::string(options.machine_name);
    if (answer.file.empty()) answer.oddities.emplace_back("it names no boot file");
    if (answer.tftp_server.is_zero()) answer.oddities.emplace_back("it names no TFTP server (siaddr)");
    if (!answer.image) answer.oddities.emplace_back("it does not confirm the image (sub-option 8)");
    return answer;
}

}  // namespace pomona::app
