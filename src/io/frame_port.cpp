// FramePort over libpcap on Linux: a memory-mapped packet socket in immediate mode.
#include "io/frame_port.hpp"

#include <linux/if_packet.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <utility>

namespace pomona::io {

namespace {

// Newer than the kernel headers of some build hosts.
constexpr int packet_ignore_outgoing = 23;

// A full queue empties within a fraction of a millisecond; longer than this the caller must not be kept.
constexpr int inject_attempts = 3;
constexpr int inject_wait_milliseconds = 1;

base::Error opening_failed(const std::string& interface, int status, pcap_t* handle) {
    const std::string where = "interface " + interface;
    switch (status) {
        case PCAP_ERROR_NO_SUCH_DEVICE:
            return {"There is no such interface", where, "see `ip link` for the names"};
        case PCAP_ERROR_PERM_DENIED:
            return {"Not allowed to open a capture port", where,
                    "start as root or give the program CAP_NET_RAW"};
        case PCAP_ERROR_PROMISC_PERM_DENIED:
            return {"Not allowed to make the interface promiscuous", where,
                    "start as root or give the program CAP_NET_RAW and CAP_NET_ADMIN"};
        case PCAP_ERROR_IFACE_NOT_UP:
            return {"The interface is down", where, "bring it up: `ip link set dev " + interface + " up`"};
        default:
            break;
    }
    const char* detail = pcap_geterr(handle);
    if (detail == nullptr || *detail == '\0') detail = pcap_statustostr(status);
    return {std::string("Cannot open a capture port: ") + detail, where, {}};
}

}  // namespace

struct FramePort::Handle {
    explicit Handle(std::string name) : interface(std::move(name)) {}
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() {
        if (pcap != nullptr) pcap_close(pcap);
    }

    std::string interface;
    pcap_t* pcap = nullptr;
    int descriptor = -1;
    // libpcap counts in 32 bits and wraps; these two remember what it said last.
    Statistics total;
    pcap_stat last{};
};

namespace {

// One pcap_dispatch call. An exception must not travel through C frames: it would leave the ring's slot
// taken.
struct Dispatch {
    pcap_t* pcap;
    void (*take)(void*, base::Bytes);
    void* context;
    int taken = 0;
    std::exception_ptr failure;

    static void one(u_char* self_octets, const pcap_pkthdr* header, const u_char* octets) {
        auto& self = *reinterpret_cast<Dispatch*>(self_octets);
        if (self.failure) return;
        ++self.taken;
        try {
            self.take(self.context, base::Bytes(octets, header->caplen));
        } catch (...) {
            self.failure = std::current_exception();
            pcap_breakloop(self.pcap);
        }
    }
};

}  // namespace

FramePort::FramePort(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}
FramePort::FramePort(FramePort&&) noexcept = default;
FramePort& FramePort::operator=(FramePort&&) noexcept = default;
FramePort::~FramePort() = default;

base::Result<FramePort> FramePort::open(const std::string& interface, const Options& options) {
    auto handle = std::make_unique<Handle>(interface);
    char message[PCAP_ERRBUF_SIZE] = "";
    handle->pcap = pcap_create(interface.c_str(), message);
    if (handle->pcap == nullptr) {
        return base::fail(std::string("Cannot open a capture port: ") + message, "interface " + interface);
    }
    pcap_t* const pcap = handle->pcap;
    // These fail on an activated handle only.
    pcap_set_snaplen(pcap, options.snapshot_bytes);
    pcap_set_buffer_size(pcap, options.ring_bytes);
    pcap_set_promisc(pcap, options.promiscuous ? 1 : 0);
    pcap_set_immediate_mode(pcap, 1);
    if (const int status = pcap_activate(pcap); status < 0) {
        return std::unexpected(opening_failed(interface, status, pcap));
    }
    // Loopback calls itself Ethernet too and is served in tests. "any" and tunnels do not.
    if (const int type = pcap_datalink(pcap); type != DLT_EN10MB) {
        const char* name = pcap_datalink_val_to_name(type);
        return base::fail("Not an Ethernet interface (link type " +
                              (name != nullptr ? std::string(name) : std::to_string(type)) + ")",
                          "interface " + interface, "choose an Ethernet, VLAN, bridge or bond interface");
    }
    if (pcap_setdirection(pcap, options.outgoing ? PCAP_D_INOUT : PCAP_D_IN) != 0 ||
        pcap_setnonblock(pcap, 1, message) != 0) {
        return std::unexpected(opening_failed(interface, PCAP_ERROR, pcap));
    }
    handle->descriptor = pcap_get_selectable_fd(pcap);
    // libpcap skips outgoing frames only after they took a slot of the ring; kernels since 4.20 do better.
    const int ignore = options.outgoing ? 0 : 1;
    (void)setsockopt(handle->descriptor, SOL_PACKET, packet_ignore_outgoing, &ignore, sizeof ignore);

    bpf_program program{};
    if (pcap_compile(pcap, &program, options.filter.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0) {
        return base::fail(std::string("Wrong capture filter: ") + pcap_geterr(pcap),
                          "filter '" + options.filter + "'", "see pcap-filter(7)");
    }
    const int filtered = pcap_setfilter(pcap, &program);
    pcap_freecode(&program);
    if (filtered != 0) return std::unexpected(opening_failed(interface, PCAP_ERROR, pcap));
    return FramePort(std::move(handle));
}

int FramePort::descriptor() const {
    return handle_->descriptor;
}

base::Result<int> FramePort::drain_with(int limit, void (*take)(void*, base::Bytes), void* context) {
    if (limit <= 0) return 0;  // libpcap would take it for "no limit"
    Dispatch dispatch{.pcap = handle_->pcap, .take = take, .context = context, .failure = nullptr};
    const int status =
        pcap_dispatch(handle_->pcap, limit, &Dispatch::one, reinterpret_cast<u_char*>(&dispatch));
    if (dispatch.failure) std::rethrow_exception(dispatch.failure);
    if (status >= 0 || status == PCAP_ERROR_BREAK) return dispatch.taken;
    return base::fail(pcap_geterr(handle_->pcap), "interface " + handle_->interface);
}

bool FramePort::inject(base::Bytes frame) {
    for (int attempt = 0; attempt < inject_attempts; ++attempt) {
        if (pcap_inject(handle_->pcap, frame.data(), frame.size()) >= 0) return true;
        if (errno == EINTR) continue;
        if (errno != EAGAIN && errno != ENOBUFS) return false;
        // ENOBUFS comes from the device's queue, which poll knows nothing of: then this is a short sleep.
        pollfd waiting{.fd = handle_->descriptor, .events = short{0}, .revents = 0};
        if (errno == EAGAIN) waiting.events = POLLOUT;
        (void)poll(&waiting, 1, inject_wait_milliseconds);
    }
    return false;
}

FramePort::Statistics FramePort::statistics() const {
    pcap_stat now{};
    if (pcap_stats(handle_->pcap, &now) == 0) {
        handle_->total.received += now.ps_recv - handle_->last.ps_recv;
        handle_->total.dropped += now.ps_drop - handle_->last.ps_drop;
        handle_->last = now;
    }
    return handle_->total;
}

}  // namespace pomona::io
