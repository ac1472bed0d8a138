#include "servers/tftp_worker.hpp"

#include "servers/log.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <system_error>
#include <thread>
#include <utility>
#include <variant>

namespace pomona::servers {

namespace {

using codec::TftpErrorCode;
using Kind = policy::TftpStep::Kind;

/// Longer requests have no honest sender: a path has at most 1024 octets, options few.
constexpr std::size_t longest_path = 1024;
/// Room for one train, or for one block of the largest size there is.
constexpr std::size_t out_size = std::size_t{1} << 16;
/// The first events belong to the worker itself: the wake-up, then the listeners. A transfer's event carries
/// its slot and its generation, which begins at 1.
constexpr std::uint64_t wake_event = 0;
constexpr std::uint64_t first_listener_event = 1;
/// With more transfers than this, what was read ahead falls out of the processor's cache before it is sent,
/// and reading the page cache again is cheaper.
constexpr std::uint64_t most_reading_ahead = 256;
/// When the socket's buffer is full, the rest of a window follows this much later.
constexpr auto buffer_pause = std::chrono::milliseconds(2);
constexpr auto pause_after_trouble = std::chrono::milliseconds(100);
/// A client that repeats the very same request while its transfer runs has restarted if it was silent so
/// long.
constexpr auto silence_of_restart = std::chrono::milliseconds(500);

std::uint64_t client_key(const base::Endpoint& client) {
    return std::uint64_t{client.address.value()} << 16 | client.port;
}

std::uint64_t event_of(std::uint32_t slot, std::uint32_t generation) {
    return std::uint64_t{generation} << 32 | slot;
}

bool buffer_full(int error) {
    return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS || error == ENOMEM;
}

TftpErrorCode code_of(io::FileProblem::Kind kind) {
    switch (kind) {
        case io::FileProblem::Kind::missing:
            return TftpErrorCode::file_not_found;
        case io::FileProblem::Kind::forbidden:
            return TftpErrorCode::access_violation;
        case io::FileProblem::Kind::unavailable:
            break;
    }
    return TftpErrorCode::undefined;
}

TftpEnd end_of(io::FileProblem::Kind kind) {
    switch (kind) {
        case io::FileProblem::Kind::missing:
            return TftpEnd::not_found;
        case io::FileProblem::Kind::forbidden:
            return TftpEnd::access_denied;
        case io::FileProblem::Kind::unavailable:
            break;
    }
    return TftpEnd::server_error;
}

}  // namespace

struct TftpWorker::Transfer {
    Transfer(TftpBlocks source, const policy::TftpTransfer& machine, const codec::TftpTerms& granted)
        : blocks(std::move(source)), state(machine), terms(granted) {}

    TftpBlocks blocks;
    policy::TftpTransfer state;
    codec::TftpTerms terms;
    io::UdpSocket socket;  ///< empty in single-port mode: the listener carries everything
    std::size_t listener = 0;
    io::UdpRoute route;
    std::vector<std::uint8_t> request;  ///< as it came, to recognise a repetition
    std::string path;
    std::string file;
    codec::TftpMode mode = codec::TftpMode::octet;
    Clock::time_point began;
    Clock::time_point scheduled = Clock::time_point::max();
    bool trains = true;
    std::uint64_t unsent_first = 0;  ///< blocks of the window that still have to go out
    std::uint32_t unsent = 0;
};

TftpWorker::TftpWorker(TftpShared& shared)
    : shared_(shared),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (!epoll_ || !wake_) throw std::system_error(errno, std::generic_category(), "epoll");
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = wake_event;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0) {
        throw std::system_error(errno, std::generic_category(), "epoll");
    }
}

TftpWorker::~TftpWorker() = default;

void TftpWorker::deal_to(std::vector<TftpWorker*> workers) {
    workers_ = std::move(workers);
    for (std::size_t i = 0; i < shared_.listeners.size(); ++i) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = first_listener_event + i;
        if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, shared_.listeners[i].descriptor(), &event) != 0) {
            throw std::system_error(errno, std::generic_category(), "epoll");
        }
    }
}

