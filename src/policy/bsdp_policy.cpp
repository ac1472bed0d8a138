#include <pomona/model/boot_paths.hpp>
#include <pomona/policy/bsdp_policy.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace pomona::policy {

namespace {

/// Sub-option 12 may raise the limit this far; Apple's tools take IP fragments.
constexpr std::size_t largest_inform_answer = 8'192;
/// An OFFER reaches a client without an address, hence in one frame.
constexpr std::size_t largest_offer = 1'500;

Quiet quiet(Silence reason) {
    return Quiet{.reason = reason, .change = std::nullopt, .borrow_in = std::nullopt};
}

/// The remembered image, while it exists and this client may still have it.
const model::NetBootImage* remembered_image(const BsdpClient& client, const Situation& situation) {
    if (!situation.client) return nullptr;
    const model::NetBootImage* image = situation.catalogue.find(situation.client->image);
    if (image == nullptr || !situation.catalogue.matches(*image, client.traits()) ||
        !model::Catalogue::passes(*image, client.filter)) {
        return nullptr;
    }
    return image;
}

/// What all answers to an INFORM have in common: a unicast to ciaddr, whatever giaddr and flags say.
Answer inform_answer(AnswerKind kind, const BsdpClient& client, std::uint16_t reply_port,
                     base::Ipv4Address server) {
    Answer answer;
    answer.kind = kind;
    answer.server = server;
    answer.header = client.header;
    answer.header.op = codec::bootreply;
    answer.header.hops = 0;
    answer.header.secs = 0;
    answer.header.yiaddr = {};
    answer.header.siaddr = server;
    answer.destination.to = {client.header.ciaddr, reply_port};
    // Across a relay the link address is the relay's; the way back is the kernel's to find.
    if (!client.relayed()) answer.destination.link = client.link_source;
    answer.payload_limit = codec::payload_limit(client.maximum_message_size, largest_inform_answer);
    return answer;
}

/// siaddr, sname, file, root path and vendor options that lead to an image.
void add_boot_data(Answer& answer, const BsdpClient& client, const model::NetBootImage& image,
                   const model::BootFile& boot_file, const Situation& situation) {
    const bool elsewhere = image.load_balance_server.has_value();
    answer.header.siaddr = image.load_balance_server.value_or(answer.server);
    if (situation.rules.send_host_name && !elsewhere) answer.sname = situation.identity.host_name;
    answer.file = model::tftp_path(image, boot_file);
    answer.boot_file_option = situation.rules.boot_file_option && client.wants_boot_file_option;
    answer.root_path = model::root_path_option(image, answer.server);
    answer.selected_image = image.id;
    answer.with_machine_name = image.type != model::ImageType::boot_file_only;
    if (situation.client) answer.machine_name = situation.client->machine_name;
}

/// The server that a SELECT names: ours to answer from, or nullopt when it is foreign.
std::optional<base::Ipv4Address> chosen_identifier(const BsdpSelect& request,
                                                   const ServerIdentity& identity) {
    if (identity.is_own(request.server)) return request.server;
    // An address that was ours when the list went out: the choice is meant for us all the same.
    if (identity.was_own(request.server)) {
        return identity.identifier_for(request.client.asked, request.client.header.ciaddr);
    }
    return std::nullopt;
}

}  // namespace

Decision decide(const BsdpList& request, const Situation& situation) {
    const BsdpClient& client = request.client;
    const auto server = situation.identity.identifier_for(client.asked, client.header.ciaddr);
    if (!server) return quiet(Silence::not_configured);
    const model::ClientTraits traits = client.traits();
    const model::NetBootImage* default_image = situation.catalogue.default_for(traits, client.filter);
    if (default_image == nullptr) return quiet(Silence::no_image);

    Answer answer = inform_answer(AnswerKind::list, client, request.reply_port, *server);
    answer.priority = static_cast<std::uint16_t>(
        situation.rules.priority_base -
        std::min<std::size_t>(situation.rules.priority_base, situation.remembered_clients));
    answer.default_image = default_image->id;
    if (const auto* remembered = remembered_image(client, situation)) answer.selected_image = remembered->id;
    if (client.version != codec::bsdp_version_1_0) {
        answer.images.emplace();
        for (const model::NetBootImage& image : situation.catalogue.images()) {
            if (situation.catalogue.matches(image, traits) &&
                model::Catalogue::passes(image, client.filter)) {
                answer.images->push_back({image.id, image.name});
            }
        }
    }
    return answer;
}

