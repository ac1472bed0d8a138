#include "servers/boot_server.hpp"

#include "io/frame_port.hpp"
#include "io/udp_port.hpp"
#include "servers/address_probe.hpp"
#include "servers/line_budget.hpp"
#include "servers/loans.hpp"
#include "servers/log.hpp"
#include "store/lease_store.hpp"

#include <pomona/base/hex.hpp>
#include <pomona/codec/arp.hpp>
#include <pomona/codec/frame.hpp>
#include <pomona/model/address_book.hpp>
#include <pomona/policy/bsdp_policy.hpp>
#include <pomona/policy/decide.hpp>
#include <pomona/policy/sighting.hpp>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <unordered_set>
#include <utility>

namespace pomona::servers {

namespace {

/// The kernel sorts out everything that is not for a DHCP server's port.
constexpr const char* capture_filter = "udp dst port 67";
/// What the side channel listens to: what DHCP servers tell their clients, also one on this host, and who
/// speaks from which address. Apart from the requests, so that neither can crowd the other out. Our own
/// answers leave by the same way and are many; those of BSDP give no address (yiaddr, 24 octets behind the
/// UDP header's start).
std::string side_filter(base::MacAddress ours) {
    const std::string others = "not ether src " + ours.text();
    return "(udp src port 67 and udp dst port 68 and (udp[24:4] != 0 or " + others + ")) or (arp and " +
           others + ")";
}
constexpr const char* relay_filter = "udp src port 67 and udp dst port 67";
constexpr int side_ring_bytes = 1 << 18;
/// Addresses that are asked for ahead at the same time.
constexpr std::size_t most_ahead = 64;
/// Opening a capture port makes the kernel wait for some milliseconds; the first Macs need not.
constexpr std::chrono::milliseconds side_delay{250};
/// Frames handled before the loop looks at its other duties.
constexpr int frames_per_turn = 256;
/// Longest answer of all: what a client may ask for, plus headers.
constexpr std::size_t answer_room = 8'192;
constexpr std::size_t packet_room = 65'536;
constexpr std::size_t routed_mtu = 1'500;
/// Lines a second about packets that get no answer; the rest is counted. Answers are never held back.
constexpr unsigned silence_lines_a_second = 100;
/// "Images left out" is told once per client; the memory of whom it was told is bounded.
constexpr std::size_t told_clients = 4'096;

model::TimePoint now() {
    return std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
}

std::string_view message_name(const policy::Request& request) {
    struct Visitor {
        std::string_view operator()(const policy::BsdpList&) const { return "INFORM[LIST]"; }
        std::string_view operator()(const policy::BsdpSelect&) const { return "INFORM[SELECT]"; }
        std::string_view operator()(const policy::BsdpDiscover&) const { return "DISCOVER"; }
        std::string_view operator()(const policy::BsdpAddressNote&) const { return "REQUEST"; }
        std::string_view operator()(const policy::BootpRequest& request) const {
            return request.discover ? "DISCOVER[GRUB]" : "BOOTREQUEST";
        }
        std::string_view operator()(const policy::LoaderDiscover&) const { return "DISCOVER[IPXE]"; }
    };
    return std::visit(Visitor{}, request);
}

/// Listens on an interface without ever answering.
struct SideChannel {
    io::FramePort frames;
    boost::asio::posix::stream_descriptor readable;

    SideChannel(io::FramePort port, boost::asio::io_context& loop)
        : frames(std::move(port)), readable(loop, frames.descriptor()) {}
    SideChannel(const SideChannel&) = delete;
    SideChannel& operator=(const SideChannel&) = delete;
    // The descriptor is the capture port's to close.
    ~SideChannel() { readable.release(); }
};

/// A capture port and who we are behind it.
struct Port {
    io::Interface interface;
    policy::ServerIdentity identity;
    io::FramePort frames;
    boost::asio::posix::stream_descriptor readable;
    std::uint64_t dropped = 0;  ///< of these frames, already counted
    std::shared_ptr<SideChannel> side;

