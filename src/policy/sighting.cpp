#include <pomona/codec/bsdp.hpp>
#include <pomona/codec/dhcp.hpp>
#include <pomona/policy/sighting.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace pomona::policy {

namespace {

using codec::DhcpType;
using codec::DhcpView;
using codec::Option;
using model::Sighting;

/// More name servers than a loader asks one after the other.
constexpr std::size_t most_name_servers = 3;

std::vector<base::Ipv4Address> addresses_of(const DhcpView& message, Option code) {
    std::vector<base::Ipv4Address> addresses;
    base::ByteReader reader(message.option(code).value_or(base::Bytes{}));
    while (reader.remaining() >= 4 && addresses.size() < most_name_servers)
        addresses.emplace_back(reader.u32());
    return addresses;
}

/// Texts go into answers and logs; what is no plain host name stays out of both.
std::string name_of(const DhcpView& message, Option code) {
    const std::string_view text = message.option_text(code);
    const bool plain = std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '.' || c == '_';
    });
    return plain ? std::string(text) : std::string();
}

bool is_apple(const DhcpView& message) {
    return codec::parse_vendor_class(message.option(Option::vendor_class).value_or(base::Bytes{}))
        .has_value();
}

std::optional<Sighting> from_client(const DhcpView& message, Sighting sighting) {
    const codec::BootpHeader& header = message.header();
    const base::Ipv4Address requested =
        message.option_address(Option::requested_address).value_or(base::Ipv4Address());
    sighting.address = header.ciaddr;
    switch (*message.type()) {
        case DhcpType::inform:
            // Anybody may claim any ciaddr; a Mac's own words are only worth an entry for that Mac.
            if (!is_apple(message)) return std::nullopt;
            break;
        case DhcpType::request:
            if (!header.ciaddr.is_zero()) break;
            sighting.kind = Sighting::Kind::asks;
            sighting.address = requested;
            // Without a server identifier it asks for an old address and may be told no; nobody gave it that.
            if (!message.option_address(Option::server_identifier)) return std::nullopt;
            break;
        case DhcpType::release:
            sighting.kind = Sighting::Kind::gives_up;
            break;
        case DhcpType::decline:
            sighting.kind = Sighting::Kind::gives_up;
            sighting.address = requested;
            break;
        default:
            return std::nullopt;
    }
    if (sighting.address.is_zero()) return std::nullopt;
    sighting.apple = is_apple(message);
    return sighting;
}

std::optional<Sighting> from_server(const DhcpView& message, Sighting sighting) {
    switch (*message.type()) {
        case DhcpType::ack: {
            // An ACK without an address answers an INFORM; one without a lease is no DHCP server's.
            const auto lease = message.option(Option::lease_time);
            if (message.header().yiaddr.is_zero() || !lease || lease->size() != 4) return std::nullopt;
            sighting.kind = Sighting::Kind::granted;
            sighting.address = message.header().yiaddr;
            sighting.lease = std::chrono::seconds(base::ByteReader(*lease).u32());
            sighting.facts = network_facts_in(message);
            return sighting;
        }
        case DhcpType::nak:
            sighting.kind = Sighting::Kind::denied;
            return sighting;
        default:
            return std::nullopt;
    }
}

}  // namespace

std::optional<Sighting> sighting_in(const codec::Datagram& datagram) {
    const auto message = DhcpView::parse(datagram.payload);
    if (!message || message->options_fault() || !message->type()) return std::nullopt;
    const codec::BootpHeader& header = message->header();
    if (header.htype != codec::hardware_ethernet || header.hlen != 6) return std::nullopt;
    Sighting sighting;
    sighting.mac = header.mac();
    sighting.relay = header.giaddr;
    if (header.op == codec::bootrequest && datagram.destination.port == codec::bootp_server_port) {
        return from_client(*message, sighting);
    }
    if (header.op == codec::bootreply && datagram.source.port == codec::bootp_server_port) {
        return from_server(*message, sighting);
    }
    return std::nullopt;
}

model::NetworkFacts network_facts_in(const DhcpView& message) {
    const auto routers = addresses_of(message, Option::router);
    return {.mask = message.option_address(Option::subnet_mask),
            .router = routers.empty() ? std::nullopt : std::optional(routers.front()),
            .name_servers = addresses_of(message, Option::domain_name_server),
            .host_name = name_of(message, Option::host_name),
            .domain_name = name_of(message, Option::domain_name)};
}

}  // namespace pomona::policy
