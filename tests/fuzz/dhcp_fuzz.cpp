// A message that can be read is written again from its parts; header, names and options must come out as they
// were. Any octets at all can be described.
#include "fuzz/require.hpp"

#include <pomona/codec/describe.hpp>
#include <pomona/codec/dhcp.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace pomona;
using fuzz::require;
using Options = std::vector<std::pair<codec::Option, std::vector<std::uint8_t>>>;

/// Without option 52: what it says about the names is not true of the message written again.
Options options_of(const codec::DhcpView& view) {
    Options options;
    view.for_each_option([&](codec::Option code, base::Bytes value) {
        require(code != codec::Option::pad && code != codec::Option::end, "pad and end are no options");
        if (code != codec::Option::overload) {
            options.emplace_back(code, std::vector<std::uint8_t>(value.begin(), value.end()));
        }
    });
    return options;
}

/// The name up to its NUL; nothing if the field carries options.
std::string_view name_in(base::Bytes field, bool overloaded) {
    if (overloaded) return {};
    const std::string_view text = base::as_text(field).substr(0, field.size() - 1);
    return text.substr(0, text.find('\0'));
}

void ask_everything(const codec::DhcpView& view) {
    for (int i = 0; i < 256; ++i) {
        const auto code = static_cast<codec::Option>(i);
        const auto value = view.option(code);
        require(view.option_u8(code).has_value() == (value && value->size() == 1), "one octet");
        require(view.option_u16(code).has_value() == (value && value->size() == 2), "two octets");
        require(view.option_address(code).has_value() == (value && value->size() == 4), "an address");
        (void)view.asks_for(code);
    }
    if (view.options_fault()) require(!view.type(), "no type without options");
}

/// Whatever stands in the message, its description can go to a terminal.
void read_aloud(base::Bytes message) {
    const auto lines = codec::describe(message);
    require(!lines.empty() && lines.size() <= codec::longest_description, "a bounded number of lines");
    for (const std::string& line : lines) {
        require(line.size() < 4096, "lines of bounded length");
        require(std::ranges::none_of(line, [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; }),
                "no control characters");
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    read_aloud(base::Bytes(data, size));
    const auto view = codec::DhcpView::parse(base::Bytes(data, size));
    if (!view) return 0;
    ask_everything(*view);

    const Options options = options_of(*view);
    const std::string_view sname = name_in(view->sname(), view->sname_overloaded());
    const std::string_view file = name_in(view->file(), view->file_overloaded());
    std::vector<std::uint8_t> room(size + codec::bootp_minimum_size);
    codec::DhcpWriter writer(room, view->header(), sname, file);
    for (const auto& [code, value] : options) writer.option(code, value);
    const base::Bytes message = writer.finish();
    require(message.size() >= codec::bootp_minimum_size, "at least 300 octets");

    const auto again = codec::DhcpView::parse(message);
    require(again && !again->options_fault(), "our own message can be read");
    require(again->header() == view->header(), "header");
    require(name_in(again->sname(), again->sname_overloaded()) == sname, "sname");
    require(name_in(again->file(), again->file_overloaded()) == file, "file");
    require(options_of(*again) == options, "options");
    return 0;
}
