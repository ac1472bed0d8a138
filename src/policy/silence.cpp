#include <pomona/policy/silence.hpp>

#include <array>
#include <cassert>
#include <cstddef>

namespace pomona::policy {

namespace {

constexpr std::array texts{
    SilenceText{Silence::not_bootp, "not-bootp", "The packet is not a UDP datagram to the BOOTP server port.",
                true},
    SilenceText{Silence::not_addressed_here, "not-addressed-here",
                "The packet is addressed to another host that happens to be reached through this one.", true},
    SilenceText{Silence::short_message, "short-message",
                "The message is shorter than the 236 bytes of a BOOTP message, or its hlen is above 16.",
                true},
    SilenceText{Silence::not_a_request, "not-a-request", "The op field is not 1: this is somebody's reply.",
                true},
    SilenceText{Silence::denied_mac, "denied-mac", "The setting deny-mac names this MAC.", false},
    SilenceText{Silence::mac_not_allowed, "mac-not-allowed",
                "The setting allow-mac lists other MACs, but not this one.", false},
    SilenceText{Silence::foreign_server_name, "foreign-server-name",
                "The sname field asks for a server of another name.", false},
    SilenceText{Silence::foreign_server_address, "foreign-server-address",
                "The siaddr field asks for a server with another address.", false},
    SilenceText{
        Silence::outside_client_networks, "outside-client-networks",
        "The client's address (or its relay's) lies in none of the networks of the setting client-network.",
        false},
    SilenceText{Silence::malformed_options, "malformed-options",
                "A DHCP option runs past the end of the message, or option 52 has an impossible value.",
                false},
    SilenceText{Silence::not_bsdp_class, "not-bsdp-class",
                "Option 60 is not AAPLBSDPC/architecture/model: not a Mac that looks for a boot server.",
                true},
    SilenceText{Silence::no_vendor_options, "no-vendor-options",
                "Option 43 is missing: a Mac that asks for an address only.", true},
    SilenceText{Silence::malformed_vendor_options, "malformed-vendor-options",
                "Option 43 is broken: a sub-option runs past its end or has an impossible length.", false},
    SilenceText{Silence::no_bsdp_version, "no-bsdp-version", "The BSDP version (sub-option 2) is missing.",
                false},
    SilenceText{Silence::unknown_bsdp_version, "unknown-bsdp-version",
                "The BSDP version is none of 0.0, 1.0 and 1.1.", false},
    SilenceText{Silence::netboot_1_0, "netboot-1.0",
                "The Mac has NetBoot 1.0 firmware, which cannot boot from this server.", false},
    SilenceText{Silence::not_ethernet, "not-ethernet",
                "The hardware type is not Ethernet with six-byte addresses.", false},
    SilenceText{Silence::other_dhcp_message, "other-dhcp-message",
                "A DHCP message that is none of DISCOVER, REQUEST and INFORM.", true},
    SilenceText{Silence::reply_port, "reply-port",
                "The reply port (sub-option 5) is 0, or 1024 or above: answering would serve a reflector.",
                false},
    SilenceText{Silence::no_client_address, "no-client-address",
                "The client gives no address to answer to: ciaddr is 0.0.0.0 or cannot be a host's.", false},
    SilenceText{Silence::no_bsdp_message, "no-bsdp-message",
                "The BSDP message type (sub-option 1) is missing.", false},
    SilenceText{Silence::unknown_bsdp_message, "unknown-bsdp-message",
                "The BSDP message type is neither LIST nor SELECT.", false},
    SilenceText{Silence::no_server_identifier, "no-server-identifier",
                "The SELECT does not say which server it chooses (sub-option 3).", false},
    SilenceText{Silence::no_image, "no-image",
                "No published image suits this Mac's architecture, model, MAC and attributes filter.", false},
    SilenceText{Silence::other_server, "other-server",
                "The Mac chose another server; its record here is forgotten.", false},
    SilenceText{
        Silence::no_server_chosen, "no-server-chosen",
        "The SELECT names no server (0.0.0.0 or 255.255.255.255): the Mac could not use any list it got.",
        false},
    SilenceText{Silence::discover_answers_off, "discover-answers-off",
                "The setting answer-discover is off; the Mac goes on with INFORM.", true},
    SilenceText{Silence::no_choice_remembered, "no-choice-remembered",
                "A DISCOVER is answered only to a Mac whose choice is remembered; it goes on with INFORM.",
                true},
    SilenceText{Silence::remembered_image_gone, "remembered-image-gone",
                "The remembered image is not published any more, or not to this Mac.", false},
    SilenceText{Silence::address_noted, "address-noted",
                "A DHCP REQUEST to the DHCP server; the Mac's new address was noted.", true},
    SilenceText{Silence::address_of_unknown_client, "address-of-unknown-client",
                "A DHCP REQUEST to the DHCP server from a Mac without a record here.", true},
    SilenceText{Silence::bootp_off, "bootp-off",
                "A loader asks for an address; the setting bootp, which is off, would answer it.", false},
    SilenceText{Silence::no_address_known, "no-address-known",
                "No address is known for the machine, which chose no image here: a host entry, bootp-borrow "
                "or bootp-pool would answer it.",
                false},
    SilenceText{Silence::address_on_loan, "address-on-loan",
                "The site's DHCP server is being asked for an address for this machine; the answer follows.",
                false},
    SilenceText{Silence::loan_refused, "loan-refused",
                "The site's DHCP server lends no address for this machine; it is asked again later.", false},
    SilenceText{Silence::pool_empty, "pool-empty",
                "Every address of bootp-pool that suits the link is taken.", false},
    SilenceText{
        Silence::address_expired, "address-expired",
        "The machine was last heard at its address too long ago (bootp-lifetime), or its lease is over.",
        false},
    SilenceText{Silence::address_contested, "address-contested",
                "Another host has the address that this machine had.", false},
    SilenceText{Silence::address_unchecked, "address-unchecked",
                "Whether another host has the address could not be asked by ARP.", false},
    SilenceText{Silence::address_elsewhere, "address-elsewhere",
                "The address known for this machine belongs to another network than the one it asks from.",
                false},
    SilenceText{Silence::other_client_address, "other-client-address",
                "The client says (ciaddr) that it has another address than the one that is known for it.",
                false},
    SilenceText{
        Silence::bare_discover, "bare-discover",
        "A DISCOVER without a class, as GRUB 2.04 and later send it, from a machine that chose nothing here; "
        "its DHCP server answers.",
        true},
    SilenceText{
        Silence::bootp_discover_off, "bootp-discover-off",
        "GRUB's DISCOVER is left to the DHCP server: the setting bootp-answer-discover (or bootp) is off.",
        false},
    SilenceText{Silence::loader_of_others, "loader-of-others",
                "iPXE's own DHCP on a machine that chose no image here.", true},
    SilenceText{Silence::no_loader_script, "no-loader-script",
                "iPXE asks where to go on, and the image it came from names no script (PomonaLoaderScript).",
                false},
    SilenceText{Silence::answer_too_large, "answer-too-large",
                "The answer does not fit into the message size that the client can take.", false},
    SilenceText{Silence::not_configured, "interface-without-address",
                "The interface has no IPv4 address that an answer could come from.", false},
};

constexpr bool in_order() {
    for (std::size_t i = 0; i < texts.size(); ++i) {
        if (static_cast<std::size_t>(texts[i].reason) != i) return false;
    }
    return texts.size() == static_cast<std::size_t>(Silence::not_configured) + 1;
}
static_assert(in_order(), "the table names every reason once, in the order of the enumeration");

}  // namespace

std::span<const SilenceText> silence_texts() {
    return texts;
}

const SilenceText& text_of(Silence reason) {
    return texts[static_cast<std::size_t>(reason)];
}

}  // namespace pomona::policy
