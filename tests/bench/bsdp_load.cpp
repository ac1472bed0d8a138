// The load generator for BSDP: thousands of simulated Macs that ask LIST and SELECT, alone or beside a flood
// of foreign DHCP packets. Prints one JSON object. Every run is bounded in time and in count. It never
// sleeps, so that its own wake-ups are no part of what it measures: give it a processor of its own.
#include "figures.hpp"
#include "mac_packets.hpp"
#include "mac_port.hpp"

#include <arpa/inet.h>
#include <boost/program_options.hpp>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <queue>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace pomona::bench;

struct Settings {
    std::string mode;
    std::string interface;
    std::uint32_t first_address = 0;
    std::uint32_t macs = 2'000;
    std::uint32_t first_mac = 0;
    std::uint32_t outstanding = 64;
    std::uint64_t count = 0;
    double seconds = 3;
    double warmup_seconds = 0;
    int timeout_ms = 1'000;
    std::uint32_t foreign_rate = 0;
    int pause_ms = 0;
    int pid = 0;

    [[nodiscard]] bool selects() const { return mode == "select" || mode == "foreign"; }
    [[nodiscard]] bool retries() const { return mode == "burst"; }
};

struct Statistics {
    std::uint64_t list_answers = 0;
    std::uint64_t select_answers = 0;
    std::uint64_t lists_lost = 0;
    std::uint64_t selects_lost = 0;
    std::uint64_t answered_at_first_packet = 0;
    std::uint64_t wrong = 0;
    std::uint64_t late = 0;
    std::uint64_t foreign = 0;
    std::vector<Nanoseconds> list_latencies;
    std::vector<Nanoseconds> select_latencies;
};

enum class Stage : std::uint8_t { idle, listing, selecting, finished };

/// One Mac at work. The upper half of its xid counts requests, the lower half is its place in the table.
struct Exchange {
    Mac mac;
    Stage stage = Stage::idle;
    std::uint16_t turn = 0;
    int packets = 0;
    Nanoseconds begun = 0;
    Nanoseconds deadline = 0;
    std::uint32_t server = 0;
    std::uint32_t image = 0;
};

class Load {
  public:
    explicit Load(const Settings& settings)
        : settings_(settings), port_(settings.interface, MacPort::Ear::udp) {
        exchanges_.resize(settings.retries() ? settings.macs : settings.outstanding);
        statistics_.list_latencies.reserve(1U << 20U);
        statistics_.select_latencies.reserve(1U << 18U);
    }

    void run() {
        started_ = counted_from_ = now();
        const auto ends =
            started_ + static_cast<Nanoseconds>(settings_.seconds * static_cast<double>(second));
        const auto warm =
            started_ + static_cast<Nanoseconds>(settings_.warmup_seconds * static_cast<double>(second));
        bool warming = warm > started_;
        processor_before_ = processor_seconds(settings_.pid);
        for (std::size_t slot = 0; slot < exchanges_.size(); ++slot) begin(slot, started_);
        port_.flush();
        Nanoseconds next_check = started_ + millisecond;
        for (Nanoseconds time = started_; time < ends && !done(); time = now()) {
            if (warming && time >= warm) {
                warming = false;
                forget_warmup(time);
            }
            send_foreign(time);
            begin_due(time);
            port_.flush();
            const int received = port_.receive([this](auto payload) { take(payload); });
            const auto after = now();
            if (received == 0) idle_ += after - time;
            if (after >= next_check) {
                check_deadlines(after);
                next_check = after + millisecond;
            }
        }
        ended_ = now();
        processor_after_ = processor_seconds(settings_.pid);
    }

    void print() {
        const double elapsed = static_cast<double>(ended_ - counted_from_) / static_cast<double>(second);
        const auto answers = statistics_.list_answers + statistics_.select_answers;
        std::uint64_t unfinished = 0;
        if (settings_.retries()) {
            unfinished = static_cast<std::uint64_t>(
                std::count_if(exchanges_.begin(), exchanges_.end(),
                              [](const Exchange& e) { return e.stage != Stage::finished; }));
        }
        std::printf(
            R"({"mode": "%s", "macs": %u, "outstanding": %zu, "seconds": %.4f, "answers": %llu, "answers_per_s": %.1f, )"
            R"("selects_per_s": %.1f, "lists_lost": %llu, "selects_lost": %llu, "wrong": %llu, "late": %llu, )"
            R"("answered_at_first_packet": %llu, "unanswered": %llu, "foreign_per_s": %.0f, )",
            settings_.mode.c_str(), settings_.macs, exchanges_.size(), elapsed, number(answers),
            static_cast<double>(answers) / elapsed, static_cast<double>(statistics_.select_answers) / elapsed,
            number(statistics_.lists_lost), number(statistics_.selects_lost), number(statistics_.wrong),
            number(statistics_.late), number(statistics_.answered_at_first_packet), number(unfinished),
            static_cast<double>(statistics_.foreign) / elapsed);
        print_latencies("list", statistics_.list_latencies);
        print_latencies("select", statistics_.select_latencies);
        std::printf(R"("server_cpu_seconds": %.6f, "generator_idle": %.3f, "first_answer_ns": %lld})"
                    "\n",
                    processor_after_ - processor_before_,
                    static_cast<double>(idle_) / static_cast<double>(ended_ - counted_from_),
                    static_cast<long long>(first_answer_));
    }

