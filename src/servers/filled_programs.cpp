#include "servers/filled_programs.hpp"

#include <pomona/codec/placeholder.hpp>

#include <array>
#include <utility>
#include <vector>

namespace pomona::servers {

namespace {

/// Programs that turned out to have no blanks are remembered as well, so that each is read once; they cost
/// next to nothing.
constexpr std::size_t most_copies = 1'024;

/// The whole file; empty if it cannot be read.
std::vector<std::uint8_t> contents_of(const io::File& file) {
    std::vector<std::uint8_t> contents(static_cast<std::size_t>(file.size()));
    const iovec part{contents.data(), contents.size()};
    const std::ptrdiff_t got = file.read({&part, 1}, 0);
    if (got < 0 || static_cast<std::size_t>(got) != contents.size()) contents.clear();
    return contents;
}

bool is_candidate(const io::File& file) {
    if (file.size() > codec::largest_program_with_blanks) return false;
    std::array<std::uint8_t, 4> first{};
    const iovec part{first.data(), first.size()};
    return file.read({&part, 1}, 0) == static_cast<std::ptrdiff_t>(first.size()) &&
           codec::may_hold_blanks(first);
}

}  // namespace

void FilledPrograms::Copies::drop(std::map<Key, Copy>::iterator at) {
    if (at->second.file) octets -= static_cast<std::size_t>(at->second.file->size());
    ages.erase(at->second.age);
    by_key.erase(at);
}

std::expected<io::File, io::FileProblem> FilledPrograms::fill(io::File file, base::Ipv4Address server,
                                                              std::string_view path) {
    if (!is_candidate(file)) return file;
    const Key key{.identity = file.identity(), .server = server, .path = std::string(path)};
    return copies_.with([&](Copies& copies) -> std::expected<io::File, io::FileProblem> {
        if (const auto known = copies.by_key.find(key); known != copies.by_key.end()) {
            if (known->second.modified == file.modified() && known->second.size == file.size()) {
                copies.ages.splice(copies.ages.end(), copies.ages, known->second.age);
                if (!known->second.file) return std::move(file);
                return known->second.file->again();
            }
            copies.drop(known);
        }
        // Under the lock: a room of Macs asks for the same program at once, and it is read once.
        std::vector<std::uint8_t> contents = contents_of(file);
        const auto blanks = codec::find_blanks(contents);
        std::optional<io::File> copy;
        if (!blanks.empty()) {
            codec::fill_blanks(contents, blanks, {.server = server, .http_port = http_port_, .path = path});
            auto filled = io::File::in_memory(contents, file);
            if (!filled) return std::unexpected(filled.error());
            copy = std::move(*filled);
            copies.octets += contents.size();
        }
        const auto age = copies.ages.insert(copies.ages.end(), key);
        const auto kept = copies.by_key
                              .insert_or_assign(key, Copy{.modified = file.modified(),
                                                          .size = file.size(),
                                                          .file = std::move(copy),
                                                          .age = age})
                              .first;
        while (copies.by_key.size() > 1 &&
               (copies.octets > most_octets || copies.by_key.size() > most_copies)) {
            copies.drop(copies.by_key.find(copies.ages.front()));
        }
        if (!kept->second.file) return std::move(file);
        return kept->second.file->again();
    });
}

}  // namespace pomona::servers
