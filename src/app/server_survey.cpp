#include "app/server_survey.hpp"

#include <algorithm>

namespace pomona::app {

namespace {

std::uint16_t priority_of(const ListAnswer& answer) {
    return answer.priority.value_or(std::uint16_t{0});
}

// Two names for one id, or two ids for one index: told once for each pair of servers and image.
void warn_of_clashes(const ListAnswer& one, const ListAnswer& other, std::vector<std::string>& warnings) {
    for (const OfferedImage& mine : one.images) {
        if (!mine.id.is_global()) continue;
        for (const OfferedImage& theirs : other.images) {
            if (theirs.id.index() != mine.id.index()) continue;
            if (theirs.id == mine.id && theirs.name == mine.name) continue;
            const std::string index = std::to_string(mine.id.index());
            if (theirs.id == mine.id) {
                warnings.push_back("index " + index + " clashes: " + mine.id.text() + " is \"" +
                                   printable(mine.name) + "\" on " + one.server.text() + " and \"" +
                                   printable(theirs.name) + "\" on " + other.server.text() +
                                   "; Macs take them for one image; give one of them another index");
            } else {
                warnings.push_back("index " + index + " clashes: " + mine.id.text() + " on " +
                                   one.server.text() + " and " + theirs.id.text() + " on " +
                                   other.server.text() + "; some servers compare only the index");
            }
        }
    }
}

}  // namespace

std::string printable(std::string_view text) {
    std::string result(text);
    for (char& character : result) {
        const auto octet = static_cast<unsigned char>(character);
        if (octet < 0x20 || octet == 0x7f) character = '?';
    }
    return result;
}

bool ServerSurvey::add(ListAnswer answer) {
    const auto known = std::ranges::find(servers_, answer.server, &ListAnswer::server);
    if (known != servers_.end()) {
        *known = std::move(answer);
        return false;
    }
    servers_.push_back(std::move(answer));
    return true;
}

bool ServerSurvey::add(const NotAccepted& refused) {
    if (refused.kind == NotAccepted::Kind::foreign) return false;
    const bool known = std::ranges::any_of(refused_, [&](const NotAccepted& other) {
        return other.from == refused.from && other.why == refused.why;
    });
    if (!known) refused_.push_back(refused);
    return !known;
}

std::vector<MenuEntry> ServerSurvey::menu() const {
    std::vector<MenuEntry> entries;
    std::vector<std::uint16_t> priorities;  // of each entry's server
    for (const ListAnswer& answer : servers_) {
        // Only among the lines of earlier servers: a server may list an id twice, that is its own affair.
        const std::size_t earlier = entries.size();
        for (const OfferedImage& image : answer.images) {
            MenuEntry entry{.image = image,
                            .server = answer.server,
                            .offered_by = {answer.server},
                            .is_default = answer.default_image == image.id,
                            .is_remembered = answer.selected_image == image.id};
            std::size_t at = 0;
            while (at < earlier && !(image.id.is_global() && entries[at].image.id == image.id)) ++at;
            if (at == earlier) {
                entries.push_back(std::move(entry));
                priorities.push_back(priority_of(answer));
                continue;
            }
            MenuEntry& merged = entries[at];
            entry.offered_by = merged.offered_by;
            entry.offered_by.push_back(answer.server);
            if (priority_of(answer) > priorities[at]) {
                merged = std::move(entry);
                priorities[at] = priority_of(answer);
            } else {
                merged.offered_by = std::move(entry.offered_by);
            }
        }
    }
    return entries;
}

std::vector<std::string> ServerSurvey::warnings() const {
    std::vector<std::string> warnings;
    for (const ListAnswer& answer : servers_) {
        for (const std::string& oddity : answer.oddities) {
            warnings.push_back("server " + answer.server.text() + ": " + oddity);
        }
    }
    for (const NotAccepted& refused : refused_) {
        if (refused.kind == NotAccepted::Kind::plain_dhcp) {
            warnings.push_back("DHCP server " + refused.from.text() +
                               " answers INFORM too, without class AAPLBSDPC; Macs pass over that");
        } else {
            warnings.push_back("server " + refused.from.text() + ": a Mac drops its answer, since " +
                               refused.why);
        }
    }
    for (std::size_t i = 0; i < servers_.size(); ++i) {
        for (std::size_t j = i + 1; j < servers_.size(); ++j) {
            warn_of_clashes(servers_[i], servers_[j], warnings);
        }
    }
    return warnings;
}

std::optional<MenuEntry> ServerSurvey::unattended_choice() const {
    const ListAnswer* chosen = nullptr;
    std::optional<base::BootImageId> image;
    for (const ListAnswer& answer : servers_) {
        if (answer.selected_image && (chosen == nullptr || priority_of(answer) > priority_of(*chosen))) {
            chosen = &answer;
            image = answer.selected_image;
        }
    }
    if (chosen == nullptr) {
        for (const ListAnswer& answer : servers_) {
            if (answer.default_image && (chosen == nullptr || priority_of(answer) > priority_of(*chosen))) {
                chosen = &answer;
                image = answer.default_image;
            }
        }
    }
    if (chosen == nullptr) return std::nullopt;
    MenuEntry entry{.image = {*image, {}},
                    .server = chosen->server,
                    .offered_by = {chosen->server},
                    .is_default = chosen->default_image == image,
                    .is_remembered = chosen->selected_image == image};
    for (const OfferedImage& offered : chosen->images) {
        if (offered.id == *image) {
            entry.image.name = offered.name;
            break;
        }
    }
    return entry;
}

std::optional<MenuEntry> ServerSurvey::find(base::BootImageId id) const {
    for (MenuEntry& entry : menu()) {
        if (entry.image.id == id) return std::move(entry);
    }
    return std::nullopt;
}

}  // namespace pomona::app