Decision decide(const BsdpSelect& request, const Situation& situation) {
    const BsdpClient& client = request.client;
    if (request.server.is_zero() || request.server == base::Ipv4Address::broadcast()) {
        return quiet(Silence::no_server_chosen);
    }
    const auto server = chosen_identifier(request, situation.identity);
    if (!server) {
        const model::ClientKey key = key_of(client);
        return Quiet{.reason = Silence::other_server,
                     .change = model::ForgetClient{.mac = key.mac, .model = key.model},
                     .borrow_in = std::nullopt};
    }

    const auto failed = [&](std::string_view why) {
        Answer answer = inform_answer(AnswerKind::failed, client, request.reply_port, *server);
        answer.failure = why;
        return answer;
    };
    const model::ClientTraits traits = client.traits();
    const model::NetBootImage* image = nullptr;
    if (request.image) {
        image = situation.catalogue.find(*request.image);
        if (image == nullptr) return failed("unknown-image");
        if (!situation.catalogue.matches(*image, traits)) return failed("image-not-for-this-mac");
    } else {
        image = situation.catalogue.default_for(traits, std::nullopt);
        if (image == nullptr) return failed("no-default-image");
    }
    const model::BootFile* boot_file = situation.catalogue.boot_file_for(*image, traits);
    if (boot_file == nullptr) return failed("image-not-for-this-mac");

    Answer answer = inform_answer(AnswerKind::select, client, request.reply_port, *server);
    add_boot_data(answer, client, *image, *boot_file, situation);
    if (!fits(answer)) return failed("answer-too-large");
    answer.remember = model::RememberChoice{.key = key_of(client),
                                            .architecture = std::string(client.architecture),
                                            .image = image->id,
                                            .address = client.header.ciaddr,
                                            .when = situation.now,
                                            .by_hand = false};
    return answer;
}

Decision decide(const BsdpDiscover& request, const Situation& situation) {
    const BsdpClient& client = request.client;
    if (!situation.rules.answer_discover) return quiet(Silence::discover_answers_off);
    if (!situation.client) return quiet(Silence::no_choice_remembered);
    const model::NetBootImage* image = remembered_image(client, situation);
    const model::BootFile* boot_file =
        image == nullptr ? nullptr : situation.catalogue.boot_file_for(*image, client.traits());
    if (boot_file == nullptr) return quiet(Silence::remembered_image_gone);
    const auto server = situation.identity.identifier_for(client.asked, situation.client->address);
    if (!server) return quiet(Silence::not_configured);

    Answer answer = inform_answer(AnswerKind::offer, client, codec::bootp_client_port, *server);
    answer.header.ciaddr = {};
    answer.payload_limit = codec::payload_limit(client.maximum_message_size, largest_offer);
    add_boot_data(answer, client, *image, *boot_file, situation);
    if (!fits(answer)) return quiet(Silence::answer_too_large);
    if (client.relayed()) {
        answer.destination.to = {client.header.giaddr, codec::bootp_server_port};
    } else {
        // The client has no address yet and answers no ARP: to everybody if it asks so, else to its MAC.
        const bool broadcast = (client.header.flags & codec::flag_broadcast) != 0;
        answer.destination.to.address = base::Ipv4Address::broadcast();
        answer.destination.link = broadcast ? base::MacAddress::broadcast() : client.header.mac();
    }
    return answer;
}

Decision decide(const BsdpAddressNote& request, const Situation& situation) {
    if (!situation.client || !request.address || request.address->is_zero()) {
        return quiet(Silence::address_of_unknown_client);
    }
    return Quiet{.reason = Silence::address_noted,
                 .change =
                     model::NoteAddress{
                         .key = key_of(request.client), .address = *request.address, .when = situation.now},
                 .borrow_in = std::nullopt};
}

model::ClientKey key_of(const BsdpClient& client) {
    return {.mac = client.header.mac(), .model = std::string(client.model)};
}

}  // namespace pomona::policy
