#include "app/machine.hpp"

#include "app/control_client.hpp"
#include "app/machine_advice.hpp"
#include "io/interfaces.hpp"
#include "store/client_registry.hpp"
#include "store/folder_lock.hpp"
#include "store/sqlite_store.hpp"

#include <pomona/base/utf8.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <filesystem>
#include <ostream>
#include <string_view>
#include <vector>

namespace pomona::app {

using nlohmann::json;
using Action = MachineOptions::Action;

namespace {

json request_of(const MachineOptions& options) {
    constexpr std::array verbs = {"machine.list", "machine.show", "machine.select", "machine.forget"};
    json request{{"do", verbs.at(static_cast<std::size_t>(options.action))}};
    if (options.action == Action::list) return request;
    request["mac"] = options.mac.text();
    if (options.model) request["model"] = *options.model;
    if (options.action == Action::select) request["image"] = options.image;
    return request;
}

/// The verbs of the daemon, over a registry of our own on the daemon's database.
base::Result<json> ask_database(const json& request, bool creates, const MachinePlaces& places,
                                std::ostream& err) {
    const auto lock = store::FolderLock::take(std::filesystem::path(places.database).parent_path(),
                                              store::FolderLock::Kind::shared);
    if (!lock) {
        return base::fail("a daemon has this database, but nothing answers at " + places.control_socket,
                          places.database, "name the control-socket of that daemon");
    }
    std::unique_ptr<store::ClientStore> database;
    std::error_code ignored;
    // Reading and forgetting make no file that the daemon would then have to share.
    if (creates || std::filesystem::exists(places.database, ignored)) {
        try {
            database = store::SqliteStore::open({.path = places.database, .move_damaged_aside = false},
                                                [&err](const std::string& text) { err << text << '\n'; });
        } catch (const store::StoreError& error) {
            return base::fail(
                error.what(), places.database,
                "call it as root or as the daemon's user; a damaged file is replaced when the daemon "
                "starts");
        }
    }
    std::string trouble;
    try {
        const bool writes = database != nullptr;
        store::ClientRegistry registry(
            std::move(database),
            {.max_clients = places.max_machines, .machine_name_prefix = places.machine_name_prefix},
            [&trouble](const std::string& reason) {
                if (!reason.empty()) trouble = reason;
            });
        const servers::ControlServer::Handlers verbs =
            servers::machine_verbs(registry, {.images = places.images});
        base::Result<json> result = verbs.at(request.at("do").get<std::string>())(request);
        // The answer came after the attempt to write, so the trouble, if any, was told before.
        if (result && writes && !result->value("durable", true)) {
            return base::fail("the change could not be written" + (trouble.empty() ? "" : ": " + trouble),
                              places.database);
        }
        return result;
    } catch (const store::StoreError& error) {
        return base::fail(error.what(), places.database);
    }
}

/// A text of the network as one printable word: a model may hold anything, escape sequences too.
std::string printable(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, base::valid_utf8_prefix(text))) {
        const auto octet = static_cast<unsigned char>(c);
        out += octet < 0x20 || octet == 0x7f ? '?' : c;
    }
    // C1 control characters are two octets in UTF-8, and terminals obey them too.
    for (std::size_t at = out.find('\xc2'); at != std::string::npos; at = out.find('\xc2', at + 1)) {
        if (at + 1 < out.size() && static_cast<unsigned char>(out[at + 1]) < 0xa0) out.replace(at, 2, "?");
    }
    if (base::valid_utf8_prefix(text) < text.size()) out += '?';
    return out;
}

std::string text_at(const json& machine, const char* key, const char* otherwise = "-") {
    const auto at = machine.find(key);
    if (at == machine.end() || !at->is_string()) return otherwise;
    const std::string text = printable(at->get<std::string>());
    return text.empty() ? otherwise : text;
}

/// "2026-01-31T08:15:00Z" as "2026-01-31 08:15:00".
std::string time_at(const json& machine, const char* key) {
    std::string text = text_at(machine, key, "never");
    if (text.size() == 20) text = text.substr(0, 10) + " " + text.substr(11, 8);
    return text;
}

std::string image_of(const json& machine) {
    const std::string name = text_at(machine, "image_name", "");
    return text_at(machine, "image") + (name.empty() ? "" : " " + name);
}

/// Characters, not octets; wide ones count as one.
std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

void print_table(const json& machines, std::ostream& out) {
    std::vector<std::vector<std::string>> rows = {
        {"MAC", "MODEL", "IMAGE", "MACHINE", "ADDRESS", "LAST SEEN (UTC)", ""}};
    for (const json& machine : machines) {
        std::string remarks;
        if (machine.value("chosen_by_hand", false)) remarks = "chosen by hand";
        if (machine.value("shared_adapter", false))
            remarks += remarks.empty() ? "shared adapter" : ", shared adapter";
        rows.push_back({text_at(machine, "mac"), text_at(machine, "model"), image_of(machine),
                        text_at(machine, "machine_name"), text_at(machine, "address"),
                        time_at(machine, "last_seen"), remarks});
    }
    std::vector<std::size_t> widths(rows[0].size());
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
    }
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += row[i] + std::string(widths[i] - width_of(row[i]) + 2, ' ');
        }
        out << line.substr(0, line.find_last_not_of(' ') + 1) << '\n';
    }
}