  private:
    struct Due {
        Nanoseconds at;
        std::size_t slot;
        friend bool operator>(const Due& a, const Due& b) { return a.at > b.at; }
    };

    static unsigned long long number(std::uint64_t value) { return value; }

    void forget_warmup(Nanoseconds time) {
        statistics_.list_answers = statistics_.select_answers = 0;
        statistics_.list_latencies.clear();
        statistics_.select_latencies.clear();
        counted_from_ = time;
        idle_ = 0;
        processor_before_ = processor_seconds(settings_.pid);
    }

    [[nodiscard]] bool done() const {
        if (settings_.mode == "first") return first_answer_ != 0;
        if (settings_.retries()) return finished_ == exchanges_.size();
        return settings_.count != 0 && finished_ >= settings_.count;
    }

    /// The next Mac in turn begins with a LIST.
    void begin(std::size_t slot, Nanoseconds time) {
        if (settings_.count != 0 && begun_ >= settings_.count) {
            exchanges_[slot].stage = Stage::idle;
            return;
        }
        Exchange& exchange = exchanges_[slot];
        const auto place = static_cast<std::uint32_t>(begun_++ % settings_.macs);
        exchange.mac = {settings_.first_mac + place, settings_.first_address + place};
        exchange.begun = time;
        exchange.packets = 0;
        exchange.stage = Stage::listing;
        send(slot, time);
    }

    void send(std::size_t slot, Nanoseconds time) {
        Exchange& exchange = exchanges_[slot];
        ++exchange.turn;
        ++exchange.packets;
        exchange.deadline = time + wait();
        const auto xid = (std::uint32_t{exchange.turn} << 16U) | static_cast<std::uint32_t>(slot);
        const auto packet = exchange.stage == Stage::selecting
                                ? select_request(exchange.mac, xid, exchange.server, exchange.image)
                                : list_request(exchange.mac, xid);
        port_.queue(packet, exchange.mac.address);
    }

    /// Firmware repeats after 1.2 to 3 s; where nothing is repeated this is when an answer counts as lost.
    Nanoseconds wait() {
        if (settings_.mode == "first") return millisecond;
        if (!settings_.retries()) return settings_.timeout_ms * millisecond;
        return std::uniform_int_distribution<Nanoseconds>(1'200 * millisecond, 3'000 * millisecond)(random_);
    }

    void take(std::span<const std::uint8_t> payload) {
        const auto time = now();
        const auto answer = parse_answer(payload);
        if (!answer) {
            ++statistics_.wrong;
            return;
        }
        const std::size_t slot = answer->xid & 0xffffU;
        if (slot >= exchanges_.size()) {
            ++statistics_.wrong;
            return;
        }
        Exchange& exchange = exchanges_[slot];
        const bool expected = exchange.stage == Stage::listing || exchange.stage == Stage::selecting;
        if (!expected || (settings_.mode != "first" && exchange.turn != answer->xid >> 16U)) {
            ++statistics_.late;
            return;
        }
        if (first_answer_ == 0) first_answer_ = time;
        if (exchange.stage == Stage::listing) {
            take_list(slot, *answer, time);
        } else {
            take_select(slot, *answer, time);
        }
    }

    void take_list(std::size_t slot, const Answer& answer, Nanoseconds time) {
        Exchange& exchange = exchanges_[slot];
        if (answer.message != Message::list || !answer.has_list || answer.image == 0 || answer.server == 0) {
            ++statistics_.wrong;
            return;
        }
        ++statistics_.list_answers;
        statistics_.list_latencies.push_back(time - exchange.begun);
        if (exchange.packets == 1) ++statistics_.answered_at_first_packet;
        if (!settings_.selects()) {
            finish(slot, time);
            return;
        }
        exchange.server = answer.server;
        exchange.image = answer.image;
        exchange.stage = Stage::selecting;
        exchange.begun = time;
        send(slot, time);
    }

    void take_select(std::size_t slot, const Answer& answer, Nanoseconds time) {
        Exchange& exchange = exchanges_[slot];
        if (answer.message != Message::select || answer.image != exchange.image || !answer.has_file) {
            ++statistics_.wrong;
            return;
        }
        ++statistics_.select_answers;
        statistics_.select_latencies.push_back(time - exchange.begun);
        finish(slot, time);
    }