void TftpWorker::post(Request request) {
    posted_.with([&](std::vector<Request>& queue) { queue.push_back(std::move(request)); });
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);
}

void TftpWorker::run(const std::stop_token& stop) {
    out_.resize(out_size);
    const std::stop_callback wake_up(stop, [this] {
        stopping_ = true;
        const std::uint64_t one = 1;
        (void)!::write(wake_.get(), &one, sizeof one);
    });
    while (!stopping_) {
        try {
            wait_and_handle();
        } catch (const std::exception& error) {
            // Out of memory, most likely. Clients repeat what was lost meanwhile.
            log_event(Level::error, "thread-trouble", {{"thread", "tftp"}, {"error", error.what()}});
            std::this_thread::sleep_for(pause_after_trouble);
        }
    }
    for (Slot slot = 0; slot < transfers_.size(); ++slot) {
        if (!transfers_[slot]) continue;
        send_error(*transfers_[slot], TftpErrorCode::undefined, "the server is stopping");
        finish(slot, TftpEnd::server_stopped, {});
    }
}

void TftpWorker::wait_and_handle() {
    std::array<epoll_event, 128> events{};
    int wait = -1;
    if (!deadlines_.empty()) {
        const auto left = deadlines_.top().at - Clock::now();
        wait = static_cast<int>(
            std::clamp<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(left).count(), 0, 60'000));
    }
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait);
    if (count < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "epoll_wait");
    for (int i = 0; i < count; ++i) {
        const std::uint64_t event = events[static_cast<std::size_t>(i)].data.u64;
        const auto generation = static_cast<std::uint32_t>(event >> 32);
        const auto slot = static_cast<Slot>(event);
        if (event == wake_event) {
            std::uint64_t ignored = 0;
            (void)!::read(wake_.get(), &ignored, sizeof ignored);
            handle_posted();
        } else if (generation == 0) {
            listen(static_cast<std::size_t>(event - first_listener_event));
        } else if (transfers_[slot] && generations_[slot] == generation) {
            handle_socket(slot, Clock::now());
        }
    }
    handle_deadlines(Clock::now());
}

void TftpWorker::listen(std::size_t listener) {
    // Bounded, so that a flood of requests does not stop the transfers.
    for (int i = 0; i < 64; ++i) {
        const auto arrival = shared_.listeners[listener].receive(in_);
        if (!arrival) {
            // ICMP errors of former clients are reported here too; they concern nobody any more.
            if (buffer_full(arrival.error())) return;
            continue;
        }
        accept(listener, *arrival, {in_.data(), arrival->size}, Clock::now());
    }
}

void TftpWorker::accept(std::size_t listener, const io::UdpArrival& arrival, base::Bytes packet,
                        Clock::time_point now) {
    // RFC 1123, 4.2.3.4: requests to a broadcast address are ignored. Port 0 cannot be answered.
    if (!arrival.to_us_alone || arrival.from.port == 0 || packet.size() < 2) {
        ++shared_.counters.ignored;
        return;
    }
    const io::UdpRoute answer{arrival.to, arrival.from};
    if (arrival.truncated) packet = packet.first(2);
    // By address alone: so the limit per client is one worker's business.
    const std::size_t turn =
        std::hash<base::Ipv4Address>{}(arrival.from.address) * 0x9e3779b97f4a7c15ULL >> 32;
    TftpWorker* const worker = workers_[turn % workers_.size()];
    if (worker == this) {
        handle_request(listener, answer, packet, now);
    } else {
        worker->post({listener, answer, {packet.begin(), packet.end()}});
    }
}

void TftpWorker::handle_posted() {
    std::vector<Request> requests;
    posted_.with([&](std::vector<Request>& queue) { requests.swap(queue); });
    for (const Request& request : requests) {
        handle_request(request.listener, request.answer, request.octets, Clock::now());
    }
}

