// The floor of the TFTP benchmark: the barest sender there can be. No file, no retransmission, no timers;
// each ACK is answered with the next window out of memory.
#include <pomona/base/bytes.hpp>
#include <pomona/codec/tftp.hpp>

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace {

using namespace pomona;

struct Peer {
    codec::TftpTerms terms;
    std::uint64_t acknowledged = 0;
};

[[noreturn]] void usage() {
    std::fputs("usage: tftp_floor --port N --size OCTETS [--trains]\n", stderr);
    std::exit(2);
}

}  // namespace

int main(int argc, char** argv) {
    std::uint16_t port = 69;
    std::uint64_t size = 0;
    bool trains = false;
    for (int i = 1; i < argc; ++i) {
        const std::string_view flag = argv[i];
        const auto value = [&](auto& to) {
            if (++i >= argc) usage();
            const std::string_view text = argv[i];
            std::from_chars(text.data(), text.data() + text.size(), to);
        };
        if (flag == "--port")
            value(port);
        else if (flag == "--size")
            value(size);
        else if (flag == "--trains")
            trains = true;
        else
            usage();
    }
    // One port for all: a blocking receive and a send per ACK are all there is.
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const int octets = 4 << 20;
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof octets);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &octets, sizeof octets);
    sockaddr_in local{};
    local.sin_family = AF_INET;
    local.sin_port = htons(port);
    if (::bind(fd, reinterpret_cast<sockaddr*>(&local), sizeof local) != 0) {
        std::perror("bind");
        return 1;
    }
    std::puts("ready");
    std::fflush(stdout);

    std::unordered_map<std::uint64_t, Peer> peers;
    std::vector<std::uint8_t> out(1 << 16, 0x5a);
    std::array<std::uint8_t, 2048> in{};
    for (;;) {
        sockaddr_in from{};
        socklen_t length = sizeof from;
        const ssize_t got =
            ::recvfrom(fd, in.data(), in.size(), 0, reinterpret_cast<sockaddr*>(&from), &length);
        if (got < 0) continue;
        const auto packet = codec::parse_tftp({in.data(), static_cast<std::size_t>(got)});
        if (!packet) continue;
        const std::uint64_t key = std::uint64_t{from.sin_addr.s_addr} << 16 | from.sin_port;
        if (const auto* const request = std::get_if<codec::TftpRequest>(&*packet)) {
            const auto terms = codec::negotiate_tftp(request->options, {}, size);
            if (!terms) continue;
            peers[key] = Peer{*terms, 0};
            base::ByteWriter to(out);
            codec::write_tftp_oack(to, *terms);
            ::sendto(fd, out.data(), to.size(), 0, reinterpret_cast<sockaddr*>(&from), length);
            continue;
        }
        const auto* const ack = std::get_if<codec::TftpAck>(&*packet);
        const auto found = peers.find(key);
        if (ack == nullptr || found == peers.end()) continue;
        Peer& peer = found->second;
        peer.acknowledged +=
            static_cast<std::uint16_t>(ack->block - static_cast<std::uint16_t>(peer.acknowledged));
        const std::size_t blksize = peer.terms.blksize();
        const std::uint64_t last = size / blksize + 1;
        if (peer.acknowledged >= last) {
            peers.erase(found);
            continue;
        }
        const std::size_t segment = blksize + codec::tftp_data_header_size;
        std::uint64_t block = peer.acknowledged + 1;
        const std::uint64_t end = std::min<std::uint64_t>(last, peer.acknowledged + peer.terms.windowsize());
        while (block <= end) {
            const std::size_t most = trains ? std::min<std::size_t>(64, 65000 / segment) : 1;
            std::size_t filled = 0;
            unsigned count = 0;
            for (; count < most && block <= end; ++count, ++block) {
                codec::put_tftp_data_header(out.data() + filled, static_cast<std::uint16_t>(block));
                const std::uint64_t left = size - (block - 1) * blksize;
                filled += codec::tftp_data_header_size + std::min<std::uint64_t>(blksize, left);
            }
            if (count == 1) {
                ::sendto(fd, out.data(), filled, 0, reinterpret_cast<sockaddr*>(&from), length);
                continue;
            }
            iovec part{out.data(), filled};
            alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(std::uint16_t))> control{};
            msghdr header{};
            header.msg_name = &from;
            header.msg_namelen = length;
            header.msg_iov = &part;
            header.msg_iovlen = 1;
            header.msg_control = control.data();
            header.msg_controllen = control.size();
            cmsghdr* const c = CMSG_FIRSTHDR(&header);
            c->cmsg_level = IPPROTO_UDP;
            c->cmsg_type = UDP_SEGMENT;
            c->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
            const auto cut = static_cast<std::uint16_t>(segment);
            std::memcpy(CMSG_DATA(c), &cut, sizeof cut);
            ::sendmsg(fd, &header, 0);
        }
    }
}
