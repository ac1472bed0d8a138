#include <pomona/codec/placeholder.hpp>

#include <algorithm>
#include <array>
#include <string>

namespace pomona::codec {

namespace {

struct Spelling {
    Blank blank;
    std::string_view text;
    std::size_t size;
};

constexpr std::array spellings{
    Spelling{Blank::server, server_blank, server_blank.size()},
    Spelling{Blank::http_port, http_port_blank, http_port_blank.size()},
    Spelling{Blank::path, path_blank, path_blank_size},
};
/// What all of them begin with.
constexpr std::string_view common = "@@POMONA-";

constexpr std::array<std::uint8_t, 4> universal_magic{0xb9, 0xfa, 0xf1, 0x0e};

/// Inside the single quotes of a configuration everything but these stands for itself.
bool is_quotable(std::string_view path) {
    return path.size() <= path_blank_size &&
           std::ranges::none_of(path, [](unsigned char c) { return c == '\'' || c < 0x20 || c == 0x7f; });
}

std::string value_of(Blank blank, const BlankValues& values) {
    switch (blank) {
        case Blank::server:
            return values.server.text();
        case Blank::http_port:
            return std::to_string(values.http_port.value_or(0));
        case Blank::path:
            return is_quotable(values.path) ? std::string(values.path) : std::string();
    }
    return {};
}

std::size_t size_of(Blank blank) {
    return std::ranges::find(spellings, blank, &Spelling::blank)->size;
}

}  // namespace

bool may_hold_blanks(base::Bytes first_octets) {
    const std::string_view text = base::as_text(first_octets);
    return text.starts_with("MZ") || text.starts_with(base::as_text(universal_magic));
}

std::vector<PlacedBlank> find_blanks(base::Bytes program) {
    std::vector<PlacedBlank> found;
    const std::string_view text = base::as_text(program);
    for (std::size_t at = 0;
         found.size() < most_blanks && (at = text.find(common, at)) != std::string_view::npos;) {
        const auto spelling = std::ranges::find_if(
            spellings, [&](const Spelling& each) { return text.substr(at).starts_with(each.text); });
        const bool whole = spelling != spellings.end() && spelling->size <= text.size() - at &&
                           text.substr(at + spelling->text.size(), spelling->size - spelling->text.size())
                                   .find_first_not_of('.') == std::string_view::npos;
        if (whole) found.push_back({.blank = spelling->blank, .offset = at});
        at += whole ? spelling->size : common.size();
    }
    return found;
}

void fill_blanks(base::MutableBytes program, const std::vector<PlacedBlank>& blanks,
                 const BlankValues& values) {
    for (const PlacedBlank& placed : blanks) {
        const std::size_t size = size_of(placed.blank);
        if (placed.offset > program.size() || size > program.size() - placed.offset) continue;
        std::string value = value_of(placed.blank, values);
        value.resize(size, ' ');
        std::ranges::copy(base::as_bytes(value), program.subspan(placed.offset).begin());
    }
}

}  // namespace pomona::codec
