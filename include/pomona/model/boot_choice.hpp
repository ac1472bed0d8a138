// BootChoice: an administrator's word on what a machine, a group, a model, a network or everybody boots.
// BootChoices: all of them, and which one decides for a machine.
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/base/error.hpp>
#include <pomona/model/client.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace pomona::model {

/// Whom a choice is for; a narrower scope beats a wider one, in this order.
struct MachineScope {
    base::MacAddress mac;
    /// Of one Mac only, since adapters move between machines; empty: whatever has this MAC.
    std::string model;

    friend bool operator==(const MachineScope&, const MachineScope&) = default;
};
struct GroupScope {
    std::string group;

    friend bool operator==(const GroupScope&, const GroupScope&) = default;
};
struct ModelScope {
    /// "iMac12,1", or with '*' for any text: "iMac1*".
    std::string pattern;

    friend bool operator==(const ModelScope&, const ModelScope&) = default;
};
struct NetworkScope {
    base::Ipv4Network network;

    friend bool operator==(const NetworkScope&, const NetworkScope&) = default;
};
struct EverybodyScope {
    friend bool operator==(const EverybodyScope&, const EverybodyScope&) = default;
};
using ChoiceScope = std::variant<MachineScope, GroupScope, ModelScope, NetworkScope, EverybodyScope>;

/// "machine 40:6c:8f:37:95:27 iMac12,1", "group lab3", "model iMac1*", "network 10.0.1.0/24", "everybody".
[[nodiscard]] std::string text(const ChoiceScope& scope);
[[nodiscard]] base::Result<ChoiceScope> parse_choice_scope(std::string_view text);

enum class ChoiceLifetime : std::uint8_t {
    always,
    once,   ///< until the machine has fetched what it boots
    until,  ///< a moment
};

struct BootChoice {
    ChoiceScope scope;
    /// Name of a target.
    std::string target;
    ChoiceLifetime lifetime = ChoiceLifetime::always;
    /// For `until`.
    TimePoint end{};
    TimePoint made{};

    [[nodiscard]] bool is_over(TimePoint now) const {
        return lifetime == ChoiceLifetime::until && now >= end;
    }
    friend bool operator==(const BootChoice&, const BootChoice&) = default;
};

/// What is known of a machine when the question is asked.
struct MachineFacts {
    base::MacAddress mac;
    /// Empty for a PC, and for a Mac whose loader asks.
    std::string_view model;
    std::string_view group;
    std::optional<base::Ipv4Address> address;
};

/// '*' stands for any text, everything else for itself.
[[nodiscard]] bool matches_pattern(std::string_view pattern, std::string_view text);

/// At most one choice per scope; a new one replaces it.
class BootChoices {
  public:
    void set(BootChoice choice);
    /// True if there was one.
    bool clear(const ChoiceScope& scope);
    /// Drops what is over; returns how many.
    std::size_t expire(TimePoint now);

    /// The narrowest choice for this machine that is not over; nullptr if there is none. Among patterns the
    /// one with more letters, among networks the smaller one.
    [[nodiscard]] const BootChoice* find(const MachineFacts& machine, TimePoint now) const;
    /// Machines first, by MAC; then the others in the order in which they were made.
    [[nodiscard]] std::vector<BootChoice> all() const;

  private:
    std::vector<BootChoice>& home_of(const ChoiceScope& scope);

    // A room has many machines and few rules; asking for one machine looks at its own choices and the rules
    // only.
    std::map<base::MacAddress, std::vector<BootChoice>> machines_;
    std::vector<BootChoice> rules_;
};

}  // namespace pomona::model