void TftpWorker::handle_request(std::size_t listener, const io::UdpRoute& answer, base::Bytes packet,
                                Clock::time_point now) {
    const auto running = by_client_.find(client_key(answer.to));
    const auto parsed = codec::parse_tftp(packet);
    const auto* const request = parsed ? std::get_if<codec::TftpRequest>(&*parsed) : nullptr;
    const bool looks_like_request = packet[0] == 0 && (packet[1] == 1 || packet[1] == 2);
    if (running != by_client_.end() && shared_.options.single_port && !looks_like_request) {
        handle_packet(running->second, packet, now);
        return;
    }
    if (request == nullptr) {
        // Never answer an ERROR, or two programs could answer each other for ever.
        const bool is_error = packet[0] == 0 && packet[1] == 5;
        if (is_error) {
            ++shared_.counters.ignored;
        } else if (parsed) {
            ++shared_.counters.ignored;
            std::array<std::uint8_t, 64> room{};
            base::ByteWriter to(room);
            codec::write_tftp(to,
                              codec::TftpError{static_cast<std::uint16_t>(TftpErrorCode::unknown_transfer_id),
                                               "no such transfer"});
            shared_.listeners[listener].send(to.written(), to.size(), &answer, false);
        } else {
            ++shared_.counters.requests;
            TftpReport report;
            report.end = TftpEnd::malformed;
            report.detail = parsed.error().what;
            refuse(listener, answer, TftpErrorCode::illegal_operation, parsed.error().what,
                   std::move(report));
        }
        return;
    }
    if (running != by_client_.end()) {
        Transfer& former = *transfers_[running->second];
        const bool same = std::ranges::equal(former.request, packet);
        const bool restarted =
            former.state.all_sent() || now - former.state.last_progress() >= silence_of_restart;
        if (same && !former.state.anything_acknowledged()) {
            carry_out(running->second, former.state.on_repeated_request(now), now);
            return;
        }
        if (same && !restarted) {
            ++shared_.counters.ignored;
            return;
        }
        finish(running->second, former.state.all_sent() ? TftpEnd::completed_silently : TftpEnd::replaced,
               "the client asked anew from the same port");
    }
    ++shared_.counters.requests;
    begin(listener, answer, packet, *request, now);
}

