// FramePort: link-layer frames of one interface in and out through libpcap, beside whatever else listens
// there. Knows no protocol. Used by one thread.
#pragma once

#include <pomona/base/bytes.hpp>
#include <pomona/base/error.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>

namespace pomona::io {

class FramePort {
  public:
    struct Options {
        /// libpcap filter expression, compiled into the kernel.
        std::string filter;
        /// Capture ring, in bytes; all of it counts as resident memory from the start. A frame takes a slot
        /// of snapshot_bytes + 70, and as many slots as fit whole go into a page of 4096: four up to a
        /// snapshot of 954, two up to 1978. So the defaults hold 5120 frames, 5,000 requests in one instant.
        int ring_bytes = 5 << 20;
        /// Longest frame kept whole; a longer one is cut. Requests of Macs and PCs stay below 600 octets.
        int snapshot_bytes = 950;
        /// Also frames for other hosts' link addresses (a probe with a MAC of its own needs it).
        bool promiscuous = false;
        /// Also what this host sends, of whatever program.
        bool outgoing = false;
        /// Frames are heard and sent at once, over a plain socket, while the ring is still being set up,
        /// which takes the kernel 8 to 16 ms; not together with the two above. Then trouble with the ring is
        /// drain()'s to tell, and frames with a VLAN tag are heard once the ring is there.
        bool at_once = false;
    };
    struct Statistics {
        std::uint64_t received = 0;
        std::uint64_t dropped = 0;
    };
    /// Takes one frame; the octets are valid during the call only.
    template <typename Function>
    static void call(void* function, base::Bytes frame) {
        (*static_cast<Function*>(function))(frame);
    }

    /// Unless asked otherwise only frames coming in are seen (pcap_setdirection), also those of VLANs on top
    /// of the interface: with their tag, while the filter looks behind it. The error names interface, reason
    /// and remedy.
    static base::Result<FramePort> open(const std::string& interface, const Options& options);

    FramePort(const FramePort&) = delete;
    FramePort& operator=(const FramePort&) = delete;
    FramePort(FramePort&&) noexcept;
    FramePort& operator=(FramePort&&) noexcept;
    ~FramePort();

    /// Readable when frames wait; for poll or Asio. Owned by the port.
    [[nodiscard]] int descriptor() const;

    /// Hands every waiting frame, at most `limit`, to `function(base::Bytes)`. Returns how many; an error,
    /// for good, when the interface went away. One that is only down yields nothing until it is up again.
    /// What `function` throws comes through; its frame counts as taken.
    template <typename Function>
    base::Result<int> drain(int limit, Function&& function) {
        using Plain = std::remove_reference_t<Function>;
        return drain_with(limit, &call<Plain>, const_cast<std::remove_const_t<Plain>*>(&function));
    }

    /// Sends one frame as it is. False when the kernel refused it (the interface is down, the queue is full).
    bool inject(base::Bytes frame);

    [[nodiscard]] Statistics statistics() const;

  private:
    struct Handle;
    explicit FramePort(std::unique_ptr<Handle> handle);
    base::Result<int> drain_with(int limit, void (*take)(void*, base::Bytes), void* context);

    std::unique_ptr<Handle> handle_;
};

}  // namespace pomona::io
