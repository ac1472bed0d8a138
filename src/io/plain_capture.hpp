// PlainCapture: a packet socket without a ring, which hears and sends at once, while FramePort's ring is set
// up.
#pragma once

#include "io/descriptor.hpp"

#include <pomona/base/bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// One instruction of a kernel filter, from <linux/filter.h>.
struct sock_filter;

namespace pomona::io {

class PlainCapture {
  public:
    /// Frames that come in on an Ethernet interface and pass `filter`, cut at `snapshot_bytes`. Nothing where
    /// it cannot be had, without a reason: the ring will meet the same trouble and name it.
    static std::optional<PlainCapture> open(const std::string& interface, const sock_filter* filter,
                                            std::size_t filter_length, std::size_t snapshot_bytes);

    [[nodiscard]] int descriptor() const { return socket_.get(); }

    /// The next frame, valid until the next call, or nothing while none waits. Frames of VLANs on top of the
    /// interface are passed over, since this socket sees them without their tag.
    std::optional<base::Bytes> next();

    /// False when the kernel refused it.
    bool inject(base::Bytes frame);

    /// From now on no frame comes in; what waits can still be taken. From any thread.
    void stop();

  private:
    PlainCapture(Descriptor socket, std::size_t snapshot_bytes)
        : socket_(std::move(socket)), frame_(snapshot_bytes) {}

    Descriptor socket_;
    std::vector<std::uint8_t> frame_;
};

}  // namespace pomona::io
