// From an HttpReply to what libmicrohttpd sends.
#pragma once

#include "servers/http_server.hpp"

#include <cstdint>

struct MHD_Response;

namespace pomona::servers {

/// How the file of an answer does on its way.
struct HttpFileState {
    bool failed = false;  ///< it could not be read
    /// While it is sent as it is: the library waits for ever for a file that has become shorter than `end`.
    int descriptor = -1;
    std::uint64_t end = 0;

    [[nodiscard]] bool has_shrunk() const;
};

/// The file itself by sendfile, everything else through memory. Null when memory is short. `state` must live
/// until the answer has ended.
MHD_Response* make_response(HttpReply reply, HttpFileState& state);

/// How many octets go before the body, give or take a few: the library writes some of them.
std::uint64_t approximate_head(const HttpReply& reply);

}  // namespace pomona::servers