    Port(io::Interface facts, io::FramePort port, boost::asio::io_context& loop)
        : interface(std::move(facts)), frames(std::move(port)), readable(loop, frames.descriptor()) {}
    Port(const Port&) = delete;
    Port& operator=(const Port&) = delete;
    // The descriptor is the capture port's to close.
    ~Port() { readable.release(); }
};

/// What the log says about the one who asked. Views into the request.
struct Asker {
    std::string_view interface;
    base::MacAddress mac;
    std::string_view model;
    std::string_view architecture;
    std::uint32_t xid = 0;
    std::string_view message;
};

/// An answer ready to leave. Views into the request, the decision and the buffer it was written to.
struct Outgoing {
    Asker asker;
    codec::DatagramHeader header;
    std::optional<base::MacAddress> link;
    base::Bytes payload;
    policy::AnswerKind kind = policy::AnswerKind::list;
    base::BootImageId image;
    std::string_view failure;
    // BOOTREPLY:
    base::Ipv4Address address;
    std::string_view address_source;
};

/// The same with copies of everything, for an answer that waits: until its choice is durable, or until nobody
/// else claims its address. Empty until then when the registry refused the choice.
struct WaitingAnswer {
    Outgoing outgoing;
    std::string interface;
    std::string model;
    std::string architecture;
    std::vector<std::uint8_t> payload;

    void keep(const Outgoing& from) {
        outgoing = from;
        interface = from.asker.interface;
        model = from.asker.model;
        architecture = from.asker.architecture;
        payload.assign(from.payload.begin(), from.payload.end());
        outgoing.asker.interface = interface;
        outgoing.asker.model = model;
        outgoing.asker.architecture = architecture;
        outgoing.payload = payload;
    }
};

/// Answers whose choice the registry has dealt with, on their way from its thread to the loop's. The loop is
/// woken once per group commit, not once per answer.
struct SettledAnswers {
    struct Settled {
        std::shared_ptr<WaitingAnswer> answer;
        bool durable = false;
    };
    base::Guarded<std::vector<Settled>> list{};

    /// True for the first since the list was taken: then the loop has to be told.
    bool add(std::shared_ptr<WaitingAnswer> answer, bool durable) {
        return list.with([&](std::vector<Settled>& settled) {
            settled.push_back({std::move(answer), durable});
            return settled.size() == 1;
        });
    }
    std::vector<Settled> take() {
        return list.with([](std::vector<Settled>& settled) { return std::exchange(settled, {}); });
    }
};

}  // namespace

struct BootServer::State {
    boost::asio::io_context& loop;
    Options options;
    const base::Snapshot<model::Catalogue>& catalogue;
    store::ClientRegistry& registry;
    std::function<void()> port_lost;

    std::map<std::string, std::shared_ptr<Port>, std::less<>> ports;
    std::set<base::Ipv4Address> addresses_ever;
    std::optional<io::RoutedSender> routed;
    std::uint16_t next_ip_id = 1;
    std::vector<std::uint8_t> answer_buffer = std::vector<std::uint8_t>(answer_room);
    std::vector<std::uint8_t> packet_buffer = std::vector<std::uint8_t>(packet_room);
    // Shared, since the registry may settle its last changes when this server is gone.
    const std::shared_ptr<SettledAnswers> settled = std::make_shared<SettledAnswers>();
    std::unordered_set<base::MacAddress> told_left_out;
    LineBudget silence_lines{silence_lines_a_second};
    model::AddressBook book;
    AddressProbe probe;
    model::BootpPool pool;
    std::optional<store::LeaseStore> pool_store;
    std::optional<Loans> loans;
    /// Answers of a DHCP server on this host to the relay agent that we play go over the loopback interface.
    std::shared_ptr<SideChannel> loopback;
    boost::asio::steady_timer side_timer;
    base::Guarded<Counters> counters{};
    Counters counted;  // of this thread, published once per turn

