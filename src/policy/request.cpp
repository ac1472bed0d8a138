#include <pomona/codec/bsdp.hpp>
#include <pomona/policy/request.hpp>

#include <algorithm>

namespace pomona::policy {

namespace {

using codec::BsdpOptions;
using codec::DhcpFault;
using codec::DhcpType;
using codec::DhcpView;
using codec::Option;

constexpr std::uint16_t first_unprivileged_port = 1024;
/// The record is keyed by model; longer ones than any Mac has are cut off.
constexpr std::size_t longest_model = 64;

/// A NUL-terminated name in a field of fixed size.
std::string_view field_text(base::Bytes field) {
    const std::string_view text = base::as_text(field);
    return text.substr(0, text.find('\0'));
}

std::optional<Silence> check_access(base::MacAddress mac, const AccessRules& access) {
    const auto holds = [mac](const std::vector<base::MacAddress>& list) {
        return std::ranges::find(list, mac) != list.end();
    };
    if (holds(access.deny_macs)) return Silence::denied_mac;
    if (!access.allow_macs.empty() && !holds(access.allow_macs)) return Silence::mac_not_allowed;
    return std::nullopt;
}

std::optional<Silence> check_addressed_to_us(const DhcpView& message, const ServerIdentity& identity) {
    if (!message.sname_overloaded()) {
        const std::string_view name = field_text(message.sname());
        if (!name.empty() && name != identity.host_name) return Silence::foreign_server_name;
    }
    const base::Ipv4Address siaddr = message.header().siaddr;
    if (!siaddr.is_zero() && !identity.is_own(siaddr)) return Silence::foreign_server_address;
    return std::nullopt;
}

/// Without a cookie there are no options, hence no message type: that is BOOTP as well.
bool is_bootp(const DhcpView& message) {
    return message.options_fault() == DhcpFault::no_cookie || (!message.options_fault() && !message.type());
}

/// The DISCOVER of GRUB 2.04 and later says nothing about its sender; a relay may have added its own option.
bool is_bare_discover(const DhcpView& message) {
    bool bare = message.type() == DhcpType::discover;
    message.for_each_option([&](Option code, base::Bytes) {
        bare = bare && (code == Option::message_type || code == Option::relay_agent_information);
    });
    return bare;
}

/// Option 77 of iPXE and gPXE is their bare name; a script may set it in the form of RFC 3004, with a length
/// first.
bool is_network_loader(const DhcpView& message) {
    const base::Bytes value = message.option(Option::user_class).value_or(base::Bytes{});
    std::string_view name = base::as_text(value);
    if (!value.empty() && value[0] == value.size() - 1) name.remove_prefix(1);
    return name == "iPXE" || name == "gPXE";
}

/// An answer to another address would be a reflector's, and reach no Mac.
bool is_host_address(base::Ipv4Address address) {
    // 240.0.0.0/4, the broadcast address included, is nobody's.
    const bool reserved = address.value() >> 28 == 0xf;
    return address.value() >> 24 != 0 && !address.is_multicast() && !reserved;
}

bool in_client_networks(base::Ipv4Address address, const AccessRules& access) {
    return access.client_networks.empty() ||
           std::ranges::any_of(access.client_networks,
                               [address](const base::Ipv4Network& n) { return n.contains(address); });
}

std::expected<Request, Silence> parse_bootp(const codec::Datagram& datagram, const DhcpView& message,
                                            const AccessRules& access) {
    const codec::BootpHeader& header = message.header();
    if (header.htype != codec::hardware_ethernet || header.hlen != 6)
        return std::unexpected(Silence::not_ethernet);
    if (message.option(Option::macnc_client)) return std::unexpected(Silence::netboot_1_0);
    const base::Ipv4Address from = header.ciaddr.is_zero() ? header.giaddr : header.ciaddr;
    if (!from.is_zero() && !in_client_networks(from, access)) {
        return std::unexpected(Silence::outside_client_networks);
    }
    const base::Bytes relay_information =
        message.option(Option::relay_agent_information).value_or(base::Bytes{});
    return BootpRequest{.header = header,
                        .link_source = datagram.link_source,
                        .asked = datagram.destination.address,
                        .discover = message.type().has_value(),
                        .relay_information = relay_information};
}

std::optional<Silence> check_version(const BsdpOptions& options) {
    if (!options.version) return Silence::no_bsdp_version;
    const std::uint16_t version = *options.version;
    if (version != 0 && version != codec::bsdp_version_1_0 && version != codec::bsdp_version_1_1) {
        return Silence::unknown_bsdp_version;
    }
    return std::nullopt;
}

std::expected<Request, Silence> parse_inform(BsdpClient client, const BsdpOptions& options,
                                             const AccessRules& access) {
    const std::uint16_t reply_port = options.reply_port.value_or(codec::bootp_client_port);
    if (reply_port == 0 || reply_port >= first_unprivileged_port) return std::unexpected(Silence::reply_port);
    const base::Ipv4Address ciaddr = client.header.ciaddr;
    if (!is_host_address(ciaddr)) return std::unexpected(Silence::no_client_address);
    if (!in_client_networks(ciaddr, access)) return std::unexpected(Silence::outside_client_networks);
    if (!options.message_type) return std::unexpected(Silence::no_bsdp_message);
    switch (static_cast<codec::BsdpType>(*options.message_type)) {
        case codec::BsdpType::list:
            return BsdpList{std::move(client), reply_port};
        case codec::BsdpType::select:
            if (!options.server_identifier) return std::unexpected(Silence::no_server_identifier);
            return BsdpSelect{std::move(client), reply_port, *options.server_identifier,
                              options.selected_image};
        case codec::BsdpType::failed:
            break;
    }
    return std::unexpected(Silence::unknown_bsdp_message);
}

}  // namespace

bool ServerIdentity::is_own(base::Ipv4Address address) const {
    if (!std::ranges::binary_search(own_addresses, address)) return false;
    // Every host has the loopback address; named on a wire it is nobody's.
    return !address.is_loopback() ||
           std::ranges::find(addresses, address, &base::Ipv4Network::address) != addresses.end();
}

bool ServerIdentity::was_own(base::Ipv4Address address) const {
    return std::ranges::binary_search(former_addresses, address);
}

bool ServerIdentity::receives(base::Ipv4Address destination) const {
    if (destination == base::Ipv4Address::broadcast() || is_own(destination)) return true;
    return std::ranges::any_of(addresses, [destination](const base::Ipv4Network& network) {
        const std::uint32_t host_bits = ~network.mask().value();
        return network.contains(destination) && (destination.value() & host_bits) == host_bits;
    });
}

std::optional<base::Ipv4Address> ServerIdentity::identifier_for(base::Ipv4Address asked,
                                                                base::Ipv4Address client) const {
    if (addresses.empty()) return std::nullopt;
    if (is_own(asked)) return asked;
    const auto same_network = std::ranges::find_if(
        addresses, [client](const base::Ipv4Network& network) { return network.contains(client); });
    return same_network == addresses.end() ? addresses.front().address() : same_network->address();
}

const BsdpClient* bsdp_client_of(const Request& request) {
    return std::visit(
        [](const auto& r) -> const BsdpClient* {
            if constexpr (requires { r.client; }) {
                return &r.client;
            } else {
                return nullptr;
            }
        },
        request);
}

Sender sender_of(const Request& request) {
    return std::visit(
        [](const auto& r) -> Sender {
            if constexpr (requires { r.client; }) {
                const BsdpClient& client = r.client;
                return {client.header.mac(), client.header.xid, client.model, client.architecture};
            } else {
                return {.mac = r.header.mac(), .xid = r.header.xid, .model = {}, .architecture = {}};
            }
        },
        request);
}

std::expected<Request, Refused> parse_request(const codec::Datagram& datagram, const ServerIdentity& identity,
                                              const AccessRules& access) {
    Refused refused{Silence::not_bootp, std::nullopt, {}, {}};
    const auto refuse = [&refused](Silence reason) {
        refused.reason = reason;
        return std::unexpected(refused);
    };

    if (datagram.destination.port != codec::bootp_server_port) return refuse(Silence::not_bootp);
    if (!identity.receives(datagram.destination.address)) return refuse(Silence::not_addressed_here);
    const auto message = DhcpView::parse(datagram.payload);
    if (!message) return refuse(Silence::short_message);
    const codec::BootpHeader& header = message->header();
    refused.header = header;
    if (header.op != codec::bootrequest) return refuse(Silence::not_a_request);
    if (const auto reason = check_access(header.mac(), access)) return refuse(*reason);
    if (const auto reason = check_addressed_to_us(*message, identity)) return refuse(*reason);
    if (message->options_fault() == DhcpFault::malformed) return refuse(Silence::malformed_options);
    if (is_bootp(*message) || is_bare_discover(*message)) {
        auto request = parse_bootp(datagram, *message, access);
        if (!request) return refuse(request.error());
        return *std::move(request);
    }
    if (message->type() == DhcpType::discover && is_network_loader(*message)) {
        return LoaderDiscover{
            .header = header,
            .link_source = datagram.link_source,
            .asked = datagram.destination.address,
            .maximum_message_size = message->option_u16(Option::maximum_message_size),
            .client_uuid = message->option(Option::client_uuid).value_or(base::Bytes{}),
            .relay_information = message->option(Option::relay_agent_information).value_or(base::Bytes{})};
    }

    const base::Bytes class_value = message->option(Option::vendor_class).value_or(base::Bytes{});
    refused.vendor_class = base::as_text(class_value);
    const auto vendor_class = codec::parse_vendor_class(class_value);
    if (!vendor_class) return refuse(Silence::not_bsdp_class);
    refused.model = vendor_class->model;
    const auto options = codec::parse_bsdp(*message);
    if (!options) {
        return refuse(options.error() == codec::BsdpFault::no_vendor_options
                          ? Silence::no_vendor_options
                          : Silence::malformed_vendor_options);
    }
    if (const auto reason = check_version(*options)) return refuse(*reason);
    if (options->netboot_1_0) return refuse(Silence::netboot_1_0);
    if (header.htype != codec::hardware_ethernet || header.hlen != 6) return refuse(Silence::not_ethernet);

    BsdpClient client{.header = header,
                      .link_source = datagram.link_source,
                      .asked = datagram.destination.address,
                      .architecture = vendor_class->architecture,
                      .model = vendor_class->model.substr(0, longest_model),
                      .version = *options->version,
                      .filter = options->attributes_filter,
                      .maximum_message_size = message->option_u16(Option::maximum_message_size),
                      .wants_boot_file_option = message->asks_for(Option::boot_file_name)};
    switch (*message->type()) {
        case DhcpType::inform: {
            // Sub-option 12 is about the answers to an INFORM; an OFFER is bounded by option 57 alone.
            if (options->maximum_message_size) client.maximum_message_size = options->maximum_message_size;
            auto request = parse_inform(std::move(client), *options, access);
            if (!request) return refuse(request.error());
            return *std::move(request);
        }
        case DhcpType::discover:
            // The client has no address yet, but the relay that the OFFER would go to lies in its network.
            if (client.relayed() && !in_client_networks(header.giaddr, access)) {
                return refuse(Silence::outside_client_networks);
            }
            return BsdpDiscover{std::move(client)};
        case DhcpType::request:
            return BsdpAddressNote{std::move(client), message->option_address(Option::requested_address)};
        default:
            return refuse(Silence::other_dhcp_message);
    }
}

}  // namespace pomona::policy
