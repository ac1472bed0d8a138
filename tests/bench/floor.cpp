// The floor: the least a server of BSDP or BOOTP can do on this path. A bare UDP socket, one recvfrom and one
// sendto per request, no parsing beyond fixed offsets. Nothing that uses the kernel's UDP stack can be much
// faster.
#include "mac_packets.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace {

using pomona::bench::mac_number_offset;
using pomona::bench::message_offset;
using pomona::bench::Packet;

// Like the servers, the floor is not to lose a burst of 5,000 for want of room; what it costs is processor
// time.
constexpr int receive_buffer_bytes = 32 << 20;

constexpr std::size_t options_offset = 240;

int open_server_port() {
    const int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    const int on = 1;
    setsockopt(descriptor, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    sockaddr_in any = {};
    any.sin_family = AF_INET;
    any.sin_port = htons(67);
    if (bind(descriptor, reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0) return -1;
    return descriptor;
}

void copy_field(const Packet& from, Packet& to, std::size_t offset, std::size_t length) {
    std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(offset), length,
                to.begin() + static_cast<std::ptrdiff_t>(offset));
}

}  // namespace

int main(int argc, char** argv) {
    in_addr own = {};
    in_addr first = {};
    if (argc != 3 || inet_aton(argv[1], &own) == 0 || inet_aton(argv[2], &first) == 0) {
        std::fprintf(stderr, "usage: %s OWN_ADDRESS ADDRESS_OF_FIRST_MAC\n", argv[0]);
        return 2;
    }
    const int port = open_server_port();
    if (port < 0) {
        std::perror("bench_floor: UDP port 67");
        return 1;
    }
    Packet list = pomona::bench::list_answer(ntohl(own.s_addr));
    Packet select = pomona::bench::select_answer(ntohl(own.s_addr));
    Packet bootp = pomona::bench::bootp_answer(ntohl(own.s_addr));
    sockaddr_in client = {};
    client.sin_family = AF_INET;
    client.sin_port = htons(68);
    Packet request = {};
    while (recvfrom(port, request.data(), request.size(), 0, nullptr, nullptr) > 0) {
        std::memcpy(&client.sin_addr.s_addr, &request[12], 4);
        const bool has_address = client.sin_addr.s_addr != 0;
        // In the flood of foreign requests nobody has an address either.
        if (!has_address && request[options_offset] == 53) continue;
        Packet& answer = !has_address ? bootp : request[message_offset] == 2 ? select : list;
        copy_field(request, answer, 4, 4);
        copy_field(request, answer, 12, 4);
        copy_field(request, answer, 28, 6);
        if (!has_address) {
            std::uint32_t number = 0;
            std::memcpy(&number, &request[mac_number_offset], 4);
            client.sin_addr.s_addr = htonl(ntohl(first.s_addr) + ntohl(number));
            std::memcpy(&answer[16], &client.sin_addr.s_addr, 4);
        }
        sendto(port, answer.data(), answer.size(), 0, reinterpret_cast<const sockaddr*>(&client),
               sizeof client);
    }
    std::perror("bench_floor: receive");
    return 1;
}
