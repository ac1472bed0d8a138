// A program for tests that runs the HTTP server alone: roots and limits as arguments, one line per ended
// request on standard output.
#include "servers/http_files.hpp"
#include "servers/http_server.hpp"

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
        "usage: http_only [--port N] [--address A]... [--share NAME=FOLDER]... [--root FOLDER]\n"
        "                 [--max-connections N] [--max-per-client N] [--first-request MS] [--next-request "
        "MS]\n"
        "                 [--sign-of-life MS] [--progress MS] [--quiet]\n",
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

void print(const servers::HttpReport& r) {
    std::printf(
        "end=%s status=%u client=%s local=%s method=%s target=%s name=%s range=%s size=%llu bytes=%llu "
        "ms=%lld detail=%s\n",
        std::string(servers::http_end_name(r.end)).c_str(), r.status, r.client.text().c_str(),
        r.local.text().c_str(), r.method.c_str(), r.target.c_str(), r.name.c_str(), r.range.c_str(),
        static_cast<unsigned long long>(r.size), static_cast<unsigned long long>(r.bytes),
        static_cast<long long>(std::chrono::duration_cast<std::chrono::milliseconds>(r.duration).count()),
        r.detail.c_str());
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    servers::HttpServerOptions options;
    std::vector<servers::ContentRoot> shares;
    std::string root;
    options.on_end = print;
    for (int i = 1; i < argc; ++i) {
        const std::string_view flag = argv[i];
        const auto value = [&]() -> std::string_view { return ++i < argc ? argv[i] : (usage(), ""); };
        const auto milliseconds = [&] { return std::chrono::milliseconds(number<unsigned>(value())); };
        if (flag == "--port")
            options.port = number(value());
        else if (flag == "--address") {
            const auto address = base::Ipv4Address::parse(value());
            if (!address) usage();
            options.addresses.push_back(*address);
        } else if (flag == "--share") {
            const std::string_view pair = value();
            const std::size_t equals = pair.find('=');
            if (equals == std::string_view::npos) usage();
            shares.push_back({std::string(pair.substr(0, equals)), std::string(pair.substr(equals + 1))});
        } else if (flag == "--root")
            root = value();
        else if (flag == "--max-connections")
            options.max_connections = number<std::size_t>(value());
        else if (flag == "--max-per-client")
            options.max_connections_per_client = number<std::size_t>(value());
        else if (flag == "--first-request")
            options.first_request = milliseconds();
        else if (flag == "--next-request")
            options.next_request = milliseconds();
        else if (flag == "--sign-of-life")
            options.sign_of_life = milliseconds();
        else if (flag == "--progress")
            options.progress = milliseconds();
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
    auto server = servers::HttpServer::open(std::move(options),
                                            servers::first_of({servers::HttpFiles(std::move(content))}));
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
        "counters accepted=%llu requests=%llu completed=%llu refused=%llu failed=%llu running=%llu "
        "connections=%llu\n",
        static_cast<unsigned long long>(c.accepted), static_cast<unsigned long long>(c.requests),
        static_cast<unsigned long long>(c.completed), static_cast<unsigned long long>(c.refused),
        static_cast<unsigned long long>(c.failed), static_cast<unsigned long long>(c.running),
        static_cast<unsigned long long>(c.connections));
    return 0;
}
