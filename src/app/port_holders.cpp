#include "app/port_holders.hpp"

#include "app/flag.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>

namespace pomona::app {

namespace {

/// inode -> address
using Sockets = std::map<std::string, base::Ipv4Address, std::less<>>;

/// Lines like "  12: 0100007F:0045 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 INODE ...":
/// the address is in the host's order of bytes, as one number per 32 bits.
/// With `state` only those in it.
void read_sockets(const std::string& file, std::uint16_t port, std::string_view state, Sockets& sockets) {
    std::ifstream stream(file);
    std::string line;
    std::getline(stream, line);  // headings
    while (std::getline(stream, line)) {
        std::istringstream words(line);
        const std::vector<std::string> columns{std::istream_iterator<std::string>(words), {}};
        constexpr std::size_t local = 1;
        constexpr std::size_t state_column = 3;
        constexpr std::size_t inode = 9;
        if (columns.size() <= inode) continue;
        const std::string& endpoint = columns[local];
        const std::size_t colon = endpoint.find(':');
        if (colon == std::string::npos) continue;

        unsigned found_port = 0;
        std::from_chars(endpoint.data() + colon + 1, endpoint.data() + endpoint.size(), found_port, 16);
        if (found_port != port || (!state.empty() && columns[state_column] != state)) continue;
        std::uint32_t address = 0;
        constexpr std::size_t ipv4_digits = 8;
        if (colon == ipv4_digits) {
            std::from_chars(endpoint.data(), endpoint.data() + colon, address, 16);
            if constexpr (std::endian::native == std::endian::little) address = __builtin_bswap32(address);
        }
        sockets[columns[inode]] = base::Ipv4Address(address);
    }
}

std::string first_line(const std::filesystem::path& file) {
    std::ifstream stream(file);
    std::string line;
    std::getline(stream, line);
    return line;
}

/// "socket:[12345]" -> "12345"
std::string_view socket_inode(std::string_view link) {
    constexpr std::string_view begin = "socket:[";
    if (!link.starts_with(begin) || !link.ends_with(']')) return {};
    return link.substr(begin.size(), link.size() - begin.size() - 1);
}

std::vector<PortHolder> holders_of(const Sockets& sockets, const std::string& proc) {
    std::vector<PortHolder> holders;
    if (sockets.empty()) return holders;
    Sockets unseen = sockets;
    // Processes come and go while we look: whatever cannot be read is passed over.
    std::error_code error;
    for (std::filesystem::directory_iterator processes(proc, error);
         !error && processes != std::filesystem::directory_iterator(); processes.increment(error)) {
        const std::string name = processes->path().filename();
        pid_t pid = 0;
        const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), pid);
        if (bad != std::errc() || end != name.data() + name.size()) continue;

        std::error_code gone;
        for (std::filesystem::directory_iterator files(processes->path() / "fd", gone);
             !gone && files != std::filesystem::directory_iterator(); files.increment(gone)) {
            std::error_code unreadable;
            const std::string link = std::filesystem::read_symlink(files->path(), unreadable);
            const auto socket = sockets.find(socket_inode(link));
            if (socket == sockets.end()) continue;
            unseen.erase(socket->first);
            const PortHolder holder{first_line(processes->path() / "comm"), pid, socket->second};
            if (std::ranges::find(holders, holder) == holders.end()) holders.push_back(holder);
        }
    }
    for (const auto& [inode, address] : unseen) holders.push_back({{}, 0, address});
    std::ranges::sort(holders, {},
                      [](const PortHolder& holder) { return std::pair(holder.pid, holder.address); });
    return holders;
}

}  // namespace

std::vector<PortHolder> udp_port_holders(std::uint16_t port, const std::string& proc) {
    Sockets sockets;
    read_sockets(proc + "/net/udp", port, {}, sockets);
    read_sockets(proc + "/net/udp6", port, {}, sockets);
    return holders_of(sockets, proc);
}

std::vector<PortHolder> tcp_port_holders(std::uint16_t port, const std::string& proc) {
    constexpr std::string_view listening = "0A";
    Sockets sockets;
    read_sockets(proc + "/net/tcp", port, listening, sockets);
    read_sockets(proc + "/net/tcp6", port, listening, sockets);
    return holders_of(sockets, proc);
}

std::string names_of(std::span<const PortHolder> holders, std::string_view one, std::string_view several) {
    std::vector<std::string> names;
    for (const PortHolder& holder : holders) {
        std::string name = "a program that only root can see";
        if (holder.pid != 0) {
            // The kernel lets a program call itself anything.
            name = std::ranges::all_of(holder.program, [](unsigned char c) { return c > 0x20 && c < 0x7f; })
                       ? holder.program
                       : in_quotes(holder.program);
            name += " (pid " + std::to_string(holder.pid) + ")";
        }
        if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
    }
    std::string text;
    for (std::size_t i = 0; i < names.size(); ++i) text += (i == 0 ? "" : " and ") + names[i];
    return text + " " + std::string(names.size() == 1 ? one : several);
}

}  // namespace pomona::app
