#include <pomona/model/boot_choice.hpp>

#include <algorithm>
#include <compare>
#include <utility>

namespace pomona::model {

namespace {

constexpr std::size_t longest_word = 64;

bool is_word(std::string_view text) {
    return !text.empty() && text.size() <= longest_word &&
           std::ranges::all_of(text, [](unsigned char c) { return c > 0x20 && c != 0x7f; });
}

/// How narrow a scope is, if it holds the machine: the larger pair wins.
struct Narrowness {
    std::size_t kind = 0;
    std::size_t within = 0;

    friend auto operator<=>(const Narrowness&, const Narrowness&) = default;
};

struct Fit {
    const MachineFacts& machine;

    std::optional<Narrowness> operator()(const MachineScope& scope) const {
        if (scope.mac != machine.mac) return std::nullopt;
        if (scope.model.empty()) return Narrowness{.kind = 5, .within = 0};
        // A loader does not tell its model; then the MAC has to do.
        if (!machine.model.empty() && scope.model != machine.model) return std::nullopt;
        return Narrowness{.kind = 5, .within = 1};
    }
    std::optional<Narrowness> operator()(const GroupScope& scope) const {
        if (machine.group.empty() || scope.group != machine.group) return std::nullopt;
        return Narrowness{.kind = 4, .within = 0};
    }
    std::optional<Narrowness> operator()(const ModelScope& scope) const {
        if (machine.model.empty() || !matches_pattern(scope.pattern, machine.model)) return std::nullopt;
        const auto stars = static_cast<std::size_t>(std::ranges::count(scope.pattern, '*'));
        return Narrowness{.kind = 3, .within = (scope.pattern.size() - stars) * 2 + (stars == 0 ? 1 : 0)};
    }
    std::optional<Narrowness> operator()(const NetworkScope& scope) const {
        if (!machine.address || !scope.network.contains(*machine.address)) return std::nullopt;
        return Narrowness{.kind = 2, .within = static_cast<std::size_t>(scope.network.prefix_length())};
    }
    std::optional<Narrowness> operator()(const EverybodyScope& /*scope*/) const {
        return Narrowness{.kind = 1, .within = 0};
    }
};

}  // namespace

std::string text(const ChoiceScope& scope) {
    struct Visitor {
        std::string operator()(const MachineScope& s) const {
            return "machine " + s.mac.text() + (s.model.empty() ? "" : " " + s.model);
        }
        std::string operator()(const GroupScope& s) const { return "group " + s.group; }
        std::string operator()(const ModelScope& s) const { return "model " + s.pattern; }
        std::string operator()(const NetworkScope& s) const { return "network " + s.network.text(); }
        std::string operator()(const EverybodyScope& /*s*/) const { return "everybody"; }
    };
    return std::visit(Visitor{}, scope);
}

base::Result<ChoiceScope> parse_choice_scope(std::string_view text) {
    const auto wrong = [&](const std::string& what) {
        return base::fail(
            "'" + std::string(text) + "': " + what, {},
            "write machine MAC [MODEL], group NAME, model PATTERN, network NETWORK or everybody");
    };
    const std::size_t blank = std::min(text.find(' '), text.size());
    const std::string_view kind = text.substr(0, blank);
    const std::string_view rest = text.substr(std::min(blank + 1, text.size()));
    if (kind == "everybody" && rest.empty()) return EverybodyScope{};
    if (kind == "machine") {
        const std::size_t second = std::min(rest.find(' '), rest.size());
        const auto mac = base::MacAddress::parse(rest.substr(0, second));
        if (!mac) return wrong("that is no MAC address");
        const std::string_view model = rest.substr(std::min(second + 1, rest.size()));
        if (!model.empty() && !is_word(model)) return wrong("that is no model");
        return MachineScope{.mac = *mac, .model = std::string(model)};
    }
    if (kind == "network") {
        const auto network = base::Ipv4Network::parse(rest);
        if (!network) return wrong("that is no IPv4 network");
        return NetworkScope{*network};
    }
    if ((kind == "group" || kind == "model") && is_word(rest)) {
        if (kind == "group") return GroupScope{std::string(rest)};
        return ModelScope{std::string(rest)};
    }
    return wrong("that says for nobody");
}

bool matches_pattern(std::string_view pattern, std::string_view text) {
    // The usual walk with one way back: to the last star, one letter further.
    std::size_t p = 0;
    std::size_t t = 0;
    std::optional<std::pair<std::size_t, std::size_t>> back;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            back = {p++, t};
        } else if (p < pattern.size() && pattern[p] == text[t]) {
            ++p;
            ++t;
        } else if (back) {
            p = back->first + 1;
            t = ++back->second;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

std::vector<BootChoice>& BootChoices::home_of(const ChoiceScope& scope) {
    const auto* const machine = std::get_if<MachineScope>(&scope);
    return machine == nullptr ? rules_ : machines_[machine->mac];
}

void BootChoices::set(BootChoice choice) {
    std::vector<BootChoice>& home = home_of(choice.scope);
    const auto same = std::ranges::find(home, choice.scope, &BootChoice::scope);
    if (same == home.end()) {
        home.push_back(std::move(choice));
    } else {
        *same = std::move(choice);
    }
}

bool BootChoices::clear(const ChoiceScope& scope) {
    const bool found =
        std::erase_if(home_of(scope), [&](const BootChoice& choice) { return choice.scope == scope; }) > 0;
    std::erase_if(machines_, [](const auto& each) { return each.second.empty(); });
    return found;
}

std::size_t BootChoices::expire(TimePoint now) {
    const auto is_over = [now](const BootChoice& choice) { return choice.is_over(now); };
    std::size_t gone = std::erase_if(rules_, is_over);
    for (auto& [mac, choices] : machines_) gone += std::erase_if(choices, is_over);
    std::erase_if(machines_, [](const auto& each) { return each.second.empty(); });
    return gone;
}

const BootChoice* BootChoices::find(const MachineFacts& machine, TimePoint now) const {
    const BootChoice* best = nullptr;
    Narrowness narrowest;
    const auto look_at = [&](const std::vector<BootChoice>& choices) {
        for (const BootChoice& choice : choices) {
            if (choice.is_over(now)) continue;
            const auto fit = std::visit(Fit{machine}, choice.scope);
            if (fit && (best == nullptr || *fit > narrowest)) {
                best = &choice;
                narrowest = *fit;
            }
        }
    };
    if (const auto own = machines_.find(machine.mac); own != machines_.end()) look_at(own->second);
    // Nothing is narrower than a machine.
    if (best == nullptr) look_at(rules_);
    return best;
}

std::vector<BootChoice> BootChoices::all() const {
    std::vector<BootChoice> choices;
    for (const auto& [mac, own] : machines_) choices.insert(choices.end(), own.begin(), own.end());
    choices.insert(choices.end(), rules_.begin(), rules_.end());
    return choices;
}

}  // namespace pomona::model