    State(boost::asio::io_context& the_loop, Options the_options,
          const base::Snapshot<model::Catalogue>& the_catalogue, store::ClientRegistry& the_registry)
        : loop(the_loop),
          options(std::move(the_options)),
          catalogue(the_catalogue),
          registry(the_registry),
          book(options.max_machines),
          probe(loop, options.probe_wait,
                [this](const std::string& interface, base::Bytes frame) {
                    return send_frame(interface, frame);
                }),
          pool(options.pool),
          side_timer(loop) {
        remember_addresses();
        open_pool();
        if (options.bootp.on && options.bootp.borrow) {
            loans.emplace(
                loop,
                policy::LeaseBorrower::Options{
                    .keep = options.loan_time,
                    .server = options.loan_server.value_or(base::Ipv4Address::broadcast())},
                [this](const policy::BorrowMessage& message) { send_as_relay(message); },
                [this](const std::string& interface, base::Bytes frame) { handle_again(interface, frame); });
        }
        counted.silences.resize(policy::silence_texts().size());
        auto sender = io::RoutedSender::open();
        if (sender) {
            routed.emplace(*std::move(sender));
        } else {
            log_event(Level::warn, "no-routed-answers", {{"error", sender.error().text()}});
        }
    }

    std::size_t serve(const std::vector<io::Interface>& wanted, const std::vector<io::Interface>& all);
    void open_port(const io::Interface& interface);
    void wait(const std::shared_ptr<Port>& port);
    void turn(const std::shared_ptr<Port>& port);
    void handle(Port& port, base::Bytes frame, const model::Catalogue& images);
    void answer(Port& port, const policy::Request& request, policy::Answer& answer);
    void answer_if_free(Port& port, const Outgoing& outgoing);
    void probe_ahead(const Port& port, const policy::Answer& answer);
    void contest(std::string_view interface, base::MacAddress mac, base::Ipv4Address address,
                 base::MacAddress owner);
    void remember_addresses();
    void open_pool();
    void send_as_relay(const policy::BorrowMessage& message);
    void handle_again(const std::string& interface, base::Bytes frame);
    void listen_on_loopback();
    void hear_loopback();
    void open_side_channels_later();
    bool open_side_channel(Port& port);
    void listen(const std::string& interface, const std::shared_ptr<SideChannel>& side);
    void overhear(const std::string& interface, base::Bytes frame);
    bool send_frame(const std::string& interface, base::Bytes frame);
    [[nodiscard]] std::optional<model::Client> record_of(const policy::Request& request) const;
    void stay_silent(const Port& port, const policy::Request& request, const policy::Quiet& quiet);
    void log_refused(const Port& port, const policy::Refused& refused);
    void log_silence(policy::Silence reason, const Asker& asker);
    void send_settled();
    void send(const Outgoing& outgoing);
    bool send_on_link(const Outgoing& outgoing);
    bool send_routed(const Outgoing& outgoing);
    void tell_left_out(const Asker& asker, std::size_t left_out);
    [[nodiscard]] Asker asker_of(const Port& port, const policy::Request& request) const;
};

std::size_t BootServer::State::serve(const std::vector<io::Interface>& wanted,
                                     const std::vector<io::Interface>& all) {
    std::set<base::Ipv4Address> own;
    for (const io::Interface& interface : all) {
        for (const base::Ipv4Network& network : interface.addresses) own.insert(network.address());
    }
    for (auto it = ports.begin(); it != ports.end();) {
        const auto still = std::ranges::find_if(wanted, [&](const io::Interface& interface) {
            // The same name on another index is another device; a changed MAC needs a new port as well.
            return interface.name == it->first && interface.index == it->second->interface.index &&
                   interface.mac == it->second->interface.mac;
        });
        if (still == wanted.end()) {
            log_event(Level::info, "interface-closed", {{"interface", it->first}});
            it->second->readable.cancel();
            it = ports.erase(it);
        } else {
            ++it;
        }
    }
    for (const io::Interface& interface : wanted) {
        if (!ports.contains(interface.name)) open_port(interface);
        const auto found = ports.find(interface.name);
        if (found == ports.end()) continue;
        for (const base::Ipv4Network& network : interface.addresses) addresses_ever.insert(network.address());
        found->second->interface = interface;
    }
    open_side_channels_later();
    for (auto& [name, port] : ports) {
        policy::ServerIdentity identity{.interface = name,
                                        .host_name = options.host_name,
                                        .addresses = port->interface.addresses,
                                        .own_addresses = {own.begin(), own.end()},
                                        .former_addresses = {}};
        std::ranges::set_difference(addresses_ever, own, std::back_inserter(identity.former_addresses));
        const bool changed = identity.addresses != port->identity.addresses;
        port->identity = std::move(identity);
        if (!changed) continue;
        std::string addresses;
        for (const base::Ipv4Network& network : port->interface.addresses) {
            addresses += (addresses.empty() ? "" : ",") + network.text();
        }
        log_event(Level::info, "interface-served",
                  {{"interface", name}, {"mac", port->interface.mac.text()}, {"addresses", addresses}});
    }
    return ports.size();
}

void BootServer::State::open_port(const io::Interface& interface) {
    auto frames = io::FramePort::open(
        interface.name, {.filter = capture_filter, .ring_bytes = options.ring_bytes, .at_once = true});
    if (!frames) {
        log_event(Level::error, "interface-not-opened",
                  {{"interface", interface.name}, {"error", frames.error().text()}});
        return;
    }
    auto port = std::make_shared<Port>(interface, *std::move(frames), loop);
    ports.emplace(interface.name, port);
    wait(port);
}

void BootServer::State::wait(const std::shared_ptr<Port>& port) {
    port->readable.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                              [this, port](const boost::system::error_code& error) {
                                  if (!error) turn(port);
                              });
}

