// FilledPrograms: boot programs with blanks in them, as they go out to one client: filled with our address as
// that client knows it. Copies are kept in memory and shared by all transfers of the same program.
#pragma once

#include "io/file.hpp"

#include <pomona/base/addresses.hpp>
#include <pomona/base/shared_state.hpp>

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace pomona::servers {

/// Safe from several threads.
class FilledPrograms {
  public:
    /// Memory for the copies; beyond it the one that was asked for longest ago goes, while transfers that
    /// still send it keep it.
    static constexpr std::size_t most_octets = std::size_t{64} << 20U;

    explicit FilledPrograms(std::optional<std::uint16_t> http_port) : http_port_(http_port) {}

    /// The file itself, or its copy when it is an EFI program with blanks. `server` is the address that was
    /// asked, `path` the path below our roots.
    std::expected<io::File, io::FileProblem> fill(io::File file, base::Ipv4Address server,
                                                  std::string_view path);

  private:
    using Version = std::chrono::sys_time<std::chrono::nanoseconds>;
    struct Key {
        io::FileIdentity identity;
        base::Ipv4Address server;
        std::string path;

        friend auto operator<=>(const Key&, const Key&) = default;
    };
    struct Copy {
        Version modified;
        std::uint64_t size = 0;
        /// Empty for a program without blanks, which is sent as it is.
        std::optional<io::File> file;
        std::list<Key>::iterator age;
    };
    struct Copies {
        std::map<Key, Copy> by_key;
        /// Asked for longest ago first.
        std::list<Key> ages;
        std::size_t octets = 0;

        void drop(std::map<Key, Copy>::iterator at);
    };

    std::optional<std::uint16_t> http_port_;
    base::Guarded<Copies> copies_;
};

}  // namespace pomona::servers
