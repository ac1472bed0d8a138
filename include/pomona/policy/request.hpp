// From a datagram to a typed request: all validation of what comes from outside happens here, so that the
// decision finds nothing left to check. The gate follows Apple's server; see docs/bsdp.md.
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/base/boot_image_id.hpp>
#include <pomona/codec/dhcp.hpp>
#include <pomona/codec/frame.hpp>
#include <pomona/model/catalogue.hpp>
#include <pomona/policy/silence.hpp>

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace pomona::policy {

/// Who we are towards one interface. Made anew when addresses change.
struct ServerIdentity {
    std::string interface;
    /// Host name, at most 63 octets; for sname.
    std::string host_name;
    /// Addresses of the interface with their networks; the first is the primary one.
    std::vector<base::Ipv4Network> addresses;
    /// Every address of this host, on whatever interface. Sorted.
    std::vector<base::Ipv4Address> own_addresses;
    /// Addresses that were ours and stood in answers since the start. Sorted.
    std::vector<base::Ipv4Address> former_addresses;

    [[nodiscard]] bool is_own(base::Ipv4Address address) const;
    [[nodiscard]] bool was_own(base::Ipv4Address address) const;
    /// One of our addresses, 255.255.255.255, or the broadcast address of one of the interface's networks.
    [[nodiscard]] bool receives(base::Ipv4Address destination) const;
    /// The address to answer from: the one that was asked if it is ours, else the one in the client's
    /// network, else the primary one; nullopt on an interface without addresses.
    [[nodiscard]] std::optional<base::Ipv4Address> identifier_for(base::Ipv4Address asked,
                                                                  base::Ipv4Address client) const;
};

/// Who may ask. Empty lists allow everybody.
struct AccessRules {
    std::vector<base::MacAddress> allow_macs;
    std::vector<base::MacAddress> deny_macs;
    std::vector<base::Ipv4Network> client_networks;
};

/// What every BSDP message says about its sender. Views point into the message.
struct BsdpClient {
    codec::BootpHeader header;
    base::MacAddress link_source;
    /// Destination of the datagram: 255.255.255.255, or one of our addresses.
    base::Ipv4Address asked;
    std::string_view architecture;
    std::string_view model;
    std::uint16_t version = 0;
    model::AttributesFilter filter;
    /// In an INFORM sub-option 12 if given; else option 57.
    std::optional<std::uint16_t> maximum_message_size;
    /// The client's parameter request list holds option 67.
    bool wants_boot_file_option = false;

    [[nodiscard]] model::ClientTraits traits() const { return {header.mac(), architecture, model}; }
    [[nodiscard]] bool relayed() const { return !header.giaddr.is_zero(); }
};

struct BsdpList {
    BsdpClient client;
    std::uint16_t reply_port = codec::bootp_client_port;
};

struct BsdpSelect {
    BsdpClient client;
    std::uint16_t reply_port = codec::bootp_client_port;
    base::Ipv4Address server;
    /// Absent: the client wants the default.
    std::optional<base::BootImageId> image;
};

/// A DHCP DISCOVER of BSDP class.
struct BsdpDiscover {
    BsdpClient client;
};

/// A DHCP REQUEST of BSDP class: never answered, but it tells the client's address.
struct BsdpAddressNote {
    BsdpClient client;
    std::optional<base::Ipv4Address> address;
};

/// A client that asks for an address without BSDP: plain BOOTP (RFC 951), or the DISCOVER of GRUB 2.04 and
/// later, which holds nothing but option 53.
struct BootpRequest {
    codec::BootpHeader header;
    base::MacAddress link_source;
    /// Destination of the datagram, as in BsdpClient.
    base::Ipv4Address asked;
    bool discover = false;
    /// Option 82, to be repeated to the relay (RFC 3046); a view into the message, empty if absent.
    base::Bytes relay_information;

    [[nodiscard]] bool relayed() const { return !header.giaddr.is_zero(); }
};

/// The DISCOVER of iPXE or gPXE, which asks for an address again after the firmware did.
struct LoaderDiscover {
    codec::BootpHeader header;
    base::MacAddress link_source;
    base::Ipv4Address asked;
    std::optional<std::uint16_t> maximum_message_size;
    /// Option 97, to be repeated; a view into the message, empty if absent.
    base::Bytes client_uuid;
    /// As in BootpRequest.
    base::Bytes relay_information;

    [[nodiscard]] bool relayed() const { return !header.giaddr.is_zero(); }
};

using Request =
    std::variant<BsdpList, BsdpSelect, BsdpDiscover, BsdpAddressNote, BootpRequest, LoaderDiscover>;

/// Who asks, whatever the request; model and architecture are empty where it does not tell.
struct Sender {
    base::MacAddress mac;
    std::uint32_t xid = 0;
    std::string_view model;
    std::string_view architecture;
};

/// What is known of a message that is not answered, for the log; as much as could be read.
struct Refused {
    Silence reason;
    std::optional<codec::BootpHeader> header;
    std::string_view vendor_class;
    std::string_view model;
};

[[nodiscard]] Sender sender_of(const Request& request);
/// The sender of a BSDP request; nullptr for the others, which do not tell what machine they come from.
[[nodiscard]] const BsdpClient* bsdp_client_of(const Request& request);

/// `datagram` must stay alive as long as the request.
std::expected<Request, Refused> parse_request(const codec::Datagram& datagram, const ServerIdentity& identity,
                                              const AccessRules& access);

}  // namespace pomona::policy
