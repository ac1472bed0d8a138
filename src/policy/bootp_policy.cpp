#include <pomona/model/boot_paths.hpp>
#include <pomona/policy/bootp_policy.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace pomona::policy {

namespace {

using model::HeldAddress;
using model::NetBootImage;
using model::NetworkFacts;

Quiet quiet(Silence reason) {
    return Quiet{.reason = reason, .change = std::nullopt, .borrow_in = std::nullopt};
}

bool was_served(const Situation& situation) {
    return situation.client && situation.now - situation.client->last_selected <= situation.bootp.lifetime;
}

/// The image that the loader came from: what this Mac chose here, while it is published.
const NetBootImage* chosen_image(const Situation& situation) {
    return was_served(situation) ? situation.catalogue.find(situation.client->image) : nullptr;
}

/// The interface's network that the machine is in, for addresses that come from elsewhere than from itself.
const base::Ipv4Network* link_network(const BootpRequest& request, const Situation& situation) {
    if (request.relayed() || situation.identity.addresses.empty()) return nullptr;
    return &situation.identity.addresses.front();
}

/// An address to give, and where it comes from.
struct Found {
    base::Ipv4Address address;
    std::string_view source;
    const model::BootpHost* host = nullptr;
    const HeldAddress* held = nullptr;
};

/// Heard on another interface or behind another relay, the machine was moved, and its address with it was
/// not. What was remembered over a restart has no place, only an address that must suit the link.
bool is_at(const HeldAddress& held, const BootpRequest& request, const ServerIdentity& identity) {
    if (!held.place.interface.empty()) {
        return held.place == model::Place{.interface = identity.interface, .relay = request.header.giaddr};
    }
    return request.relayed() ||
           std::ranges::any_of(identity.addresses, [&](const base::Ipv4Network& network) {
               return network.contains(held.address);
           });
}

/// For a machine that was never heard to hold an address: one on loan, else one of the pool. Never for a
/// DISCOVER, which its DHCP server answers.
std::expected<Found, Silence> find_unheld(const BootpRequest& request, const Situation& situation) {
    if (request.discover) return std::unexpected(Silence::no_address_known);
    if (const HeldAddress* loan = situation.borrowed;
        loan != nullptr && loan->place.interface == situation.identity.interface) {
        return Found{.address = loan->address, .source = "borrowed", .host = nullptr, .held = loan};
    }
    const base::Ipv4Network* link = link_network(request, situation);
    if (situation.bootp.borrow && link != nullptr && !situation.loan_refused) {
        return std::unexpected(Silence::address_on_loan);
    }
    if (situation.pool != nullptr && !situation.pool->is_off()) {
        const base::MacAddress mac = request.header.mac();
        const auto usable = [&](base::Ipv4Address address) {
            return !situation.identity.is_own(address) &&
                   std::ranges::find(situation.bootp.hosts, address, &model::BootpHost::address) ==
                       situation.bootp.hosts.end() &&
                   (situation.book == nullptr || !situation.book->is_held_by_another(mac, address));
        };
        // Behind a relay there is nobody to ask for it by ARP.
        if (request.relayed()) return std::unexpected(Silence::pool_empty);
        for (const base::Ipv4Network& network : situation.identity.addresses) {
            const auto address = situation.pool->address_for(mac, network, situation.now, usable);
            if (address)
                return Found{.address = *address, .source = "pool", .host = nullptr, .held = nullptr};
        }
        return std::unexpected(Silence::pool_empty);
    }
    return std::unexpected(situation.loan_refused ? Silence::loan_refused : Silence::no_address_known);
}

std::expected<Found, Silence> find_address(const BootpRequest& request, const Situation& situation) {
    const auto host = std::ranges::find(situation.bootp.hosts, request.header.mac(), &model::BootpHost::mac);
    if (host != situation.bootp.hosts.end()) {
        // A host entry names one place on the network; elsewhere the machine is a stranger's guest.
        const bool here = request.relayed() || std::ranges::any_of(situation.identity.addresses,
                                                                   [&](const base::Ipv4Network& network) {
                                                                       return network.contains(host->address);
                                                                   });
        if (!here) return std::unexpected(Silence::address_elsewhere);
        return Found{.address = host->address, .source = "host", .host = &*host, .held = nullptr};
    }
    const HeldAddress* held = situation.held;
    if (held == nullptr) return find_unheld(request, situation);
    if (held->contested_by) return std::unexpected(Silence::address_contested);
    if (!held->is_fresh(situation.now, situation.bootp.lifetime)) {
        return std::unexpected(Silence::address_expired);
    }
    if (!is_at(*held, request, situation.identity)) return std::unexpected(Silence::address_elsewhere);
    if (situation.identity.is_own(held->address)) return std::unexpected(Silence::address_contested);
    return Found{.address = held->address, .source = "learned", .host = nullptr, .held = held};
}

/// The shortest network that holds both, at least a /24: a guess for a relay's network that nobody described.
base::Ipv4Address guessed_mask(base::Ipv4Address one, base::Ipv4Address other) {
    int bits = 24;
    while (bits > 0 && !base::Ipv4Network(one, bits).contains(other)) --bits;
    return base::Ipv4Network(one, bits).mask();
}

NetworkFacts facts_for(const Found& found, const BootpRequest& request, const Situation& situation) {
    NetworkFacts facts;
    if (found.held != nullptr && found.held->facts) facts = *found.held->facts;
    if (found.host != nullptr && !found.host->name.empty()) facts.host_name = found.host->name;
    // What the site's DHCP said to this very machine comes first; the rest is filled up.
    for (const BootpNetwork& said : situation.bootp.networks) {
        if (!said.network.contains(found.address)) continue;
        if (!facts.mask) facts.mask = said.network.mask();
        if (!facts.router) facts.router = said.router;
        if (facts.name_servers.empty()) facts.name_servers = said.name_servers;
        if (facts.domain_name.empty()) facts.domain_name = said.domain_name;
        break;
    }
    if (request.relayed()) {
        if (!facts.mask) facts.mask = guessed_mask(request.header.giaddr, found.address);
        if (!facts.router) facts.router = request.header.giaddr;
    } else if (!facts.mask) {
        const auto& networks = situation.identity.addresses;
        const auto own = std::ranges::find_if(
            networks, [&](const base::Ipv4Network& network) { return network.contains(found.address); });
        if (own != networks.end()) facts.mask = own->mask();
    }
    return facts;
}

/// RFC 1542, 4.1.2 and 5.4: through the relay, to the address that the client has, to everybody if it asks
/// so, or else to the new address at the client's MAC, since it answers no ARP yet.
Destination destination_of(const BootpRequest& request, base::Ipv4Address given) {
    const codec::BootpHeader& header = request.header;
    if (request.relayed()) return {.link = std::nullopt, .to = {header.giaddr, codec::bootp_server_port}};
    if (!header.ciaddr.is_zero())
        return {.link = request.link_source, .to = {header.ciaddr, codec::bootp_client_port}};
    if ((header.flags & codec::flag_broadcast) != 0) {
        return {.link = base::MacAddress::broadcast(),
                .to = {base::Ipv4Address::broadcast(), codec::bootp_client_port}};
    }
    return {.link = header.mac(), .to = {given, codec::bootp_client_port}};
}

Answer reply_to(const codec::BootpHeader& header, AnswerKind kind, base::Ipv4Address server) {
    Answer answer;
    answer.kind = kind;
    answer.server = server;
    answer.header = header;
    answer.header.op = codec::bootreply;
    answer.header.hops = 0;
    answer.header.secs = 0;
    answer.header.yiaddr = {};
    answer.header.siaddr = server;
    return answer;
}

}  // namespace