void BootServer::State::turn(const std::shared_ptr<Port>& port) {
    // Closed, and perhaps replaced by a port of the same name, while this turn waited behind that in the
    // loop: serving it on would answer every Mac twice.
    if (const auto served = ports.find(port->interface.name);
        served == ports.end() || served->second != port) {
        return;
    }
    const auto images = catalogue.current();
    const LogBatch batch;
    base::Result<int> drained = 0;
    try {
        drained =
            port->frames.drain(frames_per_turn, [&](base::Bytes frame) { handle(*port, frame, *images); });
    } catch (const std::exception& error) {
        // Out of memory, most likely. One packet is lost; a port that is not waited for again would be deaf.
        log_event(Level::error, "frame-lost", {{"interface", port->interface.name}, {"error", error.what()}});
    }
    const std::uint64_t dropped = port->frames.statistics().dropped;
    counted.frames_dropped += dropped - std::exchange(port->dropped, dropped);
    counters.with([this](Counters& shared) { shared = counted; });
    if (drained) {
        wait(port);
        return;
    }
    log_event(Level::warn, "interface-lost",
              {{"interface", port->interface.name}, {"error", drained.error().text()}});
    ports.erase(port->interface.name);
    if (port_lost) port_lost();
}

void BootServer::State::handle(Port& port, base::Bytes frame, const model::Catalogue& images) {
    ++counted.frames;
    const auto datagram = codec::parse_frame(frame);
    // A tagged frame belongs to the interface of its VLAN, where it is seen again without the tag. Frames for
    // other stations show up when somebody made the interface promiscuous.
    if (!datagram || datagram->vlan ||
        (datagram->link_destination != port.interface.mac && !datagram->link_destination.is_multicast())) {
        ++counted.silences[static_cast<std::size_t>(policy::Silence::not_bootp)];
        return;
    }
    if (loans && loans->take(*datagram)) return;
    const model::TimePoint moment = now();
    if (options.bootp.on) {
        if (const auto sighting = policy::sighting_in(*datagram)) {
            book.note(*sighting, port.interface.name, moment);
        }
    }
    const auto request = policy::parse_request(*datagram, port.identity, options.access);
    if (!request) {
        log_refused(port, request.error());
        return;
    }
    const auto client = record_of(*request);
    const base::MacAddress mac = policy::sender_of(*request).mac;
    const policy::Situation situation{.identity = port.identity,
                                      .rules = options.rules,
                                      .bootp = options.bootp,
                                      .catalogue = images,
                                      .client = client,
                                      .held = book.find(mac),
                                      .borrowed = loans ? loans->find(mac) : nullptr,
                                      .loan_refused = loans && loans->is_refused(mac, moment),
                                      .pool = &pool,
                                      .book = &book,
                                      .remembered_clients = registry.size(),
                                      .now = moment};
    auto decision = policy::decide(*request, situation);
    if (auto* reply = std::get_if<policy::Answer>(&decision)) {
        answer(port, *request, *reply);
    } else {
        const auto& quiet = std::get<policy::Quiet>(decision);
        stay_silent(port, *request, quiet);
        if (quiet.borrow_in && loans) loans->want(mac, port.interface.name, *quiet.borrow_in, frame);
    }
}