void TftpWorker::begin(std::size_t listener, const io::UdpRoute& answer, base::Bytes packet,
                       const codec::TftpRequest& request, Clock::time_point now) {
    const TftpServerOptions& options = shared_.options;
    TftpReport report;
    report.path = request.path.substr(0, longest_path);
    report.mode = request.mode;
    const auto refuse_as = [&](TftpEnd end, TftpErrorCode code, const std::string& message) {
        report.end = end;
        report.detail = message;
        refuse(listener, answer, code, message, std::move(report));
    };
    if (request.write) {
        return refuse_as(TftpEnd::write_refused, TftpErrorCode::access_violation, "this server is read-only");
    }
    if (request.path.size() > longest_path) {
        return refuse_as(TftpEnd::not_found, TftpErrorCode::file_not_found, "the name is too long");
    }
    const auto here = per_address_.find(answer.to.address.value());
    if (here != per_address_.end() && here->second >= options.max_transfers_per_client) {
        return refuse_as(TftpEnd::too_many_transfers, TftpErrorCode::undefined,
                         "too many transfers of this client (tftp-max-transfers-per-client)");
    }
    if (shared_.counters.running >= options.max_transfers) {
        return refuse_as(TftpEnd::too_many_transfers, TftpErrorCode::undefined,
                         "too many transfers (tftp-max-transfers)");
    }
    auto content = shared_.content.current()->open_for(answer.from, request.path);
    if (!content) {
        report.file = content.error().looked_for;
        return refuse_as(end_of(content.error().kind), code_of(content.error().kind), content.error().what);
    }
    report.file = content->path;
    report.size = content->file.size();
    const bool octet = request.mode == codec::TftpMode::octet;
    const auto terms =
        codec::negotiate_tftp(request.options, options.limits,
                              octet ? std::optional<std::uint64_t>(content->file.size()) : std::nullopt);
    if (!terms) return refuse_as(TftpEnd::option_refused, TftpErrorCode::option_refused, terms.error().what);

    std::string problem;
    std::optional<io::UdpSocket> socket;
    if (!options.single_port) {
        socket = open_socket(answer, problem);
        if (!socket) return refuse_as(TftpEnd::server_error, TftpErrorCode::undefined, problem);
    }
    policy::TftpTiming timing = options.timing;
    if (terms->timeout_granted) timing.asked_timeout = std::chrono::seconds(*terms->timeout_granted);
    const bool ahead = terms->windowsize() == 1 && shared_.counters.running < most_reading_ahead;
    TftpBlocks blocks(std::move(content->file), request.mode, terms->blksize(), ahead);
    const policy::TftpTransfer state(terms->wants_oack(), terms->windowsize(), blocks.count(), timing);

    const Slot slot = free_slot();
    if (socket) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = event_of(slot, generations_[slot]);
        if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket->descriptor(), &event) != 0) {
            free_.push_back(slot);
            return refuse_as(TftpEnd::server_error, TftpErrorCode::undefined,
                             std::generic_category().message(errno));
        }
    }
    transfers_[slot] = std::make_unique<Transfer>(std::move(blocks), state, *terms);
    Transfer& transfer = *transfers_[slot];
    if (socket) transfer.socket = std::move(*socket);
    transfer.listener = listener;
    transfer.route = answer;
    transfer.request.assign(packet.begin(), packet.end());
    transfer.path = std::move(report.path);
    transfer.file = std::move(report.file);
    transfer.mode = request.mode;
    transfer.began = now;
    transfer.trains = options.trains;
    by_client_[client_key(answer.to)] = slot;
    ++per_address_[answer.to.address.value()];
    ++shared_.counters.running;
    if (options.on_start) {
        options.on_start({answer.to, answer.from, transfer.path, transfer.file, transfer.blocks.file_size()});
    }
    carry_out(slot, transfer.state.start(now), now);
}

void TftpWorker::handle_socket(Slot slot, Clock::time_point now) {
    Transfer& transfer = *transfers_[slot];
    const auto size = transfer.socket.receive_plain(in_);
    if (size) {
        handle_packet(slot, {in_.data(), *size}, now);
    } else if (size.error() == ECONNREFUSED) {
        finish(slot, transfer.state.all_sent() ? TftpEnd::completed_silently : TftpEnd::client_gone,
               "the client closed its port");
    }
    // Other errors (no route to host) may pass; the deadlines decide.
}

void TftpWorker::handle_packet(Slot slot, base::Bytes packet, Clock::time_point now) {
    Transfer& transfer = *transfers_[slot];
    const auto parsed = codec::parse_tftp(packet);
    if (!parsed) {
        ++shared_.counters.ignored;
        return;
    }
    if (const auto* const ack = std::get_if<codec::TftpAck>(&*parsed)) {
        carry_out(slot, transfer.state.on_ack(ack->block, now), now);
        return;
    }
    const auto* const error = std::get_if<codec::TftpError>(&*parsed);
    if (error == nullptr) {
        ++shared_.counters.ignored;
        return;
    }
    // UEFI firmware asks for the size first and leaves with ERROR 8 once it knows.
    const bool declined = error->code == static_cast<std::uint16_t>(TftpErrorCode::option_refused) &&
                          transfer.terms.wants_oack() && !transfer.state.anything_acknowledged();
    std::string detail = "error " + std::to_string(error->code);
    if (!error->message.empty()) detail += ": " + std::string(error->message.substr(0, 200));
    finish(slot, declined ? TftpEnd::declined : TftpEnd::aborted, std::move(detail));
}

