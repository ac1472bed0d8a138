// Interfaces by rtnetlink (rtnetlink(7)). Not by sysfs, which shows the network namespace it was mounted in.
#include "io/interfaces.hpp"

#include <pomona/base/bytes.hpp>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <string_view>
#include <system_error>

namespace pomona::io {

namespace {

// The kernel fills at most 32 KiB of a dump at once.
constexpr std::size_t buffer_bytes = 32768;
constexpr int dump_attempts = 5;
// IFF_LOWER_UP: <net/if.h> stops at 16 bits and <linux/if.h> cannot stand beside it.
constexpr unsigned lower_up = 1U << 16;

// Empty, with errno, if that fails.
Descriptor open_route_socket(std::uint32_t groups, int flags) {
    Descriptor descriptor(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_ROUTE));
    if (!descriptor) return {};
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = groups;
    if (bind(descriptor.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return {};
    }
    return descriptor;
}

// One message or attribute in a buffer of the kernel: header fields copied out, payload as a view.
struct Message {
    std::uint16_t type = 0;
    std::uint16_t flags = 0;
    base::Bytes payload;
};
struct Attribute {
    std::uint16_t type = 0;
    base::Bytes value;
};

template <typename Value>
Value value_at(base::Bytes bytes) {
    Value value{};
    if (bytes.size() >= sizeof value) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

constexpr std::size_t aligned(std::size_t length) {
    return (length + 3) & ~std::size_t{3};
}

// Takes the next message off `rest`; false at the end.
bool next_message(base::Bytes& rest, Message& message) {
    const auto header = value_at<nlmsghdr>(rest);
    if (rest.size() < sizeof header || header.nlmsg_len < sizeof header || header.nlmsg_len > rest.size()) {
        return false;
    }
    message = {header.nlmsg_type, header.nlmsg_flags,
               rest.subspan(sizeof header, header.nlmsg_len - sizeof header)};
    rest = rest.subspan(std::min(aligned(header.nlmsg_len), rest.size()));
    return true;
}

bool next_attribute(base::Bytes& rest, Attribute& attribute) {
    const auto header = value_at<rtattr>(rest);
    if (rest.size() < sizeof header || header.rta_len < sizeof header || header.rta_len > rest.size()) {
        return false;
    }
    attribute = {static_cast<std::uint16_t>(header.rta_type & NLA_TYPE_MASK),
                 rest.subspan(sizeof header, header.rta_len - sizeof header)};
    rest = rest.subspan(std::min(aligned(header.rta_len), rest.size()));
    return true;
}

std::string text_of(base::Bytes value) {
    const std::string_view text = base::as_text(value);
    return std::string(text.substr(0, text.find('\0')));
}

enum class Dumped { complete, changed_meanwhile, failed };

// Asks for everything of one kind and hands each message over.
Dumped dump(int descriptor, std::uint16_t type, const std::function<void(const Message&)>& take) {
    struct {
        nlmsghdr header{};
        rtgenmsg general{};
    } request;
    request.header.nlmsg_len = NLMSG_LENGTH(sizeof(rtgenmsg));
    request.header.nlmsg_type = type;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request.general.rtgen_family = type == RTM_GETADDR ? AF_INET : AF_UNSPEC;
    if (send(descriptor, &request, request.header.nlmsg_len, 0) < 0) return Dumped::failed;

    std::array<std::uint8_t, buffer_bytes> buffer{};
    Dumped result = Dumped::complete;
    for (;;) {
        const ssize_t length = recv(descriptor, buffer.data(), buffer.size(), 0);
        if (length < 0 && errno == EINTR) continue;
        if (length <= 0) return Dumped::failed;
        base::Bytes rest(buffer.data(), static_cast<std::size_t>(length));
        Message message;
        while (next_message(rest, message)) {
            if ((message.flags & NLM_F_DUMP_INTR) != 0) result = Dumped::changed_meanwhile;
            if (message.type == NLMSG_DONE) return result;
            if (message.type == NLMSG_ERROR) return Dumped::failed;
            take(message);
        }
    }
}

void take_link(const Message& message, std::map<unsigned, Interface>& links) {
    if (message.type != RTM_NEWLINK || message.payload.size() < sizeof(ifinfomsg)) return;
    const auto link = value_at<ifinfomsg>(message.payload);
    Interface found;
    found.index = static_cast<unsigned>(link.ifi_index);
    // Not IFF_RUNNING: the kernel lets up to a second pass before that follows the carrier.
    found.up = (link.ifi_flags & IFF_UP) != 0 && (link.ifi_flags & lower_up) != 0;
    found.loopback = (link.ifi_flags & IFF_LOOPBACK) != 0;
    found.ethernet = link.ifi_type == ARPHRD_ETHER;

    base::Bytes rest = message.payload.subspan(aligned(sizeof link));
    Attribute attribute;
    while (next_attribute(rest, attribute)) {
        switch (attribute.type) {
            case IFLA_IFNAME:
                found.name = text_of(attribute.value);
                break;
            case IFLA_MTU:
                found.mtu = static_cast<int>(value_at<std::uint32_t>(attribute.value));
                break;
            case IFLA_ADDRESS:
                found.mac = base::MacAddress(value_at<std::array<std::uint8_t, 6>>(attribute.value));
                break;
            case IFLA_MASTER:
                found.enslaved = value_at<std::uint32_t>(attribute.value) != 0;
                break;
            default:
                break;
        }
    }
    links[found.index] = std::move(found);
}

struct FoundAddress {
    unsigned index = 0;
    base::Ipv4Network network;
};

void take_address(const Message& message, std::vector<FoundAddress>& addresses) {
    if (message.type != RTM_NEWADDR || message.payload.size() < sizeof(ifaddrmsg)) return;
    const auto header = value_at<ifaddrmsg>(message.payload);
    if (header.ifa_family != AF_INET) return;
    std::array<std::uint8_t, 4> octets{};
    base::Bytes rest = message.payload.subspan(aligned(sizeof header));
    Attribute attribute;
    while (next_attribute(rest, attribute)) {
        // IFA_ADDRESS is the other side's on a point-to-point link; IFA_LOCAL is always ours.
        if (attribute.type == IFA_LOCAL) octets = value_at<std::array<std::uint8_t, 4>>(attribute.value);
    }
    addresses.push_back(
        {header.ifa_index, base::Ipv4Network(base::Ipv4Address(octets[0], octets[1], octets[2], octets[3]),
                                             header.ifa_prefixlen)});
}

}  // namespace

std::vector<Interface> list_interfaces() {
    const Descriptor descriptor = open_route_socket(0, 0);
    if (!descriptor) return {};
    std::map<unsigned, Interface> links;
    for (int attempt = 0; attempt < dump_attempts; ++attempt) {
        links.clear();
        std::vector<FoundAddress> addresses;
        const Dumped first =
            dump(descriptor.get(), RTM_GETLINK, [&](const Message& message) { take_link(message, links); });
        if (first == Dumped::failed) break;
        const Dumped second = dump(descriptor.get(), RTM_GETADDR,
                                   [&](const Message& message) { take_address(message, addresses); });
        if (second == Dumped::failed) break;
        // The kernel lists each interface's primary addresses first.
        for (const FoundAddress& address : addresses) {
            if (const auto link = links.find(address.index); link != links.end()) {
                link->second.addresses.push_back(address.network);
            }
        }
        if (first == Dumped::complete && second == Dumped::complete) break;
    }
    std::vector<Interface> interfaces;
    interfaces.reserve(links.size());
    for (auto& [index, link] : links) interfaces.push_back(std::move(link));
    return interfaces;
}

InterfaceMonitor::InterfaceMonitor()
    : descriptor_(open_route_socket(RTMGRP_LINK | RTMGRP_IPV4_IFADDR, SOCK_NONBLOCK)) {
    if (!descriptor_) {
        throw std::system_error(errno, std::generic_category(), "cannot watch the network interfaces");
    }
}

bool InterfaceMonitor::drain() {
    bool changed = false;
    std::array<std::uint8_t, buffer_bytes> buffer{};
    for (;;) {
        sockaddr_nl sender{};
        socklen_t sender_length = sizeof sender;
        const ssize_t length = recvfrom(descriptor_.get(), buffer.data(), buffer.size(), 0,
                                        reinterpret_cast<sockaddr*>(&sender), &sender_length);
        if (length < 0) {
            if (errno == EINTR) continue;
            // Messages were lost: something did change.
            if (errno == ENOBUFS) {
                changed = true;
                continue;
            }
            return changed;
        }
        if (sender.nl_pid != 0) continue;  // not from the kernel
        base::Bytes rest(buffer.data(), static_cast<std::size_t>(length));
        Message message;
        while (next_message(rest, message)) {
            switch (message.type) {
                case RTM_NEWLINK:
                case RTM_DELLINK:
                case RTM_NEWADDR:
                case RTM_DELADDR:
                    changed = true;
                    break;
                default:
                    break;
            }
        }
    }
}

}  // namespace pomona::io