void print_advice(const json& advice, std::ostream& out) {
    out << "\nTo start it from here (" << text_at(advice, "proof") << "):\n";
    if (const std::string picker = text_at(advice, "picker", ""); !picker.empty())
        out << "  the picker shows \"" << picker << "\"\n";
    for (const json& key : advice.at("keys"))
        out << "  hold " << text_at(key, "key") << ": " << text_at(key, "meaning") << '\n';
    for (const json& hint : advice.at("hints"))
        out << "  note: " << printable(hint.get<std::string>()) << '\n';
    if (!advice.at("commands").empty()) out << "In OS X on that Mac:\n";
    for (const json& command : advice.at("commands")) {
        out << "  " << text_at(command, "command") << '\n' << "      " << text_at(command, "meaning") << '\n';
    }
}

void print_details(const json& machines, std::ostream& out) {
    const char* between = "";
    for (const json& machine : machines) {
        out << between;
        between = "\n";
        out << "MAC            " << text_at(machine, "mac")
            << (machine.value("shared_adapter", false) ? " (an adapter that several models use)" : "") << '\n'
            << "model          " << text_at(machine, "model") << '\n'
            << "architecture   " << text_at(machine, "architecture") << '\n'
            << "image          " << image_of(machine)
            << (machine.value("chosen_by_hand", false) ? " (chosen by hand)" : "") << '\n'
            << "machine name   " << text_at(machine, "machine_name") << '\n'
            << "address        " << text_at(machine, "address") << '\n'
            << "first seen     " << time_at(machine, "first_seen") << " UTC\n"
            << "last seen      " << time_at(machine, "last_seen") << " UTC\n"
            << "last selected  " << time_at(machine, "last_selected") << " UTC\n";
        if (const auto advice = machine.find("advice"); advice != machine.end()) print_advice(*advice, out);
    }
}

/// Our address goes into the commands, by the one that the Mac had last.
void advise(json& result, const MachinePlaces& places) {
    for (json& machine : result["machines"]) {
        const auto mac = base::Ipv4Address::parse(text_at(machine, "address"));
        const auto server = places.server_address(mac.value_or(base::Ipv4Address()));
        add_advice(machine, server ? server->text() : std::string());
    }
}

void print(const MachineOptions& options, const json& result, std::ostream& out) {
    const json machines = result.value("machines", json::array());
    switch (options.action) {
        case Action::list:
            if (machines.empty()) {
                out << "No machine is remembered yet.\n";
            } else {
                print_table(machines, out);
            }
            break;
        case Action::show:
            print_details(machines, out);
            break;
        case Action::select:
            for (const json& machine : machines) {
                out << text_at(machine, "mac") << " (" << text_at(machine, "model") << ") starts "
                    << image_of(machine) << " from now on.\n";
            }
            break;
        case Action::forget: {
            const auto count = result.value("forgotten", std::size_t{0});
            out << options.mac.text() << " is forgotten (" << count << (count == 1 ? " record" : " records")
                << ").\n";
            break;
        }
    }
}

}  // namespace

std::optional<base::Ipv4Address> server_address_for(base::Ipv4Address mac) {
    std::optional<base::Ipv4Address> first;
    for (const io::Interface& interface : io::list_interfaces()) {
        if (interface.loopback || !interface.up) continue;
        for (const base::Ipv4Network& network : interface.addresses) {
            if (!mac.is_zero() && network.contains(mac)) return network.address();
            if (!first && interface.ethernet) first = network.address();
        }
    }
    return first;
}

int run_machine(const MachineOptions& options, const MachinePlaces& places, std::ostream& out,
                std::ostream& err) {
    const json request = request_of(options);
    auto client = ControlClient::connect(places.control_socket);
    base::Result<json> result = json();
    if (!client) {
        result = std::unexpected(client.error());
    } else if (*client) {
        result = (*client)->ask(request);
    } else {
        result = ask_database(request, options.action == Action::select, places, err);
    }
    if (!result) {
        err << "pomona machine: " << printable(result.error().text()) << '\n';
        return 1;
    }
    if (options.action == Action::show) advise(*result, places);
    if (options.json) {
        out << result->dump(2, ' ', false, json::error_handler_t::replace) << '\n';
    } else {
        print(options, *result, out);
    }
    if (!result->value("durable", true)) {
        err << "pomona machine: the daemon took it but cannot write it to disk; its log says why\n";
    }
    return 0;
}

}  // namespace pomona::app
