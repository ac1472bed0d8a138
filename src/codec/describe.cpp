#include <pomona/base/addresses.hpp>
#include <pomona/base/boot_image_id.hpp>
#include <pomona/base/hex.hpp>
#include <pomona/codec/bsdp.hpp>
#include <pomona/codec/describe.hpp>
#include <pomona/codec/dhcp.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

namespace pomona::codec {

namespace {

/// How the value of an option is to be read.
enum class Kind : std::uint8_t { octets, text, number, addresses, codes, message_type, overload, vendor };

struct OptionName {
    std::uint8_t code;
    std::string_view name;
    Kind kind;
};

constexpr std::array option_names{
    OptionName{1, "subnet mask", Kind::addresses},
    OptionName{2, "time offset", Kind::number},
    OptionName{3, "router", Kind::addresses},
    OptionName{4, "time server", Kind::addresses},
    OptionName{6, "domain name server", Kind::addresses},
    OptionName{7, "log server", Kind::addresses},
    OptionName{12, "host name", Kind::text},
    OptionName{13, "boot file size", Kind::number},
    OptionName{15, "domain name", Kind::text},
    OptionName{17, "root path", Kind::text},
    OptionName{18, "extensions path", Kind::text},
    OptionName{26, "interface MTU", Kind::number},
    OptionName{28, "broadcast address", Kind::addresses},
    OptionName{33, "static route", Kind::addresses},
    OptionName{42, "network time protocol servers", Kind::addresses},
    OptionName{43, "vendor specific information", Kind::vendor},
    OptionName{44, "NetBIOS name server", Kind::addresses},
    OptionName{46, "NetBIOS node type", Kind::number},
    OptionName{47, "NetBIOS scope", Kind::text},
    OptionName{50, "requested IP address", Kind::addresses},
    OptionName{51, "IP address lease time", Kind::number},
    OptionName{52, "option overload", Kind::overload},
    OptionName{53, "DHCP message type", Kind::message_type},
    OptionName{54, "server identifier", Kind::addresses},
    OptionName{55, "parameter request list", Kind::codes},
    OptionName{56, "message", Kind::text},
    OptionName{57, "maximum DHCP message size", Kind::number},
    OptionName{58, "renewal (T1) time value", Kind::number},
    OptionName{59, "rebinding (T2) time value", Kind::number},
    OptionName{60, "vendor class identifier", Kind::text},
    OptionName{61, "client-identifier", Kind::octets},
    OptionName{66, "TFTP server name", Kind::text},
    OptionName{67, "bootfile name", Kind::text},
    OptionName{77, "user class", Kind::text},
    OptionName{82, "relay agent information", Kind::octets},
    OptionName{93, "client system architecture type", Kind::number},
    OptionName{94, "client network interface identifier", Kind::octets},
    OptionName{95, "LDAP", Kind::text},
    OptionName{97, "client machine identifier", Kind::octets},
    OptionName{114, "captive portal", Kind::text},
    OptionName{119, "domain search", Kind::octets},
    OptionName{121, "classless static route", Kind::octets},
    OptionName{175, "Etherboot options", Kind::octets},
    OptionName{252, "web proxy auto-discovery", Kind::text},
};

const OptionName* find_name(std::uint8_t code) {
    const auto* const found = std::ranges::find(option_names, code, &OptionName::code);
    return found == option_names.end() ? nullptr : &*found;
}

std::string count_of_octets(std::size_t count) {
    return std::to_string(count) + (count == 1 ? " octet" : " octets");
}

/// "0a 00 01 0b"; a long run is cut and says how long it is.
std::string octets_as_text(base::Bytes bytes) {
    constexpr std::size_t shown = 32;
    if (bytes.empty()) return "(empty)";
    std::string text;
    for (const std::uint8_t octet : bytes.first(std::min(bytes.size(), shown))) {
        if (!text.empty()) text += ' ';
        text += base::hex(octet, 2);
    }
    if (bytes.size() > shown) text += " ... (" + count_of_octets(bytes.size()) + ")";
    return text;
}

std::string quoted(base::Bytes bytes) {
    return '"' + printable(base::as_text(bytes)) + '"';
}

std::string numbered(std::string_view name, unsigned value) {
    return std::string(name) + ' ' + std::to_string(value);
}

std::string type_text(std::uint8_t value) {
    constexpr std::array<std::string_view, 9> names{"",    "DISCOVER", "OFFER",   "REQUEST", "DECLINE",
                                                    "ACK", "NAK",      "RELEASE", "INFORM"};
    if (value >= 1 && value < names.size()) return std::string(names[value]);
    return numbered("unknown type", value);
}

std::string overload_text(std::uint8_t value) {
    switch (value) {
        case 1:
            return "file holds options";
        case 2:
            return "sname holds options";
        case 3:
            return "file and sname hold options";
        default:
            return numbered("unknown value", value);
    }
}

std::string codes_text(base::Bytes codes) {
    std::string text;
    for (const std::uint8_t code : codes) {
        if (!text.empty()) text += ", ";
        text += std::to_string(code);
        if (const OptionName* name = find_name(code)) text += ' ' + std::string(name->name);
    }
    return text;
}

std::string addresses_text(base::Bytes bytes) {
    std::string text;
    base::ByteReader reader(bytes);
    while (reader.remaining() >= 4) {
        if (!text.empty()) text += ", ";
        text += base::Ipv4Address(reader.u32()).text();
    }
    return text;
}

/// The value, or its octets if they do not make what the option is to hold.
std::string value_text(Kind kind, base::Bytes value) {
    base::ByteReader reader(value);
    switch (kind) {
        case Kind::text:
            return quoted(value);
        case Kind::number:
            if (value.size() == 1) return std::to_string(reader.u8());
            if (value.size() == 2) return std::to_string(reader.u16());
            if (value.size() == 4) return std::to_string(reader.u32());
            break;
        case Kind::addresses:
            if (!value.empty() && value.size() % 4 == 0) return addresses_text(value);
            break;
        case Kind::codes:
            if (!value.empty()) return codes_text(value);
            break;
        case Kind::message_type:
            if (value.size() == 1) return type_text(value[0]);
            break;
        case Kind::overload:
            if (value.size() == 1) return overload_text(value[0]);
            break;
        case Kind::octets:
        case Kind::vendor:
            break;
    }
    return octets_as_text(value);
}

std::string image_text(base::BootImageId id) {
    constexpr std::array<std::string_view, 4> kinds{"Mac OS 9", "Mac OS X", "Mac OS X Server",
                                                    "hardware diagnostics"};
    const std::string kind =
        id.kind() < kinds.size() ? std::string(kinds[id.kind()]) : numbered("kind", id.kind());
    return id.text() + " (" + (id.is_install() ? "install, " : "") + kind + ", " +
           numbered("index", id.index()) + ')';
}

std::string_view bsdp_name(BsdpOption code) {
    switch (code) {
        case BsdpOption::message_type:
            return "message type";
        case BsdpOption::version:
            return "version";
        case BsdpOption::server_identifier:
            return "server identifier";
        case BsdpOption::server_priority:
            return "server priority";
        case BsdpOption::reply_port:
            return "reply port";
        case BsdpOption::boot_image_list_path:
            return "boot image list path";
        case BsdpOption::default_boot_image:
            return "default boot image";
        case BsdpOption::selected_boot_image:
            return "selected boot image";
        case BsdpOption::boot_image_list:
            return "boot image list";
        case BsdpOption::netboot_1_0_firmware:
            return "NetBoot 1.0 firmware";
        case BsdpOption::attributes_filter:
            return "boot image attributes filter list";
        case BsdpOption::maximum_message_size:
            return "maximum message size";
        case BsdpOption::shadow_mount_path:
            return "shadow mount path";
        case BsdpOption::shadow_file_path:
            return "shadow file path";
        case BsdpOption::machine_name:
            return "machine name";
        default:
            return "unknown sub-option";
    }
}

std::string bsdp_type_text(std::uint8_t value) {
    constexpr std::array<std::string_view, 4> names{"", "LIST", "SELECT", "FAILED"};
    if (value >= 1 && value < names.size()) return std::string(names[value]);
    return numbered("unknown type", value);
}

/// "0x0300, 0x8100": upper halves of image ids; an odd octet at the end is of no account, as in Apple's
/// server.
std::string filter_text(base::Bytes value) {
    std::string text;
    base::ByteReader reader(value);
    while (reader.remaining() >= 2) text += (text.empty() ? "0x" : ", 0x") + base::hex(reader.u16(), 4);
    return text;
}

std::string bsdp_value_text(BsdpOption code, base::Bytes value) {
    base::ByteReader reader(value);
    switch (code) {
        case BsdpOption::message_type:
            if (value.size() == 1) return bsdp_type_text(value[0]);
            break;
        case BsdpOption::version:
            if (value.size() == 2) return std::to_string(value[0]) + '.' + std::to_string(value[1]);
            break;
        case BsdpOption::server_identifier:
            if (value.size() == 4) return base::Ipv4Address(reader.u32()).text();
            break;
        case BsdpOption::server_priority:
        case BsdpOption::reply_port:
        case BsdpOption::maximum_message_size:
            if (value.size() == 2) return std::to_string(reader.u16());
            break;
        case BsdpOption::default_boot_image:
        case BsdpOption::selected_boot_image:
            if (value.size() == 4) return image_text(base::BootImageId(reader.u32()));
            break;
        case BsdpOption::netboot_1_0_firmware:
            if (value.empty()) return "yes";
            break;
        case BsdpOption::attributes_filter:
            if (value.size() >= 2) return filter_text(value);
            break;
        case BsdpOption::boot_image_list_path:
        case BsdpOption::shadow_mount_path:
        case BsdpOption::shadow_file_path:
        case BsdpOption::machine_name:
            return quoted(value);
        default:
            break;
    }
    return octets_as_text(value);
}

class Description {
  public:
    std::vector<std::string> of(base::Bytes message) {
        const auto view = DhcpView::parse(message);
        if (!view) {
            add("not a BOOTP message: " + count_of_octets(message.size()) +
                (message.size() < bootp_fixed_size ? ", at least 236 are needed" : ", hlen is above 16"));
            return std::move(lines_);
        }
        header(view->header());
        if (!view->sname_overloaded()) name("sname", view->sname());
        if (!view->file_overloaded()) name("file", view->file());
        if (view->options_fault() == DhcpFault::no_cookie) {
            add("no DHCP cookie; vendor area: " + octets_as_text(view->vendor_area()));
            return std::move(lines_);
        }
        // The instances of option 43 are of BSDP if the class says so; Apple's class stands in front of them
        // in answers, but nothing keeps a client from putting it behind.
        const base::Bytes vendor_area = view->vendor_area().subspan(sizeof dhcp_cookie);
        is_bsdp_ = names_bsdp(vendor_area) || (view->file_overloaded() && names_bsdp(view->file())) ||
                   (view->sname_overloaded() && names_bsdp(view->sname()));
        options(vendor_area);
        if (view->file_overloaded()) {
            add("options in file");
            options(view->file());
        }
        if (view->sname_overloaded()) {
            add("options in sname");
            options(view->sname());
        }
        return std::move(lines_);
    }

