#include "servers/interface_choice.hpp"

#include <algorithm>

namespace pomona::servers {

namespace {

/// The first thing that speaks against it; an empty reason if nothing does.
RefusedInterface objection(const io::Interface& interface, bool wanted) {
    RefusedInterface refused{.name = interface.name, .reason = {}, .remedy = {}, .wanted = wanted};
    const auto because = [&](std::string reason, std::string remedy) {
        refused.reason = std::move(reason);
        refused.remedy = std::move(remedy);
        return refused;
    };
    if (interface.loopback) {
        // Only tests have Macs there; they say so by name.
        if (!wanted) return because("it is the loopback", {});
    } else if (!interface.ethernet) {
        return because("it is no Ethernet", "Macs start from Ethernet only");
    }
    if (interface.enslaved) {
        return because("it belongs to a bridge or bond", "name the bridge or bond instead");
    }
    if (!interface.up) {
        return because("it is down or has no carrier",
                       "ip link set " + interface.name + " up, and look at the cable");
    }
    if (interface.addresses.empty()) {
        return because("it has no IPv4 address", "give it one: Macs need an address to fetch images from");
    }
    return refused;
}

}  // namespace

InterfaceChoice choose_interfaces(std::span<const io::Interface> all, std::span<const std::string> wanted) {
    InterfaceChoice choice;
    const auto consider = [&](const io::Interface& interface, bool by_name) {
        RefusedInterface refused = objection(interface, by_name);
        if (refused.reason.empty()) {
            choice.taken.push_back(interface);
        } else {
            choice.refused.push_back(std::move(refused));
        }
    };
    if (wanted.empty()) {
        for (const io::Interface& interface : all) consider(interface, false);
        return choice;
    }
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const bool again = std::find(wanted.begin(), wanted.begin() + static_cast<std::ptrdiff_t>(i),
                                     wanted[i]) != wanted.begin() + static_cast<std::ptrdiff_t>(i);
        if (again) continue;
        const auto found = std::ranges::find(all, wanted[i], &io::Interface::name);
        if (found != all.end()) {
            consider(*found, true);
        } else {
            choice.refused.push_back({.name = wanted[i],
                                      .reason = "there is no such interface",
                                      .remedy = "'ip link' lists the names",
                                      .wanted = true});
        }
    }
    return choice;
}

}  // namespace pomona::servers