Asker BootServer::State::asker_of(const Port& port, const policy::Request& request) const {
    const policy::Sender sender = policy::sender_of(request);
    return {.interface = port.interface.name,
            .mac = sender.mac,
            .model = sender.model,
            .architecture = sender.architecture,
            .xid = sender.xid,
            .message = message_name(request)};
}

/// What is remembered of the one who asks. A loader does not tell its machine's model; then it is the last
/// one that chose with this MAC.
std::optional<model::Client> BootServer::State::record_of(const policy::Request& request) const {
    if (const policy::BsdpClient* client = policy::bsdp_client_of(request)) {
        return registry.find(policy::key_of(*client));
    }
    auto records = registry.find(policy::sender_of(request).mac);
    const auto latest = std::ranges::max_element(records, {}, &model::Client::last_selected);
    return latest == records.end() ? std::nullopt : std::optional(std::move(*latest));
}

void BootServer::State::remember_addresses() {
    if (!options.bootp.on) return;
    const model::TimePoint moment = now();
    for (const model::Client& client : registry.list()) {
        if (moment - client.last_seen <= options.bootp.lifetime && !client.address.is_zero()) {
            book.remember(client.key.mac, client.address, client.last_seen);
        }
    }
}

void BootServer::State::open_pool() {
    if (pool.is_off() || options.pool_file.empty()) return;
    pool_store.emplace(options.pool_file, [](const std::string& sentence) {
        log_event(Level::error, "store", {{"what", sentence}});
    });
    pool.load(pool_store->loaded());
}

void BootServer::State::send_as_relay(const policy::BorrowMessage& message) {
    const auto port = ports.find(message.interface);
    if (port == ports.end() || !routed) return;
    const codec::DatagramHeader header{.link_source = {},
                                       .link_destination = {},
                                       .source = {message.from, codec::bootp_server_port},
                                       .destination = {message.to, codec::bootp_server_port},
                                       .ip_id = next_ip_id++};
    codec::PacketWriter writer(header, message.octets, routed_mtu);
    const bool on_link = message.to == base::Ipv4Address::broadcast();
    writer.for_each_packet(packet_buffer, [&](base::Bytes packet) {
        const auto sent =
            on_link ? routed->send_on(port->second->interface.index, packet) : routed->send(packet);
        if (!sent) {
            log_event(Level::warn, "answer-lost",
                      {{"interface", message.interface}, {"error", sent.error().text()}});
        }
        return sent.has_value();
    });
}

void BootServer::State::handle_again(const std::string& interface, base::Bytes frame) {
    if (const auto port = ports.find(interface); port != ports.end()) {
        handle(*port->second, frame, *catalogue.current());
    }
}

void BootServer::State::listen_on_loopback() {
    if (!loans || loopback) return;
    auto frames = io::FramePort::open("lo", {.filter = relay_filter, .ring_bytes = side_ring_bytes});
    if (!frames) {
        log_event(Level::warn, "interface-not-listened",
                  {{"interface", "lo"}, {"error", frames.error().text()}});
        return;
    }
    loopback = std::make_shared<SideChannel>(*std::move(frames), loop);
    hear_loopback();
}

void BootServer::State::hear_loopback() {
    loopback->readable.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                  [this, side = loopback](const boost::system::error_code& error) {
                                      if (error) return;
                                      const auto drained =
                                          side->frames.drain(frames_per_turn, [&](base::Bytes frame) {
                                              const auto datagram = codec::parse_frame(frame);
                                              if (datagram) loans->take(*datagram);
                                          });
                                      if (drained) hear_loopback();
                                  });
}