  private:
    void add(std::string line) {
        if (lines_.size() < longest_description) {
            lines_.push_back(std::move(line));
        } else {
            lines_.back() = "(more lines were left out)";
        }
    }

    void header(const BootpHeader& header) {
        if (header.op == bootrequest || header.op == bootreply) {
            add(header.op == bootrequest ? "op 1 (request)" : "op 2 (reply)");
        } else {
            add(numbered("op", header.op));
        }
        if (header.htype != hardware_ethernet) add(numbered("htype", header.htype));
        if (header.hlen != 6) add(numbered("hlen", header.hlen));
        if (header.hops != 0) add(numbered("hops", header.hops));
        add("xid 0x" + base::hex(header.xid, 8));
        if (header.secs != 0) add(numbered("secs", header.secs));
        if (header.flags != 0) {
            add("flags 0x" + base::hex(header.flags, 4) +
                ((header.flags & flag_broadcast) != 0 ? " (broadcast)" : ""));
        }
        if (!header.ciaddr.is_zero()) add("ciaddr " + header.ciaddr.text());
        if (!header.yiaddr.is_zero()) add("yiaddr " + header.yiaddr.text());
        if (!header.siaddr.is_zero()) add("siaddr " + header.siaddr.text());
        if (!header.giaddr.is_zero()) add("giaddr " + header.giaddr.text());
        add("chaddr " + (header.hlen == 6 ? header.mac().text() : octets_as_text(header.chaddr)));
    }

