// The load generator for BOOTP: loaders without an address on thousands of simulated Macs, as many as can be
// at once, or one after the other as GRUB asks; before that, if wanted, their Macs choose an image. Prints
// one JSON object. Every run is bounded in time and in count. It never sleeps, so that its own wake-ups are
// no part of what it measures: give it a processor of its own.
#include "figures.hpp"
#include "mac_packets.hpp"
#include "mac_port.hpp"

#include <arpa/inet.h>
#include <boost/program_options.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <iostream>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

using namespace pomona::bench;

/// Later than this, an answer to a Mac that chooses or to one of many loaders counts as lost.
constexpr Nanoseconds lost_after = second;

struct Settings {
    std::string mode;
    std::string interface;
    std::uint32_t first_address = 0;
    std::uint32_t macs = 2'000;
    std::uint32_t first_mac = 0;
    std::uint32_t outstanding = 64;
    double seconds = 3;
    double warmup_seconds = 0;
    LoaderForm form = LoaderForm::with_cookie;
    double patience = 20;
    int pid = 0;
};

struct Figures {
    std::uint64_t asked = 0;
    std::uint64_t answers = 0;
    std::uint64_t lost = 0;
    std::uint64_t wrong = 0;
    std::uint64_t late = 0;
    std::uint64_t packets = 0;
    double seconds = 0;
    double processor_seconds = 0;
    double idle = 0;
    std::vector<Nanoseconds> latencies;
};

/// Two Macs never have one address, and no Mac gets another address than before.
class Given {
  public:
    bool is_right(std::uint32_t mac, std::uint32_t address) {
        return address != 0 && address_of_.try_emplace(mac, address).first->second == address &&
               mac_of_.try_emplace(address, mac).first->second == mac;
    }

  private:
    std::unordered_map<std::uint32_t, std::uint32_t> address_of_;
    std::unordered_map<std::uint32_t, std::uint32_t> mac_of_;
};

Nanoseconds nanoseconds(double seconds) {
    return static_cast<Nanoseconds>(seconds * static_cast<double>(second));
}

Mac mac_at(const Settings& settings, std::uint64_t turn) {
    const auto place = static_cast<std::uint32_t>(turn % settings.macs);
    return {settings.first_mac + place, settings.first_address + place};
}

/// As many loaders at once as are wanted; each answered one makes room for the next.
class Crowd {
  public:
    Crowd(const Settings& settings, MacPort& port)
        : settings_(settings), port_(port), slots_(settings.outstanding) {
        figures_.latencies.reserve(1U << 20U);
    }

    Figures run() {
        const auto started = now();
        const auto ends = started + nanoseconds(settings_.seconds);
        auto counted_from = started;
        const auto warm = started + nanoseconds(settings_.warmup_seconds);
        bool warming = warm > started;
        double processor_before = processor_seconds(settings_.pid);
        Nanoseconds idle = 0;
        for (std::size_t slot = 0; slot < slots_.size(); ++slot) begin(slot, started);
        Nanoseconds next_check = started + millisecond;
        for (Nanoseconds time = started; time < ends; time = now()) {
            if (warming && time >= warm) {
                warming = false;
                forget_warmup();
                counted_from = time;
                idle = 0;
                processor_before = processor_seconds(settings_.pid);
            }
            port_.flush();
            const int received = port_.receive([this](auto payload) { take(payload); });
            const auto after = now();
            if (received == 0) idle += after - time;
            if (after >= next_check) {
                check_deadlines(after);
                next_check = after + millisecond;
            }
        }
        const auto ended = now();
        figures_.seconds = static_cast<double>(ended - counted_from) / static_cast<double>(second);
        figures_.processor_seconds = processor_seconds(settings_.pid) - processor_before;
        figures_.idle = static_cast<double>(idle) / static_cast<double>(ended - counted_from);
        return std::move(figures_);
    }

  private:
    /// The upper half of a request's xid counts the requests, the lower half is its place here.
    struct Slot {
        Mac mac;
        std::uint16_t turn = 0;
        Nanoseconds begun = 0;
    };

    void forget_warmup() {
        figures_.asked = figures_.answers = figures_.packets = 0;
        figures_.latencies.clear();
    }

    void begin(std::size_t index, Nanoseconds time) {
        Slot& slot = slots_[index];
        slot.mac = mac_at(settings_, begun_++);
        slot.begun = time;
        ++slot.turn;
        ++figures_.asked;
        ++figures_.packets;
        const auto xid = (std::uint32_t{slot.turn} << 16U) | static_cast<std::uint32_t>(index);
        port_.queue(loader_request(slot.mac, xid, settings_.form), 0);
    }

