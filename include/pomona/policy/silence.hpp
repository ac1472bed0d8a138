// Why the server stays silent. One table: a stable name and one sentence for each reason, used by the log,
// the tools and the manual alike.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace pomona::policy {

enum class Silence : std::uint8_t {
    // Not a request that could be ours.
    not_bootp,
    not_addressed_here,
    short_message,
    not_a_request,
    // Refused by configuration or by its own words.
    denied_mac,
    mac_not_allowed,
    foreign_server_name,
    foreign_server_address,
    outside_client_networks,
    // Not BSDP.
    malformed_options,
    not_bsdp_class,
    no_vendor_options,
    malformed_vendor_options,
    no_bsdp_version,
    unknown_bsdp_version,
    netboot_1_0,
    not_ethernet,
    other_dhcp_message,
    // BSDP that gets no answer.
    reply_port,
    no_client_address,
    no_bsdp_message,
    unknown_bsdp_message,
    no_server_identifier,
    no_image,
    other_server,
    no_server_chosen,
    discover_answers_off,
    no_choice_remembered,
    remembered_image_gone,
    address_noted,
    address_of_unknown_client,
    // BOOTP and the loaders' own DHCP.
    bootp_off,
    no_address_known,
    address_on_loan,
    loan_refused,
    pool_empty,
    address_expired,
    address_contested,
    address_unchecked,
    address_elsewhere,
    other_client_address,
    bare_discover,
    bootp_discover_off,
    loader_of_others,
    no_loader_script,
    // The answer could not leave.
    answer_too_large,
    not_configured,
};

struct SilenceText {
    Silence reason;
    /// Stable: "no-image".
    std::string_view name;
    /// One sentence that a person can act on.
    std::string_view sentence;
    /// Everyday traffic of others: told in the log at debug level only.
    bool everyday;
};

/// Every reason, in the order of the enumeration.
std::span<const SilenceText> silence_texts();
const SilenceText& text_of(Silence reason);

}  // namespace pomona::policy