    /// A fixed field that holds a name; nothing if it is empty.
    void name(std::string_view field, base::Bytes value) {
        const std::string_view text = base::as_text(value);
        const std::string_view name = text.substr(0, text.find('\0'));
        if (!name.empty()) add(std::string(field) + ' ' + quoted(base::as_bytes(name)));
    }

    /// Visits (code, value, sound) up to the end, or to the first option that runs past it (not sound; the
    /// value is what is left then).
    template <typename Visit>
    static void walk(base::Bytes field, Visit&& visit) {
        base::ByteReader reader(field);
        while (reader.remaining() > 0) {
            const std::uint8_t code = reader.u8();
            if (code == 0) continue;
            if (code == 255) return;
            if (reader.remaining() == 0) return visit(code, base::Bytes{}, false);
            const std::size_t length = reader.u8();
            if (length > reader.remaining()) return visit(code, reader.rest(), false);
            visit(code, reader.bytes(length), true);
        }
    }

    static bool names_bsdp(base::Bytes field) {
        bool found = false;
        walk(field, [&](std::uint8_t code, base::Bytes value, bool sound) {
            found = found || (sound && code == static_cast<std::uint8_t>(Option::vendor_class) &&
                              base::as_text(value).starts_with(bsdp_class));
        });
        return found;
    }