void BootServer::State::answer(Port& port, const policy::Request& request, policy::Answer& answer) {
    // A choice is in memory before the answer is written, since the record gives the machine its name; the
    // answer leaves when the record is durable.
    std::shared_ptr<WaitingAnswer> waiting;
    if (answer.remember) {
        waiting = std::make_shared<WaitingAnswer>();
        const auto record = registry.apply(*answer.remember,
                                           [this, waiting, queue = settled, &boot_loop = loop](bool durable) {
                                               if (queue->add(waiting, durable))
                                                   boost::asio::post(boot_loop, [this] { send_settled(); });
                                           });
        if (record) {
            answer.machine_name = record->machine_name;
        } else {
            // Every place is taken by choices made by hand. A refusal waits for no disk.
            waiting.reset();
            answer = policy::failed_instead(answer, "no-room-for-this-machine");
        }
    }
    const policy::WrittenAnswer written = policy::write_answer(answer, answer_buffer);
    const Asker asker = asker_of(port, request);
    if (written.payload.empty()) {
        log_silence(policy::Silence::answer_too_large, asker);
        return;
    }
    if (written.images_left_out > 0) tell_left_out(asker, written.images_left_out);
    const bool list = answer.kind == policy::AnswerKind::list;
    const Outgoing outgoing{
        .asker = asker,
        .header = {.link_source = port.interface.mac,
                   .link_destination = answer.destination.link.value_or(base::MacAddress()),
                   .source = {answer.server, codec::bootp_server_port},
                   .destination = answer.destination.to,
                   .ip_id = next_ip_id++},
        .link = answer.destination.link,
        .payload = written.payload,
        .kind = answer.kind,
        .image = list ? answer.default_image : answer.selected_image.value_or(base::BootImageId()),
        .failure = answer.failure,
        .address = answer.header.yiaddr,
        .address_source = answer.address_source};
    if (answer.from_pool) {
        const model::PoolLease lease = pool.give(asker.mac, answer.header.yiaddr, now());
        if (pool_store) pool_store->save(lease);
    }
    if (answer.kind == policy::AnswerKind::select) probe_ahead(port, answer);
    if (waiting) {
        waiting->keep(outgoing);
    } else if (answer.probe_address && options.probe_wait.count() > 0) {
        answer_if_free(port, outgoing);
    } else {
        send(outgoing);
    }
}

/// A loader will ask for this address within seconds. Asked for now, it can be given at once then, and GRUB
/// takes whichever answer is first: the site's DHCP server's or ours.
void BootServer::State::probe_ahead(const Port& port, const policy::Answer& answer) {
    if (!options.bootp.on || options.probe_wait.count() == 0 || !port.side || !answer.destination.link)
        return;
    // In a storm answers come first; then the loader's own request asks.
    if (probe.open() >= most_ahead) return;
    const base::MacAddress mac = answer.header.mac();
    const base::Ipv4Address address = answer.header.ciaddr;
    probe.ask(port.interface.name, port.interface.mac, address, mac,
              [this, name = port.interface.name, mac, address](std::optional<base::MacAddress> other) {
                  if (other) contest(name, mac, address, *other);
              });
}

void BootServer::State::contest(std::string_view interface, base::MacAddress mac, base::Ipv4Address address,
                                base::MacAddress owner) {
    book.contest(mac, address, owner);
    pool.avoid(address, now());
    if (loans) loans->decline(mac, address);
    log_event(Level::warn, "address-contested",
              {{"interface", interface},
               {"mac", mac.text()},
               {"address", address.text()},
               {"owner", owner.text()}});
}

void BootServer::State::answer_if_free(Port& port, const Outgoing& outgoing) {
    // Deaf to ARP, it could not tell a free address from a taken one.
    if (!open_side_channel(port)) {
        log_silence(policy::Silence::address_unchecked, outgoing.asker);
        return;
    }
    auto waiting = std::make_shared<WaitingAnswer>();
    waiting->keep(outgoing);
    const bool asked = probe.ask(port.interface.name, port.interface.mac, outgoing.address,
                                 outgoing.asker.mac, [this, waiting](std::optional<base::MacAddress> other) {
                                     const Outgoing& ready = waiting->outgoing;
                                     if (!other) return send(ready);
                                     contest(ready.asker.interface, ready.asker.mac, ready.address, *other);
                                     log_silence(policy::Silence::address_contested, ready.asker);
                                 });
    if (!asked) log_silence(policy::Silence::address_unchecked, outgoing.asker);
}

