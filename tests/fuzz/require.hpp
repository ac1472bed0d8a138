// What a fuzz target promises about every input: a broken promise ends the program, which both libFuzzer and
// the replay take for a finding.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <source_location>

namespace pomona::fuzz {

inline void require(bool promise, const char* what,
                    const std::source_location& where = std::source_location::current()) {
    if (promise) return;
    std::fprintf(stderr, "%s:%u: not so: %s\n", where.file_name(), static_cast<unsigned>(where.line()), what);
    std::abort();
}

}  // namespace pomona::fuzz