    void options(base::Bytes field) {
        walk(field, [&](std::uint8_t code, base::Bytes value, bool sound) {
            const OptionName* known = find_name(code);
            std::string line = numbered("option", code);
            if (known != nullptr) line += ' ' + std::string(known->name);
            if (!sound) {
                add(line + ": runs past the end, " + count_of_octets(value.size()) + " left");
            } else if (known != nullptr && known->kind == Kind::vendor && is_bsdp_) {
                add(line + ": BSDP, " + count_of_octets(value.size()));
                sub_options(value);
            } else {
                add(line + ": " + value_text(known == nullptr ? Kind::octets : known->kind, value));
            }
        });
    }

    void sub_options(base::Bytes instance) {
        walk(instance, [&](std::uint8_t number, base::Bytes value, bool sound) {
            const auto code = static_cast<BsdpOption>(number);
            std::string line = "  " + std::to_string(number) + ' ' + std::string(bsdp_name(code));
            if (!sound) {
                add(line + ": runs past the end, " + count_of_octets(value.size()) + " left");
            } else if (code == BsdpOption::boot_image_list) {
                add(line + ": " + count_of_octets(value.size()));
                images(value);
            } else {
                add(line + ": " + bsdp_value_text(code, value));
            }
        });
    }

    void images(base::Bytes list) {
        base::ByteReader reader(list);
        while (reader.remaining() > 0) {
            const base::BootImageId id(reader.u32());
            const std::size_t length = reader.u8();
            const base::Bytes name = reader.bytes(length);
            if (!reader.ok()) return add("    an image runs past the end");
            add("    " + image_text(id) + ' ' + quoted(name));
        }
    }

    std::vector<std::string> lines_;
    bool is_bsdp_ = false;
};

/// A code point that is well-formed UTF-8 at the start of `text`, and how many octets it takes.
struct CodePoint {
    std::uint32_t value = 0;
    std::size_t size = 0;
};

std::optional<CodePoint> decode(std::string_view text) {
    const auto octet = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const std::uint8_t lead = octet(0);
    if (lead < 0x80) return CodePoint{lead, 1};
    if (lead < 0xc2 || lead > 0xf4) return std::nullopt;
    const std::size_t size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (text.size() < size) return std::nullopt;
    std::uint32_t value = lead & (0xffU >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
        if ((octet(i) & 0xc0) != 0x80) return std::nullopt;
        value = value << 6 | (octet(i) & 0x3fU);
    }
    constexpr std::array<std::uint32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = value >= 0xd800 && value <= 0xdfff;
    if (value < smallest[size] || value > 0x10ffff || surrogate) return std::nullopt;
    return CodePoint{value, size};
}

/// Takes up room on the line and leaves the rest of the line alone.
bool is_harmless(std::uint32_t c) {
    if (c < 0x20 || (c >= 0x7f && c < 0xa0)) return false;  // controls
    if (c == 0x061c || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
        (c >= 0x2060 && c <= 0x206f) || c == 0xfeff) {
        return false;  // line separators, invisible characters and those that turn the direction
    }
    return (c & 0xfffe) != 0xfffe && (c < 0xe0000 || c > 0xe0fff) && (c < 0xfff9 || c > 0xfffb);
}

}  // namespace

std::string printable(std::string_view text) {
    std::string safe;
    safe.reserve(text.size());
    while (!text.empty()) {
        const auto point = decode(text);
        const std::size_t size = point ? point->size : 1;
        if (point && is_harmless(point->value)) {
            if (point->value == '"' || point->value == '\\') safe += '\\';
            safe += text.substr(0, size);
        } else {
            for (const char c : text.substr(0, size))
                safe += "\\x" + base::hex(static_cast<std::uint8_t>(c), 2);
        }
        text.remove_prefix(size);
    }
    return safe;
}

std::vector<std::string> describe(base::Bytes message) {
    return Description().of(message);
}

std::string describe_route(const Datagram& datagram) {
    std::string line = datagram.source.text() + " -> " + datagram.destination.text() + " (" +
                       datagram.link_source.text() + " -> " + datagram.link_destination.text();
    if (datagram.vlan) line += ", VLAN " + std::to_string(*datagram.vlan);
    return line + "), " + count_of_octets(datagram.payload.size());
}

}  // namespace pomona::codec