void BootServer::State::open_side_channels_later() {
    if (!options.bootp.on) return;
    side_timer.expires_after(side_delay);
    side_timer.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        for (auto& [name, port] : ports) open_side_channel(*port);
        listen_on_loopback();
    });
}

/// True if it is open now.
bool BootServer::State::open_side_channel(Port& port) {
    if (port.side) return true;
    auto frames = io::FramePort::open(
        port.interface.name,
        {.filter = side_filter(port.interface.mac), .ring_bytes = side_ring_bytes, .outgoing = true});
    if (!frames) {
        log_event(Level::error, "interface-not-listened",
                  {{"interface", port.interface.name}, {"error", frames.error().text()}});
        return false;
    }
    port.side = std::make_shared<SideChannel>(*std::move(frames), loop);
    listen(port.interface.name, port.side);
    return true;
}

void BootServer::State::listen(const std::string& interface, const std::shared_ptr<SideChannel>& side) {
    side->readable.async_wait(
        boost::asio::posix::stream_descriptor::wait_read,
        [this, interface, side](const boost::system::error_code& error) {
            if (error) return;
            const auto port = ports.find(interface);
            if (port == ports.end() || port->second->side != side) return;
            const LogBatch batch;
            const auto drained =
                side->frames.drain(frames_per_turn, [&](base::Bytes frame) { overhear(interface, frame); });
            if (drained) {
                listen(interface, side);
            } else {
                // The requests' port notices the loss of the interface as well, and says so.
                port->second->side.reset();
            }
        });
}

void BootServer::State::overhear(const std::string& interface, base::Bytes frame) {
    if (const auto claim = codec::parse_arp(frame)) {
        probe.hear(interface, *claim);
        return;
    }
    const auto datagram = codec::parse_frame(frame);
    if (!datagram || datagram->vlan) return;
    if (const auto sighting = policy::sighting_in(*datagram)) book.note(*sighting, interface, now());
}

bool BootServer::State::send_frame(const std::string& interface, base::Bytes frame) {
    const auto port = ports.find(interface);
    return port != ports.end() && port->second->frames.inject(frame);
}

void BootServer::State::send_settled() {
    const LogBatch batch;
    for (const auto& [waiting, durable] : settled->take()) {
        if (waiting->payload.empty()) continue;
        if (!durable) {
            log_event(Level::warn, "choice-not-stored", {{"mac", waiting->outgoing.asker.mac.text()}});
        }
        send(waiting->outgoing);
    }
}

void BootServer::State::send(const Outgoing& outgoing) {
    if (!(outgoing.link ? send_on_link(outgoing) : send_routed(outgoing))) {
        ++counted.send_failures;
        return;
    }
    ++counted.answers[static_cast<std::size_t>(outgoing.kind)];
    if (!log_enabled(Level::info)) return;
    const Asker& asker = outgoing.asker;
    if (outgoing.kind == policy::AnswerKind::bootp) {
        log_event(Level::info, "answer",
                  {{"interface", asker.interface},
                   {"mac", asker.mac.text()},
                   {"xid", base::hex(asker.xid, 8)},
                   {"message", asker.message},
                   {"reply", text(outgoing.kind)},
                   {"to", outgoing.header.destination.text()},
                   {"bytes", outgoing.payload.size()},
                   {"address", outgoing.address.text()},
                   {"source", outgoing.address_source},
                   {"image", outgoing.image.text()}});
        return;
    }
    log_event(Level::info, "answer",
              {{"interface", asker.interface},
               {"mac", asker.mac.text()},
               {"arch", asker.architecture},
               {"model", asker.model},
               {"xid", base::hex(asker.xid, 8)},
               {"message", asker.message},
               {"reply", text(outgoing.kind)},
               {"to", outgoing.header.destination.text()},
               {"bytes", outgoing.payload.size()},
               outgoing.failure.empty() ? Field{"image", outgoing.image.text()}
                                        : Field{"failure", outgoing.failure}});
}

