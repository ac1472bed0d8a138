// What the load generators share: a clock, the processor time of another process, and latencies as JSON.
#pragma once

#include <cstdint>
#include <vector>

namespace pomona::bench {

using Nanoseconds = std::int64_t;
inline constexpr Nanoseconds millisecond = 1'000'000;
inline constexpr Nanoseconds second = 1'000 * millisecond;

/// Of a clock that only runs forward.
Nanoseconds now();

/// What the process has used so far; 0 if there is none of that id.
double processor_seconds(int pid);

/// Prints `"NAME_median_us": ..., "NAME_p99_us": ..., "NAME_max_us": ..., ` of the latencies, which it sorts.
void print_latencies(const char* name, std::vector<Nanoseconds>& latencies);

}  // namespace pomona::bench
