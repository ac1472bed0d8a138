#include <pomona/policy/decision.hpp>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

namespace pomona::policy {

namespace {

using codec::BsdpOption;
using codec::DhcpWriter;
using codec::Option;

codec::BsdpType bsdp_type(AnswerKind kind) {
    switch (kind) {
        case AnswerKind::list:
            return codec::BsdpType::list;
        case AnswerKind::failed:
            return codec::BsdpType::failed;
        case AnswerKind::select:
        case AnswerKind::offer:
        case AnswerKind::bootp:
        case AnswerKind::proxy:
            break;
    }
    return codec::BsdpType::select;
}

/// What a Mac can do without, given up one by one when the answer is too large for it: copies of fields
/// first, then the name that the booted system would have taken.
enum class Extras : std::uint8_t { all, machine_name, none };

/// Everything but a list fits into one option 43.
void write_vendor_options(DhcpWriter& message, const Answer& answer, Extras extras) {
    codec::BsdpWriter vendor;
    if (answer.kind != AnswerKind::offer) {
        vendor.u8(BsdpOption::message_type, static_cast<std::uint8_t>(bsdp_type(answer.kind)));
    }
    if (answer.selected_image) vendor.image(BsdpOption::selected_boot_image, *answer.selected_image);
    if (answer.with_machine_name && extras != Extras::none && !answer.machine_name.empty()) {
        vendor.bytes(BsdpOption::machine_name, base::as_bytes(answer.machine_name));
    }
    message.option(Option::vendor_specific, vendor.value());
}

WrittenAnswer write_with(const Answer& answer, base::MutableBytes room, Extras extras) {
    WrittenAnswer written;
    DhcpWriter message(room.first(std::min(room.size(), answer.payload_limit)), answer.header, answer.sname,
                       answer.file);
    const bool offer = answer.kind == AnswerKind::offer;
    message.option_u8(Option::message_type,
                      static_cast<std::uint8_t>(offer ? codec::DhcpType::offer : codec::DhcpType::ack));
    message.option_address(Option::server_identifier, answer.server);
    message.option_text(Option::vendor_class, codec::bsdp_class);
    if (!answer.root_path.empty()) message.option_text(Option::root_path, answer.root_path);
    if (answer.boot_file_option && extras == Extras::all && !answer.file.empty()) {
        if (!answer.sname.empty()) message.option_text(Option::tftp_server_name, answer.sname);
        message.option_text(Option::boot_file_name, answer.file);
    }
    if (answer.kind == AnswerKind::list) {
        codec::BsdpList list{.priority = answer.priority,
                             .default_image = answer.default_image,
                             .selected_image = answer.selected_image,
                             .images = std::nullopt};
        if (answer.images) list.images = *answer.images;
        const std::size_t fitted = codec::write_bsdp_list(message, list);
        if (answer.images) written.images_left_out = answer.images->size() - fitted;
    } else {
        write_vendor_options(message, answer, extras);
    }
    written.payload = message.finish();
    return written;
}

}  // namespace

std::string_view text(AnswerKind kind) {
    switch (kind) {
        case AnswerKind::list:
            return "ACK[LIST]";
        case AnswerKind::select:
            return "ACK[SELECT]";
        case AnswerKind::failed:
            return "ACK[FAILED]";
        case AnswerKind::offer:
            return "OFFER";
        case AnswerKind::bootp:
            return "BOOTREPLY";
        case AnswerKind::proxy:
            return "OFFER[PROXY]";
    }
    return "";
}

Answer failed_instead(const Answer& answer, std::string_view failure) {
    Answer failed;
    failed.kind = AnswerKind::failed;
    failed.destination = answer.destination;
    failed.server = answer.server;
    failed.header = answer.header;
    failed.header.siaddr = answer.server;
    failed.payload_limit = answer.payload_limit;
    failed.failure = failure;
    return failed;
}

namespace {

/// Room for the options of a BOOTREPLY: the vendor area of RFC 951. Some clients read no more of a message.
constexpr std::size_t classic_message = codec::bootp_fixed_size + 64;
/// PXE_DISCOVERY_CONTROL (6): take the boot file named here, ask nobody else.
constexpr std::array<std::uint8_t, 4> pxe_no_discovery{6, 1, 8, 255};

void put_if_room(DhcpWriter& message, Option code, base::Bytes value) {
    if (!value.empty() && value.size() + 2 <= message.room()) message.option(code, value);
}

/// What GRUB 2.00 to 2.12 take (docs/bootp.md): no option 53, one router, and the name servers last, since
/// GRUB 2.00 misreads whatever comes after them.
base::Bytes write_bootp(const Answer& answer, base::MutableBytes room) {
    DhcpWriter message(room.first(std::min(room.size(), classic_message)), answer.header, answer.sname,
                       answer.file);
    const model::NetworkFacts& network = answer.network;
    if (network.mask) message.option_address(Option::subnet_mask, *network.mask);
    if (network.router) message.option_address(Option::router, *network.router);
    // A relay drops an answer that lost its option; names are a courtesy.
    put_if_room(message, Option::relay_agent_information, answer.relay_information);
    std::array<std::uint8_t, 4> octets{};
    std::vector<std::uint8_t> name_servers;
    for (const base::Ipv4Address server : network.name_servers) {
        base::ByteWriter(octets).u32(server.value());
        if (name_servers.size() + octets.size() + 2 > message.room()) break;
        name_servers.insert(name_servers.end(), octets.begin(), octets.end());
    }
    const std::size_t kept = name_servers.empty() ? 0 : name_servers.size() + 2;
    for (const auto& [code, name] : {std::pair(Option::host_name, std::string_view(network.host_name)),
                                     std::pair(Option::domain_name, std::string_view(network.domain_name))}) {
        if (name.size() + 2 + kept <= message.room()) put_if_room(message, code, base::as_bytes(name));
    }
    put_if_room(message, Option::domain_name_server, name_servers);
    return message.finish();
}

base::Bytes write_proxy_offer(const Answer& answer, base::MutableBytes room) {
    DhcpWriter message(room.first(std::min(room.size(), answer.payload_limit)), answer.header, answer.sname,
                       answer.file);
    message.option_u8(Option::message_type, static_cast<std::uint8_t>(codec::DhcpType::offer));
    message.option_address(Option::server_identifier, answer.server);
    message.option_text(Option::vendor_class, "PXEClient");
    put_if_room(message, Option::client_uuid, answer.client_uuid);
    message.option(Option::vendor_specific, pxe_no_discovery);
    put_if_room(message, Option::relay_agent_information, answer.relay_information);
    return message.finish();
}

}  // namespace

bool fits(const Answer& answer) {
    // Only a root path can make it large, and that is one option.
    if (answer.root_path.empty()) return true;
    std::array<std::uint8_t, 576> room{};
    return !write_with(answer, room, Extras::none).payload.empty();
}

WrittenAnswer write_answer(const Answer& answer, base::MutableBytes room) {
    WrittenAnswer written;
    if (answer.kind == AnswerKind::bootp) return {.payload = write_bootp(answer, room), .images_left_out = 0};
    if (answer.kind == AnswerKind::proxy)
        return {.payload = write_proxy_offer(answer, room), .images_left_out = 0};
    for (const Extras extras : {Extras::all, Extras::machine_name, Extras::none}) {
        written = write_with(answer, room, extras);
        if (!written.payload.empty()) break;
    }
    return written;
}

}  // namespace pomona::policy