bool BootServer::State::send_on_link(const Outgoing& outgoing) {
    const auto port = ports.find(outgoing.asker.interface);
    std::string_view trouble = "the interface is gone";
    if (port != ports.end()) {
        codec::PacketWriter writer(outgoing.header, outgoing.payload,
                                   static_cast<std::size_t>(port->second->interface.mtu));
        if (writer.for_each_frame(packet_buffer,
                                  [&](base::Bytes frame) { return port->second->frames.inject(frame); })) {
            return true;
        }
        trouble = "the kernel refused the frame";
    }
    log_event(
        Level::warn, "answer-lost",
        {{"interface", outgoing.asker.interface}, {"mac", outgoing.asker.mac.text()}, {"error", trouble}});
    return false;
}

bool BootServer::State::send_routed(const Outgoing& outgoing) {
    std::string trouble = "no raw socket";
    codec::PacketWriter writer(outgoing.header, outgoing.payload, routed_mtu);
    const bool sent = routed && writer.for_each_packet(packet_buffer, [&](base::Bytes packet) {
        const auto result = routed->send(packet);
        if (!result) trouble = result.error().text();
        return result.has_value();
    });
    if (!sent) {
        log_event(Level::warn, "answer-lost",
                  {{"to", outgoing.header.destination.text()},
                   {"mac", outgoing.asker.mac.text()},
                   {"error", trouble}});
    }
    return sent;
}

void BootServer::State::stay_silent(const Port& port, const policy::Request& request,
                                    const policy::Quiet& quiet) {
    if (quiet.change) registry.apply(*quiet.change);
    log_silence(quiet.reason, asker_of(port, request));
}

void BootServer::State::log_refused(const Port& port, const policy::Refused& refused) {
    if (policy::text_of(refused.reason).everyday && !log_enabled(Level::debug)) {
        ++counted.silences[static_cast<std::size_t>(refused.reason)];
        return;
    }
    Asker asker;
    asker.interface = port.interface.name;
    if (refused.header) {
        asker.mac = refused.header->mac();
        asker.xid = refused.header->xid;
    }
    asker.model = refused.model.empty() ? refused.vendor_class : refused.model;
    log_silence(refused.reason, asker);
}

void BootServer::State::log_silence(policy::Silence reason, const Asker& asker) {
    ++counted.silences[static_cast<std::size_t>(reason)];
    const policy::SilenceText& why = policy::text_of(reason);
    const Level level = why.everyday ? Level::debug : Level::info;
    if (!log_enabled(level)) return;
    const LineBudget::Verdict verdict = silence_lines.ask(std::chrono::steady_clock::now());
    if (verdict.held_back > 0) {
        log_event(Level::info, "silences-not-logged", {{"count", verdict.held_back}});
    }
    if (!verdict.write) return;
    log_event(level, "silence",
              {{"interface", asker.interface},
               {"mac", asker.mac.text()},
               {"arch", asker.architecture},
               {"model", asker.model},
               {"xid", base::hex(asker.xid, 8)},
               {"message", asker.message},
               {"reason", why.name},
               {"why", why.sentence}});
}

void BootServer::State::tell_left_out(const Asker& asker, std::size_t left_out) {
    if (told_left_out.size() >= told_clients) told_left_out.clear();
    if (!told_left_out.insert(asker.mac).second) return;
    log_event(Level::warn, "images-left-out",
              {{"mac", asker.mac.text()},
               {"model", asker.model},
               {"count", left_out},
               {"why",
                "the list does not fit into the message size that "
                "this client takes"}});
}

BootServer::BootServer(boost::asio::io_context& loop, Options options,
                       const base::Snapshot<model::Catalogue>& catalogue, store::ClientRegistry& registry)
    : state_(std::make_unique<State>(loop, std::move(options), catalogue, registry)) {}

BootServer::~BootServer() = default;

std::size_t BootServer::serve(const std::vector<io::Interface>& wanted,
                              const std::vector<io::Interface>& all) {
    return state_->serve(wanted, all);
}

void BootServer::on_port_lost(std::function<void()> callback) {
    state_->port_lost = std::move(callback);
}

BootServer::Counters BootServer::counters() const {
    return state_->counters.with([](const Counters& shared) { return shared; });
}

}  // namespace pomona::servers
