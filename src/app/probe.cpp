#include "app/probe.hpp"

#include "app/bsdp_client.hpp"
#include "app/dhcp_client.hpp"
#include "app/probe_host.hpp"
#include "app/server_survey.hpp"
#include "app/tftp_download.hpp"
#include "io/interfaces.hpp"
#include "io/udp_port.hpp"

#include <pomona/codec/dhcp.hpp>

#include <fmt/format.h>
#include <nettle/sha2.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <exception>
#include <functional>
#include <ostream>
#include <random>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace pomona::app {

namespace {

using base::Ipv4Address;
using base::Result;
using nlohmann::json;
using Clock = ProbeHost::Clock;
using std::chrono::milliseconds;

constexpr std::uint16_t tftp_port = 69;
constexpr std::uint16_t first_ephemeral_port = 49152;
constexpr std::uint32_t ephemeral_ports = 16384;
// Apple's tool waits 2, 4, 8, 16, 16 ... seconds between its tries.
constexpr milliseconds first_wait{2000};
constexpr milliseconds longest_wait{16000};
constexpr milliseconds address_check{300};
// After the answer to SELECT: a server that was not asked may answer too.
constexpr milliseconds select_gather{300};
constexpr milliseconds tftp_patience{1000};
constexpr milliseconds progress_interval{1000};

double seconds_between(ProbeHost::TimePoint from, ProbeHost::TimePoint to) {
    return std::chrono::duration<double>(to - from).count();
}

std::string image_text(const OfferedImage& image) {
    return image.id.text() + " \"" + printable(image.name) + "\"";
}

std::string size_text(std::uint64_t octets) {
    if (octets < 10'000) return fmt::format("{} bytes", octets);
    if (octets < 10'000'000) return fmt::format("{:.1f} kB", static_cast<double>(octets) / 1e3);
    return fmt::format("{:.1f} MB", static_cast<double>(octets) / 1e6);
}

std::string counted(std::uint64_t count, std::string_view one) {
    return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
}

class Sha256 {
  public:
    Sha256() { sha256_init(&context_); }
    void add(base::Bytes bytes) { sha256_update(&context_, bytes.size(), bytes.data()); }
    std::string finish() {
        std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest{};
        sha256_digest(&context_, digest.size(), digest.data());
        std::string text;
        for (const std::uint8_t octet : digest) text += fmt::format("{:02x}", octet);
        return text;
    }

  private:
    sha256_ctx context_{};
};

// One run. Each step returns an error that ends the run; warnings go on.
class Probe {
  public:
    Probe(ProbeOptions options, std::ostream& out) : options_(std::move(options)), out_(out) {}

    int run() {
        Result<void> result;
        try {
            result = steps();
            give_address_back();
        } catch (const std::exception& failure) {
            result = base::fail(failure.what());
        }
        report_["failure"] = result ? json(nullptr) : json(result.error().text());
        if (!result) say("failed: " + result.error().text());
        if (options_.json) {
            // Names come from the network: what is not UTF-8 is replaced.
            out_ << report_.dump(2, ' ', false, json::error_handler_t::replace) << '\n' << std::flush;
        }
        return result ? 0 : 1;
    }

  private:
    Result<void> steps() {
        if (auto done = open(); !done) return done;
        if (auto done = get_address(); !done) return done;
        if (auto done = list(); !done) return done;
        if (std::holds_alternative<ProbeOptions::SelectNothing>(options_.selection)) return {};
        if (auto done = select(); !done) return done;
        if (!options_.download) return {};
        return download();
    }

    Result<void> open();
    Result<void> get_address();
    Result<void> ask_for_address();
    Result<void> take_given_address();
    Result<void> borrow_address();
    Result<void> list();
    Result<void> select();
    Result<void> download();
    void give_address_back();

    void show_menu();
    Result<MenuEntry> choose() const;

    void say(const std::string& text) {
        const double time = std::round(seconds_between(start_, Clock::now()) * 1000) / 1000;
        report_["log"].push_back({{"time", time}, {"text", text}});
        if (!options_.json) out_ << fmt::format("[{:8.3f}] {}\n", time, text) << std::flush;
    }
    void warn(const std::string& text) {
        report_["warnings"].push_back(text);
        say("warning: " + text);
    }

    std::uint32_t random_number() { return static_cast<std::uint32_t>(random_()); }
    base::MacAddress random_mac();
    /// With this machine's address its kernel would answer what comes to the port with ICMP errors. False if
    /// somebody has it, who then keeps the kernel quiet.
    bool hold_port(std::uint16_t port);

    /// What a step makes of a datagram: go on waiting, or until when to gather.
    using Take = std::function<std::optional<milliseconds>(const codec::Datagram&)>;
    /// Broadcasts `request` to port 67, again and again with growing waits, and shows `take` each datagram
    /// that comes, until the time it named is over. False: nothing came in time.
    Result<bool> exchange(const std::string& name, const Message& request, std::uint16_t from_port,
                          const Take& take);

    ProbeOptions options_;
    std::ostream& out_;
    ProbeHost::TimePoint start_ = Clock::now();
    std::random_device random_;
    json report_ = {{"warnings", json::array()}, {"log", json::array()}};

    io::Interface interface_;
    /// Whether link address and IPv4 address are those of this machine.
    bool borrows_ = false;
    std::vector<io::HeldUdpPort> held_;
    std::optional<ProbeHost> host_;
    PlayedMac mac_;
    /// Who lent us the address.
    std::optional<Ipv4Address> dhcp_server_;
    ServerSurvey survey_;
    std::optional<SelectAnswer> boot_;
};

base::MacAddress Probe::random_mac() {
    std::array<std::uint8_t, 6> octets{};
    for (std::uint8_t& octet : octets) octet = static_cast<std::uint8_t>(random_number());
    octets[0] = static_cast<std::uint8_t>((octets[0] & 0xfcU) | 0x02U);  // one station, locally administered
    return base::MacAddress(octets);
}

Result<void> Probe::open() {
    for (io::Interface& interface : io::list_interfaces()) {
        if (interface.name == options_.interface) interface_ = std::move(interface);
    }
    borrows_ = !options_.dhcp && !options_.address;
    mac_.mac = options_.mac ? *options_.mac : (borrows_ ? interface_.mac : random_mac());
    mac_.model = options_.model;
    mac_.architecture = options_.architecture;
    mac_.reply_port = options_.reply_port;
    mac_.filter = options_.filter.value_or(std::vector<std::uint16_t>());
    // One IPv4 address must not show up at two link addresses.
    const base::MacAddress link = borrows_ ? interface_.mac : mac_.mac;
    auto host = ProbeHost::open(options_.interface, link, link != interface_.mac);
    if (!host) return std::unexpected(host.error());
    host_.emplace(std::move(*host));
    report_["interface"] = options_.interface;
    report_["mac"] = mac_.mac.text();
    report_["class"] = mac_.vendor_class();
    say("a Mac on " + options_.interface + ": " + mac_.mac.text() + ", class " + mac_.vendor_class());
    return {};
}

Result<void> Probe::get_address() {
    if (options_.dhcp) return ask_for_address();
    if (options_.address) return take_given_address();
    return borrow_address();
}

Result<bool> Probe::exchange(const std::string& name, const Message& request, std::uint16_t from_port,
                             const Take& take) {
    const auto give_up = Clock::now() + options_.timeout;
    std::optional<ProbeHost::TimePoint> gather_until;
    milliseconds wait = first_wait;
    auto next_send = Clock::now();
    int tries = 0;
    for (;;) {
        const auto now = Clock::now();
        if (now >= gather_until.value_or(give_up)) return gather_until.has_value();
        if (!gather_until && now >= next_send) {
            if (tries++ > 0) say(name + " again, nothing came");
            const base::Endpoint everybody{Ipv4Address::broadcast(), codec::bootp_server_port};
            if (auto sent = host_->send(from_port, everybody, request); !sent) {
                return std::unexpected(sent.error());
            }
            next_send = now + wait;
            wait = std::min(2 * wait, longest_wait);
        }
        auto received = host_->receive(gather_until ? *gather_until : std::min(next_send, give_up));
        if (!received) return std::unexpected(received.error());
        if (!*received) continue;
        if (const auto gather = take((*received)->header); gather && !gather_until) {
            gather_until = Clock::now() + *gather;
        }
    }
}

Result<void> Probe::ask_for_address() {
    const std::uint32_t xid = random_number();
    std::optional<DhcpAnswer> offer;
    say("DHCP DISCOVER");
    const auto offered =
        exchange("DISCOVER", dhcp_discover(mac_, xid), codec::bootp_client_port,
                 [&](const codec::Datagram& datagram) -> std::optional<milliseconds> {
                     const auto answer = read_dhcp_answer(datagram, mac_, xid);
                     if (!answer || answer->type != codec::DhcpType::offer) return std::nullopt;
                     if (answer->boot_offer) {
                         say("BSDP OFFER from " + answer->server.text() + ": it remembers this Mac");
                         return std::nullopt;
                     }
                     if (answer->poses_as_bsdp) {
                         warn("DHCP server " + answer->server.text() +
                              " says class AAPLBSDPC; some Macs then never ask a boot server");
                     }
                     if (offer) return std::nullopt;
                     offer = answer;
                     say("OFFER of " + answer->address.text() + " from " + answer->server.text());
                     return milliseconds(0);
                 });
    if (!offered) return std::unexpected(offered.error());
    if (!offer) {
        return base::fail("No DHCP server offers an address", "interface " + options_.interface,
                          "is there one? otherwise give the probe an address with --address");
    }

    std::optional<DhcpAnswer> answer;
    const auto granted =
        exchange("REQUEST", dhcp_request(mac_, xid, *offer), codec::bootp_client_port,
                 [&](const codec::Datagram& datagram) -> std::optional<milliseconds> {
                     const auto read = read_dhcp_answer(datagram, mac_, xid);
                     if (!read || read->type == codec::DhcpType::offer || read->server != offer->server) {
                         return std::nullopt;
                     }
                     answer = read;
                     return milliseconds(0);
                 });
    if (!granted) return std::unexpected(granted.error());
    if (!answer || answer->type == codec::DhcpType::nak) {
        return base::fail(answer ? "It refuses (NAK) the address that it offered"
                                 : "It offered an address but does not answer REQUEST",
                          "DHCP server " + offer->server.text());
    }
    mac_.address = answer->address.address();
    dhcp_server_ = answer->server;
    const auto router = answer->router ? answer->router : options_.router;
    host_->set_address(answer->address, router);
    report_["dhcp"] = {{"server", answer->server.text()}, {"address", answer->address.text()}};
    say("ACK from " + answer->server.text() + ": address " + answer->address.text() +
        (router ? ", router " + router->text() : ", no router"));
    return {};
}

Result<void> Probe::take_given_address() {
    base::Ipv4Network network = *options_.address;
    const Ipv4Address address = network.address();
    if (network.prefix_length() == 32) {
        const auto around = std::ranges::find_if(
            interface_.addresses, [&](const base::Ipv4Network& own) { return own.contains(address); });
        if (around != interface_.addresses.end()) network = {address, around->prefix_length()};
    }
    const auto holder = host_->who_has(address, address_check);
    if (!holder) return std::unexpected(holder.error());
    if (*holder) {
        return base::fail("The address belongs to " + (*holder)->text(), "--address " + address.text(),
                          "choose a free one");
    }
    mac_.address = address;
    host_->set_address(network, options_.router);
    say("address " + network.text());
    return {};
}

Result<void> Probe::borrow_address() {
    if (interface_.addresses.empty()) {
        return base::fail("The interface has no IPv4 address that the probe could use",
                          "interface " + options_.interface, "give --dhcp or --address ADDRESS/BITS");
    }
    mac_.address = interface_.addresses.front().address();
    host_->set_address(interface_.addresses.front(), options_.router);
    hold_port(mac_.port());
    say("address " + interface_.addresses.front().text() + ", that of this machine");
    return {};
}

bool Probe::hold_port(std::uint16_t port) {
    if (!borrows_) return true;
    auto held = io::HeldUdpPort::hold(port);
    if (!held) return false;
    held_.push_back(std::move(*held));
    return true;
}

void Probe::give_address_back() {
    // With the interface's own MAC it was this machine's lease too.
    if (!dhcp_server_ || mac_.mac == interface_.mac) return;
    const base::Endpoint to{*dhcp_server_, codec::bootp_server_port};
    // A courtesy: without it the lease just runs out.
    if (host_->send(codec::bootp_client_port, to, dhcp_release(mac_, random_number(), *dhcp_server_))) {
        say("DHCP RELEASE of " + mac_.address.text());
    }
}

Result<void> Probe::list() {
    const std::uint32_t xid = random_number();
    std::string request = "INFORM[LIST]";
    if (mac_.reply_port) request += " with reply port " + std::to_string(*mac_.reply_port);
    if (!mac_.filter.empty()) {
        request += " for attributes";
        for (const std::uint16_t attributes : mac_.filter) request += fmt::format(" 0x{:04x}", attributes);
    }
    say(request);
    const auto answered =
        exchange("LIST", list_request(mac_, xid), mac_.port(),
                 [&](const codec::Datagram& datagram) -> std::optional<milliseconds> {
                     auto answer = read_list_answer(datagram, mac_, xid);
                     if (!answer) {
                         if (survey_.add(answer.error())) {
                             say("an answer from " + answer.error().from.text() +
                                 " that a Mac drops: " + answer.error().why);
                         }
                         return std::nullopt;
                     }
                     say(fmt::format(
                         "ACK[LIST] from {}: priority {}, default {}, {}{}, {} bytes", answer->server.text(),
                         answer->priority ? std::to_string(*answer->priority) : "missing",
                         answer->default_image ? answer->default_image->text() : "missing",
                         answer->selected_image ? "remembers " + answer->selected_image->text() + ", " : "",
                         counted(answer->images.size(), "image"), answer->payload_octets));
                     survey_.add(std::move(*answer));
                     return options_.gather;
                 });
    if (!answered) return std::unexpected(answered.error());
    show_menu();
    for (const std::string& warning : survey_.warnings()) warn(warning);
    if (!*answered) {
        return base::fail(
            "No boot server answered LIST", "interface " + options_.interface,
            "a server stays silent when it has no image for this model and MAC (see its log); a "
            "server on this same machine and interface cannot hear the probe");
    }
    if (survey_.menu().empty()) return base::fail("The servers offer no image to this Mac");
    return {};
}

void Probe::show_menu() {
    json servers = json::array();
    for (const ListAnswer& answer : survey_.servers()) {
        json images = json::array();
        for (const OfferedImage& image : answer.images) {
            images.push_back({{"id", image.id.text()}, {"name", image.name}});
        }
        const auto id_or_null = [](const std::optional<base::BootImageId>& id) {
            return id ? json(id->text()) : json(nullptr);
        };
        servers.push_back({{"server", answer.server.text()},
                           {"source", answer.source.text()},
                           {"priority", answer.priority ? json(*answer.priority) : json(nullptr)},
                           {"default", id_or_null(answer.default_image)},
                           {"selected", id_or_null(answer.selected_image)},
                           {"bytes", answer.payload_octets},
                           {"images", std::move(images)}});
    }
    report_["servers"] = std::move(servers);
    json menu = json::array();
    for (const MenuEntry& entry : survey_.menu()) {
        std::string line = "  " + image_text(entry.image) + " from " + entry.server.text();
        json offered_by = json::array();
        for (const Ipv4Address server : entry.offered_by) {
            offered_by.push_back(server.text());
            if (server != entry.server) line += ", also on " + server.text();
        }
        if (entry.is_default) line += ", default";
        if (entry.is_remembered) line += ", remembered";
        if (menu.empty()) say("Startup Disk would show:");
        say(line);
        menu.push_back({{"id", entry.image.id.text()},
                        {"name", entry.image.name},
                        {"server", entry.server.text()},
                        {"offered_by", std::move(offered_by)},
                        {"default", entry.is_default},
                        {"remembered", entry.is_remembered}});
    }
    report_["menu"] = std::move(menu);
}

Result<MenuEntry> Probe::choose() const {
    const auto* id = std::get_if<base::BootImageId>(&options_.selection);
    if (id == nullptr) {
        if (auto entry = survey_.unattended_choice()) return std::move(*entry);
        return base::fail("No server names a default image", "--select default", "name one: --select ID");
    }
    if (auto entry = survey_.find(*id)) return std::move(*entry);
    return base::fail("No server offers the image", "--select " + id->text());
}

Result<void> Probe::select() {
    const auto chosen = choose();
    if (!chosen) return std::unexpected(chosen.error());
    const std::uint32_t xid = random_number();
    say("INFORM[SELECT] " + image_text(chosen->image) + " from " + chosen->server.text());
    const auto answered = exchange(
        "SELECT", select_request(mac_, xid, chosen->server, chosen->image.id), mac_.port(),
        [&](const codec::Datagram& datagram) -> std::optional<milliseconds> {
            auto answer = read_select_answer(datagram, mac_, xid);
            if (!answer) {
                // Plain DHCP answers were told of after LIST.
                if (answer.error().kind == NotAccepted::Kind::unusable && survey_.add(answer.error())) {
                    warn("server " + answer.error().from.text() + ": a Mac drops its answer, since " +
                         answer.error().why);
                }
                return std::nullopt;
            }
            if (answer->server != chosen->server) {
                warn("server " + answer->server.text() + " answers a SELECT that names " +
                     chosen->server.text() + "; it takes Macs away from others");
                return std::nullopt;
            }
            if (boot_) return std::nullopt;
            boot_ = std::move(*answer);
            if (!boot_->failed) {
                say("ACK[SELECT] from " + boot_->server.text() + ": TFTP server " +
                    boot_->tftp_server.text() + ", file \"" + printable(boot_->file) + "\"" +
                    (boot_->server_name.empty() ? "" : ", name \"" + printable(boot_->server_name) + "\"") +
                    (boot_->root_path.empty() ? "" : ", root \"" + printable(boot_->root_path) + "\"") +
                    (boot_->machine_name.empty()
                         ? ""
                         : ", machine name \"" + printable(boot_->machine_name) + "\""));
            }
            return select_gather;
        });
    if (!answered) return std::unexpected(answered.error());
    if (!boot_) return base::fail("It does not answer SELECT", "server " + chosen->server.text());
    report_["select"] = {{"id", chosen->image.id.text()},
                         {"name", chosen->image.name},
                         {"server", boot_->server.text()},
                         {"failed", boot_->failed},
                         {"tftp_server", boot_->tftp_server.text()},
                         {"server_name", boot_->server_name},
                         {"file", boot_->file},
                         {"root_path", boot_->root_path},
                         {"machine_name", boot_->machine_name}};
    if (boot_->image && *boot_->image != chosen->image.id) {
        boot_->oddities.push_back("it confirms " + boot_->image->text() + " instead");
    }
    for (const std::string& oddity : boot_->oddities) warn("server " + boot_->server.text() + ": " + oddity);
    if (boot_->failed) {
        return base::fail("It answers ACK[FAILED]: it does not have this image for this Mac (any more)",
                          "server " + boot_->server.text(), "see its log");
    }
    return {};
}

Result<void> Probe::download() {
    if (boot_->file.empty()) return base::fail("There is no boot file to fetch");
    const Ipv4Address server = boot_->tftp_server.is_zero() ? boot_->server : boot_->tftp_server;
    std::uint16_t own_port = 0;
    do {
        own_port = static_cast<std::uint16_t>(first_ephemeral_port + random_number() % ephemeral_ports);
    } while (!hold_port(own_port));
    Sha256 hash;
    TftpDownload transfer(boot_->file, {.blksize = options_.blksize, .windowsize = options_.windowsize},
                          [&](base::Bytes piece) { hash.add(piece); });
    say("TFTP read \"" + printable(boot_->file) + "\" from " + server.text());

    const auto begin = Clock::now();
    auto next_progress = begin + progress_interval;
    // The server answers from a port of its own choice and keeps to it; packets from others are not of this
    // transfer.
    base::Endpoint to{server, tftp_port};
    bool port_known = false;
    if (auto sent = host_->send(own_port, to, transfer.request()); !sent) return sent;
    while (!transfer.finished() && !transfer.failure()) {
        const auto patience = Clock::now() + tftp_patience;
        std::optional<TftpDownload::Packet> answer;
        for (;;) {
            auto received = host_->receive(patience);
            if (!received) return std::unexpected(received.error());
            if (!*received) {
                answer = transfer.silence();
                break;
            }
            const codec::Datagram& datagram = (*received)->header;
            if (datagram.source.address != server || datagram.destination.port != own_port) continue;
            if (port_known && datagram.source.port != to.port) continue;
            port_known = true;
            to.port = datagram.source.port;
            answer = transfer.take(datagram.payload);
            break;
        }
        if (answer) {
            if (auto sent = host_->send(own_port, to, *answer); !sent) return sent;
        }
        if (Clock::now() >= next_progress && !transfer.finished()) {
            next_progress += progress_interval;
            say("  " + size_text(transfer.octets()) +
                (transfer.tsize() && *transfer.tsize() > 0
                     ? fmt::format(" of {}, {} %", size_text(*transfer.tsize()),
                                   transfer.octets() * 100 / *transfer.tsize())
                     : std::string()));
        }
    }
    const double seconds = seconds_between(begin, Clock::now());
    report_["download"] = {{"server", server.text()},
                           {"file", boot_->file},
                           {"bytes", transfer.octets()},
                           {"blksize", transfer.blksize()},
                           {"windowsize", transfer.windowsize()},
                           {"tsize", transfer.tsize() ? json(*transfer.tsize()) : json(nullptr)},
                           {"seconds", seconds},
                           {"misplaced", transfer.misplaced()},
                           {"silences", transfer.silences()}};
    if (transfer.failure()) return std::unexpected(*transfer.failure());
    const std::string sha256 = hash.finish();
    report_["download"]["sha256"] = sha256;
    say(fmt::format(
        "{} in {:.3f} s, {:.1f} MB/s, blocks of {}, window {}, {}, {}", size_text(transfer.octets()), seconds,
        seconds > 0 ? static_cast<double>(transfer.octets()) / seconds / 1e6 : 0.0, transfer.blksize(),
        transfer.windowsize(), counted(transfer.misplaced(), "misplaced packet"),
        counted(transfer.silences(), "silence")));
    say("SHA-256 " + sha256);
    return {};
}

}  // namespace

int run_probe(const ProbeOptions& options, std::ostream& out) {
    return Probe(options, out).run();
}

}  // namespace pomona::app
