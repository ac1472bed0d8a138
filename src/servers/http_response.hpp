// From an HttpReply to what libmicrohttpd sends.
#pragma once

#include "servers/http_server.hpp"

#include <cstdint>

struct MHD_Response;

namespace pomona::servers {

/// The file itself by sendfile, everything else through memory. Null when memory is short. `failed` becomes
/// true if the file cannot be read later; it must live until the answer has ended.
MHD_Response* make_response(HttpReply reply, bool& failed);

/// How many octets go before the body, give or take a few: the library writes some of them.
std::uint64_t approximate_head(const HttpReply& reply);

}  // namespace pomona::servers
