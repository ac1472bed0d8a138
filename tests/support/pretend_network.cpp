#include "support/pretend_network.hpp"

#include <pomona/codec/bsdp.hpp>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace pomona::tests {

namespace {

using base::Ipv4Address;
using codec::DhcpType;
using codec::Option;

constexpr std::size_t tftp_block = 1024;

sockaddr_in socket_address(base::Endpoint endpoint) {
    sockaddr_in result{};
    result.sin_family = AF_INET;
    result.sin_port = htons(endpoint.port);
    result.sin_addr.s_addr = htonl(endpoint.address.value());
    return result;
}

int open_socket(base::Endpoint at) {
    const int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(descriptor, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
    setsockopt(descriptor, SOL_SOCKET, SO_BINDTODEVICE, Cable::far_name, sizeof "far0");
    const sockaddr_in address = socket_address(at);
    if (bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        throw std::system_error(errno, std::generic_category(), at.text());
    }
    return descriptor;
}

void send_to(int descriptor, base::Endpoint to, base::Bytes payload) {
    const sockaddr_in address = socket_address(to);
    (void)sendto(descriptor, payload.data(), payload.size(), 0, reinterpret_cast<const sockaddr*>(&address),
                 sizeof address);
}

codec::BootpHeader reply_to(const codec::DhcpView& request, Ipv4Address yiaddr, Ipv4Address siaddr) {
    codec::BootpHeader header = request.header();
    header.op = codec::bootreply;
    header.yiaddr = yiaddr;
    header.siaddr = siaddr;
    return header;
}

}  // namespace

PretendNetwork::PretendNetwork(const Cable& cable, std::vector<PretendServer> servers) {
    for (PretendServer& server : servers) {
        cable.far.run("ip addr add " + server.address.text() + "/24 dev far0");
        const auto inside = cable.far.enter();
        const Ipv4Address address = server.address;
        stations_.push_back({std::move(server), open_socket({address, 67}), open_socket({address, 69})});
    }
    const auto inside = cable.far.enter();
    ear_ = open_socket({Ipv4Address(), 67});
    thread_ = std::thread([this] { run(); });
}

PretendNetwork::~PretendNetwork() {
    stop_ = true;
    thread_.join();
    for (const Station& station : stations_) {
        close(station.boot_socket);
        close(station.tftp_socket);
    }
    close(ear_);
}

void PretendNetwork::run() {
    std::vector<pollfd> waiting = {{ear_, POLLIN, 0}};
    for (const Station& station : stations_) {
        waiting.push_back({station.boot_socket, POLLIN, 0});
        waiting.push_back({station.tftp_socket, POLLIN, 0});
    }
    std::array<std::uint8_t, 2000> buffer{};
    while (!stop_) {
        if (poll(waiting.data(), waiting.size(), 20) <= 0) continue;
        for (std::size_t i = 0; i < waiting.size(); ++i) {
            if ((waiting[i].revents & POLLIN) == 0) continue;
            if (i > 0 && i % 2 == 0) {
                serve_tftp(stations_[i / 2 - 1]);
                continue;
            }
            const ssize_t length = recv(waiting[i].fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
            if (length > 0) take_message(base::Bytes(buffer).first(static_cast<std::size_t>(length)));
        }
    }
}

void PretendNetwork::take_message(base::Bytes payload) {
    const auto request = codec::DhcpView::parse(payload);
    if (!request || request->options_fault()) return;
    if (request->type() == DhcpType::release) ++released_;
    for (Station& station : stations_) answer(station, *request);
}

void PretendNetwork::answer(Station& station, const codec::DhcpView& request) {
    PretendServer& server = station.server;
    if (server.deaf_for > 0) {
        --server.deaf_for;
        return;
    }
    const auto type = request.type();
    if (type == DhcpType::inform) {
        answer_inform(station, request);
        return;
    }
    if (!server.lends || (type != DhcpType::discover && type != DhcpType::request)) return;
    const bool refuse = type == DhcpType::request && server.refuses_request;
    std::array<std::uint8_t, 576> room;
    codec::DhcpWriter writer(room, reply_to(request, refuse ? Ipv4Address() : server.lends->address(), {}),
                             {}, {});
    const DhcpType answer_type =
        type == DhcpType::discover ? DhcpType::offer : (refuse ? DhcpType::nak : DhcpType::ack);
    writer.option_u8(Option::message_type, static_cast<std::uint8_t>(answer_type));
    writer.option_address(Option::server_identifier, server.address);
    writer.option_address(Option::subnet_mask, server.lends->mask());
    send_to(station.boot_socket, {Ipv4Address::broadcast(), 68}, writer.finish());
}

void PretendNetwork::answer_inform(const Station& station, const codec::DhcpView& request) {
    const PretendServer& server = station.server;
    const auto options = codec::parse_bsdp(request);
    if (!options) return;
    const base::Endpoint to{request.header().ciaddr, options->reply_port.value_or(std::uint16_t{68})};
    std::array<std::uint8_t, 1472> room;
    if (server.acks_inform) {
        codec::DhcpWriter writer(room, reply_to(request, {}, {}), {}, {});
        writer.option_u8(Option::message_type, 5);
        writer.option_address(Option::server_identifier, server.address);
        send_to(station.boot_socket, to, writer.finish());
    }
    if (!server.boots) return;
    const bool selects = options->message_type == static_cast<std::uint8_t>(codec::BsdpType::select);
    if (selects && options->server_identifier != server.address && !server.takes_others_macs) return;

    codec::DhcpWriter writer(room, reply_to(request, {}, server.address), {},
                             selects && !server.fails_select ? server.file : std::string());
    writer.option_u8(Option::message_type, 5);
    writer.option_address(Option::server_identifier, server.address);
    writer.option_text(Option::vendor_class, codec::bsdp_class);
    codec::BsdpWriter vendor;
    if (selects) {
        vendor.u8(codec::BsdpOption::message_type, server.fails_select ? 3 : 2);
        if (!server.fails_select)
            vendor.image(codec::BsdpOption::selected_boot_image, *options->selected_image);
    } else {
        vendor.u8(codec::BsdpOption::message_type, 1);
        if (server.priority) vendor.u16(codec::BsdpOption::server_priority, *server.priority);
        if (server.default_image) vendor.image(codec::BsdpOption::default_boot_image, *server.default_image);
        std::vector<std::uint8_t> list;
        for (const auto& [id, name] : server.images) {
            for (const int shift : {24, 16, 8, 0})
                list.push_back(static_cast<std::uint8_t>(id.value() >> shift));
            list.push_back(static_cast<std::uint8_t>(name.size()));
            list.insert(list.end(), name.begin(), name.end());
        }
        vendor.bytes(codec::BsdpOption::boot_image_list, list);
    }
    writer.option(Option::vendor_specific, vendor.value());
    send_to(station.boot_socket, to, writer.finish());
}

void PretendNetwork::serve_tftp(Station& station) {
    PretendServer& server = station.server;
    std::array<std::uint8_t, 600> packet{};
    sockaddr_in from{};
    socklen_t from_length = sizeof from;
    const ssize_t length = recvfrom(station.tftp_socket, packet.data(), packet.size(), MSG_DONTWAIT,
                                    reinterpret_cast<sockaddr*>(&from), &from_length);
    if (length < 4) return;
    if (server.loses > 0) {
        --server.loses;
        return;
    }
    const base::Endpoint to{Ipv4Address(ntohl(from.sin_addr.s_addr)), ntohs(from.sin_port)};
    std::vector<std::uint8_t> room(server.window * (4 + tftp_block));
    base::ByteWriter writer(room);
    if (packet[1] == 1 && server.has_no_file) {
        writer.u16(5);
        writer.u16(1);
        writer.text("File not found");
        writer.u8(0);
    } else if (packet[1] == 1) {
        writer.u16(6);
        for (const std::string& text : {std::string("blksize"), std::to_string(tftp_block),
                                        std::string("tsize"), std::to_string(server.content.size()),
                                        std::string("windowsize"), std::to_string(server.window)}) {
            writer.text(text);
            writer.u8(0);
        }
    } else {
        const auto acknowledged = static_cast<std::size_t>(packet[2] << 8 | packet[3]);
        for (std::size_t block = acknowledged; block < acknowledged + server.window; ++block) {
            if (block * tftp_block > server.content.size()) break;
            writer.u16(3);
            writer.u16(static_cast<std::uint16_t>(block + 1));
            writer.text(server.content.substr(block * tftp_block, tftp_block));
        }
        const int segment = server.window > 1 ? int{4 + tftp_block} : 0;
        setsockopt(station.tftp_socket, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment);
    }
    if (writer.size() > 0) send_to(station.tftp_socket, to, writer.written());
}

}  // namespace pomona::tests
