// FramePort over libpcap on Linux: a memory-mapped packet socket in immediate mode, and before it is there,
// if asked for, a plain one.
#include "io/frame_port.hpp"

#include "io/packet_socket.hpp"
#include "io/plain_capture.hpp"

#include <linux/if_packet.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <exception>
#include <optional>
#include <thread>
#include <utility>

namespace pomona::io {

namespace {

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

/// Everything up to the first frame in the ring: the kernel takes its time over this.
std::optional<base::Error> activate(pcap_t* pcap, const std::string& interface,
                                    const FramePort::Options& options) {
    char message[PCAP_ERRBUF_SIZE] = "";
    if (const int status = pcap_activate(pcap); status < 0) return opening_failed(interface, status, pcap);
    // Loopback calls itself Ethernet too and is served in tests. "any" and tunnels do not.
    if (const int type = pcap_datalink(pcap); type != DLT_EN10MB) {
        const char* name = pcap_datalink_val_to_name(type);
        return base::Error{"Not an Ethernet interface (link type " +
                               (name != nullptr ? std::string(name) : std::to_string(type)) + ")",
                           "interface " + interface, "choose an Ethernet, VLAN, bridge or bond interface"};
    }
    if (pcap_setdirection(pcap, options.outgoing ? PCAP_D_INOUT : PCAP_D_IN) != 0 ||
        pcap_setnonblock(pcap, 1, message) != 0) {
        return opening_failed(interface, PCAP_ERROR, pcap);
    }
    // libpcap skips outgoing frames only after they took a slot of the ring; kernels since 4.20 do better.
    const int ignore = options.outgoing ? 0 : 1;
    (void)setsockopt(pcap_get_selectable_fd(pcap), SOL_PACKET, packet_ignore_outgoing, &ignore,
                     sizeof ignore);

    bpf_program program{};
    if (pcap_compile(pcap, &program, options.filter.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0) {
        return base::Error{std::string("Wrong capture filter: ") + pcap_geterr(pcap),
                           "filter '" + options.filter + "'", "see pcap-filter(7)"};
    }
    const int filtered = pcap_setfilter(pcap, &program);
    pcap_freecode(&program);
    if (filtered != 0) return opening_failed(interface, PCAP_ERROR, pcap);
    return std::nullopt;
}

std::optional<PlainCapture> open_plain(const std::string& interface, const FramePort::Options& options) {
    pcap_t* const compiler = pcap_open_dead(DLT_EN10MB, options.snapshot_bytes);
    if (compiler == nullptr) return std::nullopt;
    std::optional<PlainCapture> plain;
    bpf_program program{};
    if (pcap_compile(compiler, &program, options.filter.c_str(), 1, PCAP_NETMASK_UNKNOWN) == 0) {
        // libpcap's instructions are the kernel's, by another name.
        plain = PlainCapture::open(interface, reinterpret_cast<const sock_filter*>(program.bf_insns),
                                   program.bf_len, static_cast<std::size_t>(options.snapshot_bytes));
        pcap_freecode(&program);
    }
    pcap_close(compiler);
    return plain;
}

/// Adds to what an epoll descriptor waits for.
bool add(int epoll, int descriptor) {
    epoll_event event{};
    event.events = EPOLLIN;
    return ::epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

/// Hears on a plain socket while a thread activates the ring. A frame that comes in the microseconds between
/// the ring's first frame and the plain socket's last is heard twice, none is missed.
class Bridge {
  public:
    /// Nothing where a plain socket is not to be had.
    static std::unique_ptr<Bridge> over(const std::string& interface, const FramePort::Options& options) {
        auto plain = open_plain(interface, options);
        if (!plain) return nullptr;
        auto bridge = std::make_unique<Bridge>(*std::move(plain));
        if (!bridge->either_ || !bridge->activated_) return nullptr;
        if (!add(bridge->either_.get(), bridge->plain_->descriptor()) ||
            !add(bridge->either_.get(), bridge->activated_.get())) {
            return nullptr;
        }
        return bridge;
    }

    explicit Bridge(PlainCapture plain)
        : plain_(std::move(plain)),
          either_(::epoll_create1(EPOLL_CLOEXEC)),
          activated_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
    Bridge(const Bridge&) = delete;
    Bridge& operator=(const Bridge&) = delete;
    Bridge(Bridge&&) = delete;
    Bridge& operator=(Bridge&&) = delete;
    ~Bridge() { cross(); }

    void build(pcap_t* pcap, const std::string& interface, const FramePort::Options& options) {
        builder_ = std::jthread([this, pcap, interface, options] {
            error_ = activate(pcap, interface, options);
            if (!error_) add(either_.get(), pcap_get_selectable_fd(pcap));
            plain_->stop();
            ready_.store(true, std::memory_order_release);
            const std::uint64_t one = 1;
            (void)!::write(activated_.get(), &one, sizeof one);
            crossed_.wait(false);
            // The kernel takes its time over this as well.
            plain_.reset();
        });
    }

    /// Readable when frames wait in either.
    [[nodiscard]] int descriptor() const { return either_.get(); }
    /// Whether the plain socket still counts.
    [[nodiscard]] bool open() const { return !crossed_.load(std::memory_order_relaxed); }
    /// Whether the ring can be looked at, unless error() says why not.
    [[nodiscard]] bool ready() const { return ready_.load(std::memory_order_acquire); }
    [[nodiscard]] const std::optional<base::Error>& error() const { return error_; }
    PlainCapture& plain() { return *plain_; }
    /// The plain socket is empty and done with.
    void cross() {
        if (!open()) return;
        (void)::epoll_ctl(either_.get(), EPOLL_CTL_DEL, plain_->descriptor(), nullptr);
        (void)::epoll_ctl(either_.get(), EPOLL_CTL_DEL, activated_.get(), nullptr);
        crossed_.store(true);
        crossed_.notify_one();
    }

  private:
    std::optional<PlainCapture> plain_;
    Descriptor either_;
    Descriptor activated_;
    std::optional<base::Error> error_;
    std::atomic<bool> ready_ = false;
    std::atomic<bool> crossed_ = false;
    std::jthread builder_;
};

}  // namespace

struct FramePort::Handle {
    explicit Handle(std::string name) : interface(std::move(name)) {}
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() {
        // Its thread may be at work on the ring.
        bridge.reset();
        if (pcap != nullptr) pcap_close(pcap);
    }

    [[nodiscard]] bool on_bridge() const { return bridge && bridge->open(); }

    std::string interface;
    pcap_t* pcap = nullptr;
    std::unique_ptr<Bridge> bridge;
    int descriptor = -1;
    std::uint64_t bridged = 0;  ///< frames taken from the plain socket
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
    if (options.at_once && !options.promiscuous && !options.outgoing) {
        handle->bridge = Bridge::over(interface, options);
    }
    if (handle->bridge) {
        handle->descriptor = handle->bridge->descriptor();
        handle->bridge->build(pcap, interface, options);
        return FramePort(std::move(handle));
    }
    if (auto error = activate(pcap, interface, options)) return std::unexpected(*std::move(error));
    handle->descriptor = pcap_get_selectable_fd(pcap);
    return FramePort(std::move(handle));
}

int FramePort::descriptor() const {
    return handle_->descriptor;
}

base::Result<int> FramePort::drain_with(int limit, void (*take)(void*, base::Bytes), void* context) {
    if (limit <= 0) return 0;  // libpcap would take it for "no limit"
    int bridged = 0;
    if (handle_->on_bridge()) {
        // Asked first: then the plain socket is empty for good when it has nothing more.
        const bool ready = handle_->bridge->ready();
        while (bridged < limit) {
            const auto frame = handle_->bridge->plain().next();
            if (!frame) break;
            ++bridged;
            ++handle_->bridged;
            take(context, *frame);
        }
        if (!ready || bridged == limit) return bridged;
        if (handle_->bridge->error()) return std::unexpected(*handle_->bridge->error());
        handle_->bridge->cross();
        limit -= bridged;
    }
    Dispatch dispatch{.pcap = handle_->pcap, .take = take, .context = context, .failure = nullptr};
    const int status =
        pcap_dispatch(handle_->pcap, limit, &Dispatch::one, reinterpret_cast<u_char*>(&dispatch));
    if (dispatch.failure) std::rethrow_exception(dispatch.failure);
    if (status >= 0 || status == PCAP_ERROR_BREAK) return bridged + dispatch.taken;
    return base::fail(pcap_geterr(handle_->pcap), "interface " + handle_->interface);
}

bool FramePort::inject(base::Bytes frame) {
    const auto send = [&] {
        if (handle_->on_bridge()) return handle_->bridge->plain().inject(frame);
        return pcap_inject(handle_->pcap, frame.data(), frame.size()) >= 0;
    };
    for (int attempt = 0; attempt < inject_attempts; ++attempt) {
        if (send()) return true;
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
    if (handle_->on_bridge()) return {.received = handle_->bridged, .dropped = 0};
    pcap_stat now{};
    if (pcap_stats(handle_->pcap, &now) == 0) {
        handle_->total.received += now.ps_recv - handle_->last.ps_recv;
        handle_->total.dropped += now.ps_drop - handle_->last.ps_drop;
        handle_->last = now;
    }
    return {.received = handle_->total.received + handle_->bridged, .dropped = handle_->total.dropped};
}

}  // namespace pomona::io