Decision decide(const BootpRequest& request, const Situation& situation) {
    if (request.discover) {
        // Its DHCP server answers as well, and whoever is first wins; strangers are none of our business.
        if (!was_served(situation)) return quiet(Silence::bare_discover);
        if (!situation.bootp.on || !situation.bootp.answer_discover)
            return quiet(Silence::bootp_discover_off);
    }
    if (!situation.bootp.on) return quiet(Silence::bootp_off);
    const auto found = find_address(request, situation);
    if (!found) {
        Quiet silent = quiet(found.error());
        if (silent.reason == Silence::address_on_loan) silent.borrow_in = *link_network(request, situation);
        return silent;
    }
    const base::Ipv4Address ciaddr = request.header.ciaddr;
    if (!ciaddr.is_zero() && ciaddr != found->address) return quiet(Silence::other_client_address);
    const auto server = situation.identity.identifier_for(request.asked, found->address);
    if (!server) return quiet(Silence::not_configured);

    Answer answer = reply_to(request.header, AnswerKind::bootp, *server);
    // A client that knows its address wants the rest only (RFC 951, section 3).
    if (ciaddr.is_zero()) answer.header.yiaddr = found->address;
    answer.destination = destination_of(request, found->address);
    answer.network = facts_for(*found, request, situation);
    answer.address_source = found->source;
    // The administrator answers for a fixed address; one that was learned may have passed to another host
    // unseen.
    answer.probe_address = found->host == nullptr && !request.relayed();
    answer.from_pool = found->source == "pool";
    answer.relay_information = request.relay_information;

    const NetBootImage* image = chosen_image(situation);
    if (image != nullptr) {
        answer.selected_image = image->id;
        answer.header.siaddr = image->load_balance_server.value_or(*server);
        const model::ClientTraits traits{.mac = situation.client->key.mac,
                                         .architecture = situation.client->architecture,
                                         .model = situation.client->key.model};
        const model::BootFile* boot_file = situation.catalogue.boot_file_for(*image, traits);
        if (boot_file != nullptr) answer.file = model::tftp_path(*image, *boot_file);
    }
    if (found->host != nullptr && !found->host->file.empty()) answer.file = found->host->file;
    if (situation.rules.send_host_name && answer.header.siaddr == *server) {
        answer.sname = situation.identity.host_name;
    }
    return answer;
}

