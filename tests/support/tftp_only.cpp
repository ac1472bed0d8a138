// A program for tests that runs the TFTP server alone: roots and options as arguments, one line per ended
// transfer on standard output.
#include "servers/tftp_server.hpp"

#include <pthread.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace pomona;

[[noreturn]] void usage() {
    std::fputs(
        "usage: tftp_only [--port N] [--address A]... [--share NAME=FOLDER]... [--root FOLDER] "
        "[--single-port]\n"
        "                 [--ports FIRST-LAST] [--max-blksize N] [--max-windowsize N] [--max-transfers N]\n"
        "                 [--max-per-client N] [--workers N] [--no-trains] [--give-up SECONDS] [--quiet]\n",
        stderr);
    std::exit(2);
}

template <typename T = std::uint16_t>
T number(std::string_view text) {
    T value{};
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc() || end != text.data() + text.size()) usage();
    return value;
}

std::pair<std::string, std::string> pair_of(std::string_view text, char separator) {
    const std::size_t at = text.find(separator);
    if (at == std::string_view::npos) usage();
    return {std::string(text.substr(0, at)), std::string(text.substr(at + 1))};
}

void print(const servers::TftpReport& r) {
    std::printf(
        "end=%s client=%s local=%s path=%s file=%s size=%llu bytes=%llu blksize=%u windowsize=%u "
        "retransmissions=%llu detail=%s\n",
        std::string(servers::tftp_end_name(r.end)).c_str(), r.client.text().c_str(), r.local.text().c_str(),
        r.path.c_str(), r.file.c_str(), static_cast<unsigned long long>(r.size),
        static_cast<unsigned long long>(r.bytes), r.blksize, r.windowsize,
        static_cast<unsigned long long>(r.retransmissions), r.detail.c_str());
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    servers::TftpServerOptions options;
    std::vector<servers::ContentRoot> shares;
    std::string root;
    options.on_end = print;
    for (int i = 1; i < argc; ++i) {
        const std::string_view flag = argv[i];
        const auto value = [&]() -> std::string_view { return ++i < argc ? argv[i] : (usage(), ""); };
        if (flag == "--port")
            options.port = number(value());
        else if (flag == "--address") {
            const auto address = base::Ipv4Address::parse(value());
            if (!address) usage();
            options.addresses.push_back(*address);
        } else if (flag == "--share") {
            auto [name, path] = pair_of(value(), '=');
            shares.push_back({std::move(name), std::move(path)});
        } else if (flag == "--root")
            root = value();
        else if (flag == "--single-port")
            options.single_port = true;
        else if (flag == "--ports") {
            const auto [first, last] = pair_of(value(), '-');
            options.first_port = number(first);
            options.last_port = number(last);
        } else if (flag == "--max-blksize")
            options.limits.max_blksize = number(value());
        else if (flag == "--max-windowsize")
            options.limits.max_windowsize = number(value());
        else if (flag == "--max-transfers")
            options.max_transfers = number<std::size_t>(value());
        else if (flag == "--max-per-client")
            options.max_transfers_per_client = number<std::size_t>(value());
        else if (flag == "--workers")
            options.workers = number<unsigned>(value());
        else if (flag == "--no-trains")
            options.trains = false;
        else if (flag == "--give-up")
            options.timing.give_up = std::chrono::seconds(number<unsigned>(value()));
        else if (flag == "--quiet")
            options.on_end = nullptr;
        else
            usage();
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);

    auto content = std::make_shared<servers::Content>(std::move(shares), root);
    auto server = servers::TftpServer::open(std::move(options), std::move(content));
    if (!server) {
        std::fprintf(stderr, "%s\n", server.error().text().c_str());
        return 1;
    }
    std::printf("ready port=%u\n", (*server)->port());
    std::fflush(stdout);
    std::jthread serving([&](const std::stop_token& stop) { (*server)->run(stop); });
    int signal = 0;
    sigwait(&signals, &signal);
    serving.request_stop();
    serving.join();
    const auto c = (*server)->counters();
    std::printf(
        "counters requests=%llu completed=%llu refused=%llu failed=%llu running=%llu ignored=%llu "
        "trains_refused=%llu retransmissions=%llu\n",
        static_cast<unsigned long long>(c.requests), static_cast<unsigned long long>(c.completed),
        static_cast<unsigned long long>(c.refused), static_cast<unsigned long long>(c.failed),
        static_cast<unsigned long long>(c.running), static_cast<unsigned long long>(c.ignored),
        static_cast<unsigned long long>(c.trains_refused),
        static_cast<unsigned long long>(c.retransmissions));
    return 0;
}