    void take(std::span<const std::uint8_t> payload) {
        const auto time = now();
        const auto answer = parse_loader_answer(payload);
        if (!answer || answer->type != DhcpType::none) {
            ++figures_.wrong;
            return;
        }
        const std::size_t index = answer->xid & 0xffffU;
        const Slot& slot = slots_[std::min(index, slots_.size() - 1)];
        // Of an earlier run, or given up.
        if (index >= slots_.size() || slot.turn != answer->xid >> 16U) {
            ++figures_.late;
            return;
        }
        if (answer->mac_number != slot.mac.number || !given_.is_right(slot.mac.number, answer->address)) {
            ++figures_.wrong;
            return;
        }
        ++figures_.answers;
        figures_.latencies.push_back(time - slot.begun);
        begin(index, time);
    }

    void check_deadlines(Nanoseconds time) {
        for (std::size_t index = 0; index < slots_.size(); ++index) {
            if (time - slots_[index].begun < lost_after) continue;
            ++figures_.lost;
            begin(index, time);
        }
    }

    const Settings& settings_;
    MacPort& port_;
    std::vector<Slot> slots_;
    Given given_;
    Figures figures_;
    std::uint64_t begun_ = 0;
};

/// When GRUB repeats its request, and when it gives up.
struct Schedule {
    std::array<Nanoseconds, 7> at;
    std::size_t packets;
    Nanoseconds gives_up;
};
constexpr Schedule grub_2_02_schedule = {
    {0, 200 * millisecond, 600 * millisecond, 1'400 * millisecond, 3'000 * millisecond, 6'200 * millisecond},
    6,
    12'600 * millisecond};
constexpr Schedule grub_2_06_schedule = {
    {0, 400 * millisecond, 1'200 * millisecond, 2'900 * millisecond, 6'100 * millisecond},
    5,
    12'400 * millisecond};

/// One loader after the other, each with GRUB's patience, until one is left without an answer.
class Queue {
  public:
    Queue(const Settings& settings, MacPort& port) : settings_(settings), port_(port) {}

    Figures run() {
        const auto begun = now();
        for (std::uint64_t turn = 0; turn < settings_.macs && figures_.lost == 0; ++turn) serve(turn);
        figures_.seconds = static_cast<double>(now() - begun) / static_cast<double>(second);
        return std::move(figures_);
    }

  private:
    void serve(std::uint64_t turn) {
        const Schedule& schedule =
            settings_.form == LoaderForm::grub_2_06 ? grub_2_06_schedule : grub_2_02_schedule;
        mac_ = mac_at(settings_, turn);
        // GRUB's xid is the time of day, so the next one has it a second later.
        xid_ = 0x65'00'00'00U + static_cast<std::uint32_t>(turn);
        address_ = 0;
        requested_ = false;
        ++figures_.asked;
        const auto begun = now();
        const auto gives_up = begun + std::min(schedule.gives_up, nanoseconds(settings_.patience));
        std::size_t sent = 0;
        for (Nanoseconds time = begun; address_ == 0; time = now()) {
            if (time >= gives_up) {
                ++figures_.lost;
                return;
            }
            if (!requested_ && sent < schedule.packets && time >= begun + schedule.at[sent]) {
                ++sent;
                ++figures_.packets;
                port_.queue(loader_request(mac_, xid_, settings_.form), 0);
            }
            port_.flush();
            port_.receive([this](auto payload) { take(payload); });
        }
        ++figures_.answers;
        figures_.latencies.push_back(now() - begun);
    }

    void take(std::span<const std::uint8_t> payload) {
        const auto answer = parse_loader_answer(payload);
        if (!answer || answer->mac_number != mac_.number || answer->xid != xid_) {
            ++figures_.late;
            return;
        }
        if (answer->type == DhcpType::offer) {
            if (requested_) return;
            requested_ = true;
            ++figures_.packets;
            port_.queue(loader_dhcp_request(mac_, xid_, answer->server, answer->address), 0);
        } else if (answer->type == DhcpType::none || answer->type == DhcpType::ack) {
            if (given_.is_right(mac_.number, answer->address)) {
                address_ = answer->address;
            } else {
                ++figures_.wrong;
            }
        }
    }

    const Settings& settings_;
    MacPort& port_;
    Figures figures_;
    Given given_;
    Mac mac_;
    std::uint32_t xid_ = 0;
    std::uint32_t address_ = 0;
    bool requested_ = false;
};

/// What each Mac's firmware does before its loader starts: LIST, then SELECT of the default.
class Choosers {
  public:
    Choosers(const Settings& settings, MacPort& port) : settings_(settings), port_(port) {}

    Figures run() {
        const auto begun = now();
        for (std::uint64_t turn = 0; turn < settings_.macs; ++turn) {
            const Mac mac = mac_at(settings_, turn);
            const auto xid = static_cast<std::uint32_t>(turn);
            ++figures_.asked;
            const auto list = ask(list_request(mac, 2 * xid), mac, Message::list);
            const auto select =
                list ? ask(select_request(mac, 2 * xid + 1, list->server, list->image), mac, Message::select)
                     : std::nullopt;
            ++(select ? figures_.answers : figures_.lost);
        }
        figures_.seconds = static_cast<double>(now() - begun) / static_cast<double>(second);
        return std::move(figures_);
    }

  private:
    std::optional<Answer> ask(const Packet& packet, const Mac& mac, Message wanted) {
        ++figures_.packets;
        port_.queue(packet, mac.address);
        port_.flush();
        std::optional<Answer> found;
        const auto ends = now() + lost_after;
        while (!found && now() < ends) {
            port_.receive([&](auto payload) {
                const auto answer = parse_answer(payload);
                if (answer && answer->message == wanted) found = answer;
            });
        }
        return found;
    }

    const Settings& settings_;
    MacPort& port_;
    Figures figures_;
};

unsigned long long number(std::uint64_t value) {
    return value;
}

void print(const Settings& settings, Figures figures) {
    std::printf(
        R"({"mode": "%s", "macs": %u, "seconds": %.4f, "asked": %llu, "answers": %llu, "answers_per_s": %.1f, )"
        R"("lost": %llu, "wrong": %llu, "late": %llu, "packets": %llu, )",
        settings.mode.c_str(), settings.macs, figures.seconds, number(figures.asked), number(figures.answers),
        static_cast<double>(figures.answers) / figures.seconds, number(figures.lost), number(figures.wrong),
        number(figures.late), number(figures.packets));
    print_latencies("answer", figures.latencies);
    std::printf(R"("server_cpu_seconds": %.6f, "generator_idle": %.3f})"
                "\n",
                figures.processor_seconds, figures.idle);
}

LoaderForm form_from(const std::string& name) {
    if (name == "cookie") return LoaderForm::with_cookie;
    if (name == "grub-2.02") return LoaderForm::grub_2_02;
    if (name == "grub-2.06") return LoaderForm::grub_2_06;
    throw boost::program_options::error("--form: cookie, grub-2.02 or grub-2.06");
}

Settings read_settings(int argc, char** argv) {
    namespace options = boost::program_options;
    Settings settings;
    std::string address;
    std::string form = "cookie";
    options::options_description described("Simulated loaders; prints one JSON object");
    auto add = described.add_options();
    add("mode", options::value(&settings.mode)->required(), "choose, crowd or queue");
    add("interface", options::value(&settings.interface)->required(), "where to broadcast");
    add("first-address", options::value(&address)->required(), "address of the first Mac; the others follow");
    add("macs", options::value(&settings.macs), "how many Macs take turns");
    add("first-mac", options::value(&settings.first_mac), "number of the first Mac, part of its MAC address");
    add("outstanding", options::value(&settings.outstanding), "requests under way at once");
    add("seconds", options::value(&settings.seconds), "how long the crowd asks");
    add("warmup", options::value(&settings.warmup_seconds), "seconds at the start that do not count");
    add("form", options::value(&form), "cookie, grub-2.02 or grub-2.06");
    add("patience", options::value(&settings.patience), "one of a queue gives up after this many seconds");
    add("pid", options::value(&settings.pid), "measure the processor time of this process");
    options::variables_map values;
    options::store(options::parse_command_line(argc, argv, described), values);
    options::notify(values);
    in_addr first = {};
    if (inet_aton(address.c_str(), &first) == 0) throw options::error("--first-address: not an IPv4 address");
    settings.first_address = ntohl(first.s_addr);
    settings.form = form_from(form);
    if (settings.mode != "choose" && settings.mode != "crowd" && settings.mode != "queue") {
        throw options::error("--mode: choose, crowd or queue");
    }
    if (settings.macs == 0 || settings.macs > 65'535) throw options::error("--macs: 1 to 65535");
    if (settings.mode == "crowd" && (settings.outstanding == 0 || settings.outstanding > settings.macs)) {
        throw options::error("--outstanding: up to as many as there are Macs");
    }
    if (!(settings.seconds > 0 && settings.seconds <= 120)) throw options::error("--seconds: up to 120");
    return settings;
}

Figures run(const Settings& settings) {
    MacPort port(settings.interface, MacPort::Ear::link);
    if (settings.mode == "choose") return Choosers(settings, port).run();
    if (settings.mode == "queue") return Queue(settings, port).run();
    return Crowd(settings, port).run();
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const Settings settings = read_settings(argc, argv);
        print(settings, run(settings));
        return 0;
    } catch (const boost::program_options::error& error) {
        std::cerr << "bench_bootp_load: " << error.what() << '\n';
        return 2;
    } catch (const std::exception& error) {
        std::cerr << "bench_bootp_load: " << error.what() << '\n';
        return 1;
    }
}
