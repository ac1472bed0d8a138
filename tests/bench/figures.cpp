// What the load generators share; see figures.hpp.
#include "figures.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace pomona::bench {

Nanoseconds now() {
    return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double processor_seconds(int pid) {
    clockid_t clock = 0;
    timespec value = {};
    if (pid == 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &value) != 0) return 0;
    return static_cast<double>(value.tv_sec) + static_cast<double>(value.tv_nsec) / 1e9;
}

void print_latencies(const char* name, std::vector<Nanoseconds>& latencies) {
    std::sort(latencies.begin(), latencies.end());
    const auto at = [&](double part) {
        if (latencies.empty()) return 0.0;
        const auto index =
            static_cast<std::size_t>(std::ceil(part * static_cast<double>(latencies.size()))) - 1;
        return static_cast<double>(latencies[std::min(index, latencies.size() - 1)]) / 1000.0;
    };
    std::printf(R"("%s_median_us": %.2f, "%s_p99_us": %.2f, "%s_max_us": %.2f, )", name, at(0.5), name,
                at(0.99), name, at(1.0));
}

}  // namespace pomona::bench