void TftpWorker::handle_deadlines(Clock::time_point now) {
    while (!deadlines_.empty() && deadlines_.top().at <= now) {
        const Deadline due = deadlines_.top();
        deadlines_.pop();
        Transfer* const transfer = transfers_[due.slot].get();
        if (transfer == nullptr || generations_[due.slot] != due.generation ||
            transfer->scheduled != due.at) {
            continue;
        }
        transfer->scheduled = Clock::time_point::max();
        if (transfer->unsent != 0) {
            if (send_blocks(due.slot, now)) schedule(due.slot);
            continue;
        }
        // Most deadlines have moved on meanwhile: the queue is only touched once per timeout, not per packet.
        carry_out(due.slot, transfer->state.on_time(now), now);
    }
}

void TftpWorker::carry_out(Slot slot, const policy::TftpStep& step, Clock::time_point now) {
    Transfer& transfer = *transfers_[slot];
    switch (step.kind) {
        case Kind::wait:
            break;
        case Kind::send_oack: {
            std::array<std::uint8_t, 128> room{};
            base::ByteWriter to(room);
            codec::write_tftp_oack(to, transfer.terms);
            send_control(transfer, to.written());
            break;
        }
        case Kind::send_blocks:
            transfer.unsent_first = step.first;
            transfer.unsent = step.count;
            if (!send_blocks(slot, now)) return;
            break;
        case Kind::done:
            finish(slot, TftpEnd::completed, {});
            return;
        case Kind::give_up:
            finish(slot, TftpEnd::timed_out, "no acknowledgement");
            return;
    }
    schedule(slot);
}

bool TftpWorker::send_blocks(Slot slot, Clock::time_point now) {
    Transfer& transfer = *transfers_[slot];
    const std::size_t segment = std::size_t{transfer.blocks.blksize()} + codec::tftp_data_header_size;
    const std::size_t most =
        std::clamp<std::size_t>(io::UdpSocket::longest_train / segment, 1, io::UdpSocket::most_in_train);
    io::UdpSocket& socket = transfer.socket ? transfer.socket : shared_.listeners[transfer.listener];
    const io::UdpRoute* const route = transfer.socket ? nullptr : &transfer.route;
    while (transfer.unsent != 0) {
        const auto filled = transfer.blocks.take(transfer.state.first_unacknowledged(), transfer.unsent_first,
                                                 std::min<std::size_t>(transfer.unsent, most), out_);
        if (!filled.problem.empty()) {
            send_error(transfer, TftpErrorCode::undefined, filled.problem);
            finish(slot, TftpEnd::file_error, filled.problem);
            return false;
        }
        if (const auto count = transfer.blocks.count()) transfer.state.ends_with(*count);
        if (filled.blocks == 0) {
            transfer.unsent = 0;
            break;
        }
        const base::Bytes octets = filled.octets;
        io::UdpSent sent = socket.send(octets, segment, route, transfer.trains);
        if (sent.error != 0 && filled.blocks > 1 && transfer.trains &&
            io::UdpSocket::refuses_trains(sent.error)) {
            transfer.trains = false;
            ++shared_.counters.trains_refused;
            sent = socket.send(octets, segment, route, false);
        }
        if (buffer_full(sent.error)) {
            transfer.unsent_first += sent.datagrams;
            transfer.unsent -= static_cast<std::uint32_t>(sent.datagrams);
            transfer.scheduled = now + buffer_pause;
            deadlines_.push({transfer.scheduled, slot, generations_[slot]});
            return true;
        }
        if (sent.error == ECONNREFUSED && transfer.socket) {
            finish(slot, TftpEnd::client_gone, "the client closed its port");
            return false;
        }
        // Whatever else went wrong (no route, a firewall) may pass; the deadline repeats these blocks.
        transfer.unsent_first += filled.blocks;
        transfer.unsent -= static_cast<std::uint32_t>(std::min<std::size_t>(transfer.unsent, filled.blocks));
    }
    return true;
}

void TftpWorker::send_control(Transfer& transfer, base::Bytes packet) {
    if (transfer.socket) {
        transfer.socket.send(packet, packet.size(), nullptr, false);
    } else {
        shared_.listeners[transfer.listener].send(packet, packet.size(), &transfer.route, false);
    }
}

