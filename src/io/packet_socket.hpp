// What kernel headers of some build hosts do not know of packet sockets.
#pragma once

namespace pomona::io {

/// PACKET_IGNORE_OUTGOING, of Linux 4.20.
constexpr int packet_ignore_outgoing = 23;

}  // namespace pomona::io
