// What a DHCP message that passes by says about who has which address (RFC 2131, 4.3 and 4.4).
#pragma once

#include <pomona/codec/dhcp.hpp>
#include <pomona/codec/frame.hpp>
#include <pomona/model/address_book.hpp>

#include <optional>

namespace pomona::policy {

/// A message to a DHCP server, from a client or its relay, or one from a DHCP server to a client. nullopt for
/// what says nothing: DISCOVER, OFFER, BOOTP, and whatever cannot be read.
[[nodiscard]] std::optional<model::Sighting> sighting_in(const codec::Datagram& datagram);

/// What a DHCP server's message says about the client's network.
[[nodiscard]] model::NetworkFacts network_facts_in(const codec::DhcpView& message);

}  // namespace pomona::policy
