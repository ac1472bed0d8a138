#include "support/fake_mac.hpp"

#include <pomona/policy/bsdp_policy.hpp>
#include <pomona/policy/decide.hpp>
#include <pomona/policy/sighting.hpp>

#include <algorithm>
#include <array>
#include <variant>

namespace pomona::tests {

namespace {

std::vector<std::uint8_t> big_endian(std::uint32_t value) {
    return {static_cast<std::uint8_t>(value >> 24), static_cast<std::uint8_t>(value >> 16),
            static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)};
}

std::string field_text(base::Bytes field) {
    const std::string_view text = base::as_text(field);
    return std::string(text.substr(0, text.find('\0')));
}

}  // namespace

BsdpMessage& BsdpMessage::sub(std::uint8_t code, std::vector<std::uint8_t> value) {
    vendor_options.push_back(code);
    vendor_options.push_back(static_cast<std::uint8_t>(value.size()));
    vendor_options.insert(vendor_options.end(), value.begin(), value.end());
    return *this;
}

std::vector<std::uint8_t> BsdpMessage::payload() const {
    std::vector<std::uint8_t> room(1500);
    codec::DhcpWriter writer(room, header, sname, "");
    if (dhcp_type != 0) writer.option_u8(codec::Option::message_type, dhcp_type);
    if (overload != 0) writer.option_u8(codec::Option::overload, overload);
    if (!parameter_request_list.empty()) {
        writer.option(codec::Option::parameter_request_list, parameter_request_list);
    }
    if (requested_address) writer.option_address(codec::Option::requested_address, *requested_address);
    if (maximum_message_size) {
        const auto value = big_endian(*maximum_message_size);
        writer.option(codec::Option::maximum_message_size, base::Bytes(value).subspan(2));
    }
    if (!vendor_class.empty()) writer.option_text(codec::Option::vendor_class, vendor_class);
    if (with_vendor_options) writer.option(codec::Option::vendor_specific, vendor_options);
    const base::Bytes written = writer.finish();
    return {written.begin(), written.end()};
}

FakeServer::FakeServer() {
    identity = {.interface = "eth0",
                .host_name = "lab1",
                .addresses = {base::Ipv4Network({10, 0, 1, 11}, 24)},
                .own_addresses = {base::Ipv4Address(10, 0, 1, 11), base::Ipv4Address(10, 9, 9, 9)},
                .former_addresses = {}};
    model::NetBootImage grub = boot_file_image(4097, "GRUB 2 (lab)", "grub.nbi");
    grub.is_default = true;
    publish({grub, boot_file_image(4098, "iPXE", "ipxe.nbi")});
}

void FakeServer::publish(std::vector<model::NetBootImage> images) {
    std::vector<model::ImageProblem> problems;
    catalogue = model::Catalogue::build(std::move(images), problems);
}

std::optional<model::Client> FakeServer::record_of(base::MacAddress mac, std::string_view model) const {
    const auto found = std::ranges::find_if(records, [&](const model::Client& client) {
        return client.key.mac == mac && client.key.model == model;
    });
    return found == records.end() ? std::nullopt : std::optional(*found);
}

std::optional<model::Client> FakeServer::record_of(base::MacAddress mac) const {
    std::optional<model::Client> latest;
    for (const model::Client& client : records) {
        if (client.key.mac == mac && (!latest || client.last_selected > latest->last_selected))
            latest = client;
    }
    return latest;
}

void FakeServer::apply(const model::ClientChange& change) {
    if (const auto* choice = std::get_if<model::RememberChoice>(&change)) {
        const auto known = record_of(choice->key.mac, choice->key.model);
        model::Client client = known.value_or(model::Client{});
        if (known) std::erase(records, *known);
        client.key = choice->key;
        client.architecture = choice->architecture;
        client.image = choice->image;
        client.address = choice->address;
        client.last_selected = choice->when;
        if (!known) {
            client.number = static_cast<std::uint32_t>(records.size() + 1);
            client.machine_name = "NetBoot00" + std::to_string(client.number);
        }
        records.push_back(client);
    } else if (const auto* forget = std::get_if<model::ForgetClient>(&change)) {
        std::erase_if(records, [&](const model::Client& client) {
            return client.key.mac == forget->mac && (!forget->model || client.key.model == *forget->model);
        });
    } else if (const auto* note = std::get_if<model::NoteAddress>(&change)) {
        for (model::Client& client : records) {
            if (client.key == note->key) client.address = note->address;
        }
    }
}

Outcome ask(FakeServer& server, const BsdpMessage& message, base::Ipv4Address to) {
    return ask(server, message.payload(), to);
}