void TftpWorker::send_error(Transfer& transfer, TftpErrorCode code, std::string_view message) {
    std::array<std::uint8_t, 512> room{};
    base::ByteWriter to(room);
    codec::write_tftp(to, codec::TftpError{static_cast<std::uint16_t>(code), message.substr(0, 500)});
    send_control(transfer, to.written());
}

void TftpWorker::schedule(Slot slot) {
    Transfer& transfer = *transfers_[slot];
    const Clock::time_point deadline = transfer.state.deadline();
    if (deadline >= transfer.scheduled) return;  // looked at again when the earlier one is due
    transfer.scheduled = deadline;
    deadlines_.push({deadline, slot, generations_[slot]});
}

void TftpWorker::finish(Slot slot, TftpEnd end, std::string detail) {
    const std::unique_ptr<Transfer> transfer = std::move(transfers_[slot]);
    ++generations_[slot];
    if (generations_[slot] == 0) generations_[slot] = 1;
    free_.push_back(slot);
    by_client_.erase(client_key(transfer->route.to));
    if (const auto here = per_address_.find(transfer->route.to.address.value()); --here->second == 0) {
        per_address_.erase(here);
    }
    TftpReport ended;
    ended.client = transfer->route.to;
    ended.local = transfer->route.from;
    ended.path = std::move(transfer->path);
    ended.file = std::move(transfer->file);
    ended.end = end;
    ended.detail = std::move(detail);
    ended.mode = transfer->mode;
    ended.blksize = transfer->terms.blksize();
    ended.windowsize = transfer->terms.windowsize();
    ended.size = transfer->blocks.file_size();
    ended.bytes = transfer->blocks.payload_before(transfer->state.first_unacknowledged());
    ended.duration = Clock::now() - transfer->began;
    ended.retransmissions = transfer->state.retransmissions();
    --shared_.counters.running;
    ++(ended.succeeded() ? shared_.counters.completed : shared_.counters.failed);
    shared_.counters.bytes += ended.bytes;
    shared_.counters.retransmissions += ended.retransmissions;
    report(ended);
}

void TftpWorker::refuse(std::size_t listener, const io::UdpRoute& answer, TftpErrorCode code,
                        std::string_view message, TftpReport refusal) {
    ++shared_.counters.refused;
    std::array<std::uint8_t, 512> room{};
    base::ByteWriter to(room);
    codec::write_tftp(to, codec::TftpError{static_cast<std::uint16_t>(code), message.substr(0, 500)});
    shared_.listeners[listener].send(to.written(), to.size(), &answer, false);
    refusal.client = answer.to;
    refusal.local = answer.from;
    report(refusal);
}

void TftpWorker::report(const TftpReport& ended) {
    if (shared_.options.on_end) shared_.options.on_end(ended);
}

std::optional<io::UdpSocket> TftpWorker::open_socket(const io::UdpRoute& answer, std::string& problem) {
    const std::uint32_t first = shared_.options.first_port;
    const std::uint32_t count = first == 0 ? 1 : shared_.options.last_port - first + 1U;
    const std::uint32_t offset = first == 0 ? 0 : static_cast<std::uint32_t>(random_()) % count;
    int error = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto port = static_cast<std::uint16_t>(first == 0 ? 0 : first + (offset + i) % count);
        auto socket = io::UdpSocket::bind({answer.from, port});
        if (socket) {
            error = socket->connect(answer.to);
            if (error == 0) return std::move(*socket);
            break;
        }
        error = socket.error();
        if (error != EADDRINUSE) break;
    }
    problem = error == EADDRINUSE ? "no free port (tftp-port-range)" : std::generic_category().message(error);
    return std::nullopt;
}

TftpWorker::Slot TftpWorker::free_slot() {
    if (free_.empty()) {
        free_.push_back(static_cast<Slot>(transfers_.size()));
        transfers_.emplace_back();
        generations_.push_back(1);
    }
    const Slot slot = free_.back();
    free_.pop_back();
    return slot;
}

}  // namespace pomona::servers