    void finish(std::size_t slot, Nanoseconds time) {
        ++finished_;
        if (settings_.retries()) {
            exchanges_[slot].stage = Stage::finished;
        } else if (settings_.pause_ms > 0) {
            exchanges_[slot].stage = Stage::idle;
            due_.push({time + settings_.pause_ms * millisecond, slot});
        } else {
            begin(slot, time);
        }
    }

    void begin_due(Nanoseconds time) {
        while (!due_.empty() && due_.top().at <= time) {
            const auto slot = due_.top().slot;
            due_.pop();
            begin(slot, time);
        }
    }

    void check_deadlines(Nanoseconds time) {
        for (std::size_t slot = 0; slot < exchanges_.size(); ++slot) {
            Exchange& exchange = exchanges_[slot];
            const bool waiting = exchange.stage == Stage::listing || exchange.stage == Stage::selecting;
            if (!waiting || exchange.deadline > time) continue;
            if (settings_.retries() || settings_.mode == "first") {
                send(slot, time);
                continue;
            }
            ++(exchange.stage == Stage::listing ? statistics_.lists_lost : statistics_.selects_lost);
            finish(slot, time);
        }
    }

    /// As many as the rate asks for since the start, at most a hundred at a time so that answers are still
    /// read.
    void send_foreign(Nanoseconds time) {
        if (settings_.foreign_rate == 0) return;
        const auto wanted = static_cast<std::uint64_t>(static_cast<double>(time - started_) /
                                                       static_cast<double>(second) * settings_.foreign_rate);
        for (int i = 0; i < 100 && statistics_.foreign < wanted; ++i) {
            const auto n = static_cast<std::uint32_t>(statistics_.foreign++);
            port_.queue(foreign_request(n % 50'000, n), 0);
        }
    }

    const Settings settings_;
    MacPort port_;
    std::vector<Exchange> exchanges_;
    std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
    Statistics statistics_;
    std::mt19937 random_{7};
    std::uint64_t begun_ = 0;
    std::uint64_t finished_ = 0;
    Nanoseconds started_ = 0;
    Nanoseconds counted_from_ = 0;
    Nanoseconds ended_ = 0;
    Nanoseconds idle_ = 0;
    Nanoseconds first_answer_ = 0;
    double processor_before_ = 0;
    double processor_after_ = 0;
};

Settings read_settings(int argc, char** argv) {
    namespace options = boost::program_options;
    Settings settings;
    std::string address;
    options::options_description described("Simulated Macs; prints one JSON object");
    auto add = described.add_options();
    add("mode", options::value(&settings.mode)->required(), "list, select, burst, foreign or first");
    add("interface", options::value(&settings.interface)->required(), "where to broadcast");
    add("first-address", options::value(&address)->required(), "address of the first Mac; the others follow");
    add("macs", options::value(&settings.macs), "how many Macs take turns");
    add("first-mac", options::value(&settings.first_mac), "number of the first Mac, part of its MAC address");
    add("outstanding", options::value(&settings.outstanding), "requests under way at once");
    add("count", options::value(&settings.count), "end after so many exchanges");
    add("seconds", options::value(&settings.seconds), "end after this time in any case");
    add("warmup", options::value(&settings.warmup_seconds), "seconds at the start that do not count");
    add("timeout-ms", options::value(&settings.timeout_ms), "an answer later than this is lost");
    add("foreign-rate", options::value(&settings.foreign_rate), "foreign DHCP packets a second");
    add("pause-ms", options::value(&settings.pause_ms), "pause of a Mac after its SELECT");
    add("pid", options::value(&settings.pid), "measure the processor time of this process");
    options::variables_map values;
    options::store(options::parse_command_line(argc, argv, described), values);
    options::notify(values);
    in_addr first = {};
    if (inet_aton(address.c_str(), &first) == 0) throw options::error("--first-address: not an IPv4 address");
    settings.first_address = ntohl(first.s_addr);
    const auto is_mode = [&](const char* name) { return settings.mode == name; };
    if (!is_mode("list") && !is_mode("select") && !is_mode("burst") && !is_mode("foreign") &&
        !is_mode("first")) {
        throw options::error("--mode: list, select, burst, foreign or first");
    }
    const auto at_once = settings.retries() ? settings.macs : settings.outstanding;
    if (at_once == 0 || at_once > 65'535 || settings.macs == 0)
        throw options::error("1 to 65535 Macs at once");
    if (!(settings.seconds > 0 && settings.seconds <= 120)) throw options::error("--seconds: up to 120");
    return settings;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        Load load(read_settings(argc, argv));
        load.run();
        load.print();
        return 0;
    } catch (const boost::program_options::error& error) {
        std::cerr << "bench_bsdp_load: " << error.what() << '\n';
        return 2;
    } catch (const std::exception& error) {
        std::cerr << "bench_bsdp_load: " << error.what() << '\n';
        return 1;
    }
}
