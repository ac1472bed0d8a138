// Client: what the server remembers of one Mac. ClientChange: what a decision wants remembered. Small values,
// copied in and out; nobody holds a reference into the registry.
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/base/boot_image_id.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>

namespace pomona::model {

using TimePoint = std::chrono::sys_seconds;

/// A MAC alone does not name a Mac: Ethernet adapters move between machines and take their MAC along.
struct ClientKey {
    base::MacAddress mac;
    /// Model identifier of the class string, "iMac12,1"; may be empty. At most 64 bytes.
    std::string model;

    friend auto operator<=>(const ClientKey&, const ClientKey&) = default;
};

/// One record. It exists from the first choice (ACK[SELECT], or an administrator's) on.
struct Client {
    ClientKey key;
    /// From the class string: "i386", "ppc".
    std::string architecture;
    /// The remembered choice; the image itself may be gone for a while.
    base::BootImageId image;
    /// The address it held when it spoke last.
    base::Ipv4Address address;
    /// "NetBoot007", sub-option 130; given once, never reused. `number` is its 7.
    std::string machine_name;
    std::uint32_t number = 0;
    TimePoint first_seen{};
    TimePoint last_seen{};
    /// The last time the choice was made or repeated.
    TimePoint last_selected{};
    /// Chosen by an administrator: never pushed out to make room.
    bool chosen_by_hand = false;

    friend bool operator==(const Client&, const Client&) = default;
};

/// Remember this choice (create or update). The registry gives number and machine name to a new record.
struct RememberChoice {
    ClientKey key;
    std::string architecture;
    base::BootImageId image;
    base::Ipv4Address address;
    TimePoint when{};
    bool by_hand = false;

    friend bool operator==(const RememberChoice&, const RememberChoice&) = default;
};

/// Delete the record, if there is one. Without a model: every record of the MAC.
struct ForgetClient {
    base::MacAddress mac;
    std::optional<std::string> model;

    friend bool operator==(const ForgetClient&, const ForgetClient&) = default;
};

/// Note address and time on an existing record; creates nothing.
struct NoteAddress {
    ClientKey key;
    base::Ipv4Address address;
    TimePoint when{};

    friend bool operator==(const NoteAddress&, const NoteAddress&) = default;
};

using ClientChange = std::variant<RememberChoice, ForgetClient, NoteAddress>;

}  // namespace pomona::model

template <>
struct std::hash<pomona::model::ClientKey> {
    std::size_t operator()(const pomona::model::ClientKey& key) const noexcept {
        return std::hash<pomona::base::MacAddress>{}(key.mac) * 31 + std::hash<std::string>{}(key.model);
    }
};