Outcome ask(FakeServer& server, const std::vector<std::uint8_t>& octets, base::Ipv4Address to) {
    const codec::Datagram datagram{.link_source = base::MacAddress({2, 0, 0, 0, 0, 1}),
                                   .link_destination = base::MacAddress::broadcast(),
                                   .vlan = std::nullopt,
                                   .source = {base::Ipv4Address(10, 0, 1, 32), 68},
                                   .destination = {to, 67},
                                   .payload = octets};
    Outcome outcome;
    if (const auto sighting = policy::sighting_in(datagram)) {
        server.book.note(*sighting, server.identity.interface, server.now);
    }
    const auto request = policy::parse_request(datagram, server.identity, server.access);
    if (!request) {
        outcome.silence = request.error().reason;
        return outcome;
    }
    const policy::Sender sender = policy::sender_of(*request);
    const bool bsdp = policy::bsdp_client_of(*request) != nullptr;
    const auto client = bsdp ? server.record_of(sender.mac, sender.model) : server.record_of(sender.mac);
    auto decision = policy::decide(*request, {.identity = server.identity,
                                              .rules = server.rules,
                                              .bootp = server.bootp,
                                              .catalogue = server.catalogue,
                                              .client = client,
                                              .held = server.book.find(sender.mac),
                                              .remembered_clients = server.records.size(),
                                              .now = server.now});
    if (const auto* quiet = std::get_if<policy::Quiet>(&decision)) {
        outcome.silence = quiet->reason;
        if (quiet->change) server.apply(*quiet->change);
        return outcome;
    }
    auto& answer = std::get<policy::Answer>(decision);
    if (answer.remember) {
        server.apply(*answer.remember);
        answer.machine_name = server.record_of(sender.mac, sender.model)->machine_name;
    }
    std::vector<std::uint8_t> room(9000);
    const auto written = policy::write_answer(answer, room);
    outcome.payload.assign(written.payload.begin(), written.payload.end());
    outcome.images_left_out = written.images_left_out;
    outcome.answer = std::move(answer);
    return outcome;
}

void overhear(FakeServer& server, const std::vector<std::uint8_t>& payload) {
    const codec::Datagram datagram{.link_source = base::MacAddress({2, 0, 0, 0, 0, 9}),
                                   .link_destination = base::MacAddress::broadcast(),
                                   .vlan = std::nullopt,
                                   .source = {base::Ipv4Address(10, 0, 1, 2), 67},
                                   .destination = {base::Ipv4Address::broadcast(), 68},
                                   .payload = payload};
    if (const auto sighting = policy::sighting_in(datagram)) {
        server.book.note(*sighting, server.identity.interface, server.now);
    }
}

std::optional<ReadAnswer> read_answer(const std::vector<std::uint8_t>& payload) {
    const auto view = codec::DhcpView::parse(payload);
    if (!view || view->options_fault()) return std::nullopt;
    ReadAnswer answer;
    answer.header = view->header();
    answer.sname = field_text(view->sname());
    answer.file = field_text(view->file());
    const auto type = view->option_u8(codec::Option::message_type);
    const auto server = view->option_address(codec::Option::server_identifier);
    const auto vendor_class = view->option(codec::Option::vendor_class);
    auto bsdp = codec::parse_bsdp(*view);
    if (answer.header.op != codec::bootreply || !type || !server || !vendor_class ||
        base::as_text(*vendor_class) != "AAPLBSDPC" || !bsdp) {
        return std::nullopt;
    }
    answer.dhcp_type = *type;
    answer.server_identifier = *server;
    answer.bsdp = *std::move(bsdp);
    answer.machine_name = answer.bsdp.machine_name;
    answer.shadow_mount_path = answer.bsdp.shadow_mount_path;
    answer.bsdp.machine_name = answer.bsdp.shadow_mount_path = answer.bsdp.shadow_file_path = {};
    if (const auto root = view->option(codec::Option::root_path)) answer.root_path = base::as_text(*root);
    if (answer.bsdp.image_list) {
        const auto images = codec::parse_image_list(*answer.bsdp.image_list);
        if (!images) return std::nullopt;
        for (const codec::ListedImage& image : *images) answer.images.emplace_back(image.id, image.name);
    }
    view->for_each_option([&answer](codec::Option code, base::Bytes) {
        answer.option_order.push_back(static_cast<std::uint8_t>(code));
    });
    return answer;
}

BsdpMessage FakeMac::message(std::uint8_t dhcp_type) const {
    BsdpMessage made;
    made.header.set_mac(mac);
    made.header.xid = xid;
    made.dhcp_type = dhcp_type;
    made.vendor_class = "AAPLBSDPC/" + architecture + "/" + model;
    return made;
}

BsdpMessage FakeMac::list() const {
    BsdpMessage made = message(8);
    made.header.ciaddr = address;
    made.maximum_message_size = 1500;
    made.sub(1, {1}).sub(2, {1, 1});
    return made;
}

BsdpMessage FakeMac::select(base::Ipv4Address server, std::optional<base::BootImageId> image) const {
    BsdpMessage made = message(8);
    made.header.ciaddr = address;
    made.maximum_message_size = 1500;
    made.sub(1, {2}).sub(2, {1, 1}).sub(3, big_endian(server.value()));
    if (image) made.sub(8, big_endian(image->value()));
    return made;
}

BsdpMessage FakeMac::discover() const {
    BsdpMessage made = message(1);
    made.maximum_message_size = 1500;
    made.sub(2, {1, 1});
    return made;
}

BsdpMessage FakeMac::request(base::Ipv4Address wanted) const {
    BsdpMessage made = message(3);
    made.requested_address = wanted;
    made.sub(2, {1, 1});
    return made;
}

model::NetBootImage boot_file_image(std::uint16_t index, std::string name, std::string folder) {
    model::NetBootImage image;
    image.id = base::BootImageId(true, 1, index);
    image.name = std::move(name);
    image.share = "NetBootSP0";
    image.share_path = "/srv/netboot/NetBootSP0";
    image.folder = std::move(folder);
    image.boot_files = {
        {.architecture = "i386", .path = "i386/booter", .width = model::EfiWidth::x64, .size = 1000}};
    return image;
}

}  // namespace pomona::tests