Decision decide(const LoaderDiscover& request, const Situation& situation) {
    if (!situation.bootp.on) return quiet(Silence::bootp_off);
    const NetBootImage* image = chosen_image(situation);
    if (image == nullptr) return quiet(Silence::loader_of_others);
    if (image->loader_script.empty()) return quiet(Silence::no_loader_script);
    const base::Ipv4Address held = situation.held == nullptr ? base::Ipv4Address() : situation.held->address;
    const auto server = situation.identity.identifier_for(request.asked, held);
    if (!server) return quiet(Silence::not_configured);

    Answer answer = reply_to(request.header, AnswerKind::proxy, *server);
    answer.header.ciaddr = {};
    answer.header.siaddr = image->load_balance_server.value_or(*server);
    answer.file = model::tftp_path(*image, image->loader_script);
    answer.payload_limit = codec::payload_limit(request.maximum_message_size, 1'500);
    answer.selected_image = image->id;
    answer.client_uuid = request.client_uuid;
    answer.relay_information = request.relay_information;
    if (request.relayed()) {
        answer.destination.to = {request.header.giaddr, codec::bootp_server_port};
    } else {
        // There is no address to send it to; the flag only decides who else has to listen.
        const bool broadcast = (request.header.flags & codec::flag_broadcast) != 0;
        answer.destination.to = {base::Ipv4Address::broadcast(), codec::bootp_client_port};
        answer.destination.link = broadcast ? base::MacAddress::broadcast() : request.header.mac();
    }
    return answer;
}

}  // namespace pomona::policy
