#include <pomona/codec/dhcp.hpp>

#include <algorithm>

namespace pomona::codec {

namespace {

constexpr std::size_t sname_size = 64;
constexpr std::size_t file_size = 128;
constexpr std::size_t ip_and_udp_headers = 28;
/// The IP datagram that every client must take is 576 octets; Apple's server counts with 548.
constexpr std::size_t smallest_maximum = 548;

/// A name, cut off so that at least one NUL follows it, in a field of fixed size.
void put_name(base::ByteWriter& writer, std::string_view name, std::size_t field) {
    name = name.substr(0, field - 1);
    writer.text(name);
    writer.zeros(field - name.size());
}

}  // namespace

base::MacAddress BootpHeader::mac() const {
    std::array<std::uint8_t, 6> octets{};
    std::copy_n(chaddr.begin(), octets.size(), octets.begin());
    return base::MacAddress(octets);
}

void BootpHeader::set_mac(base::MacAddress mac) {
    chaddr.fill(0);
    std::ranges::copy(mac.octets(), chaddr.begin());
}

std::expected<DhcpView, DhcpFault> DhcpView::parse(base::Bytes message) {
    DhcpView view;
    base::ByteReader reader(message);
    BootpHeader& header = view.header_;
    header.op = reader.u8();
    header.htype = reader.u8();
    header.hlen = reader.u8();
    header.hops = reader.u8();
    header.xid = reader.u32();
    header.secs = reader.u16();
    header.flags = reader.u16();
    header.ciaddr = base::Ipv4Address(reader.u32());
    header.yiaddr = base::Ipv4Address(reader.u32());
    header.siaddr = base::Ipv4Address(reader.u32());
    header.giaddr = base::Ipv4Address(reader.u32());
    header.chaddr = reader.array<16>();
    view.sname_ = reader.bytes(sname_size);
    view.file_ = reader.bytes(file_size);
    if (!reader.ok() || header.hlen > header.chaddr.size()) return std::unexpected(DhcpFault::too_short);
    view.vendor_ = reader.rest();

    base::ByteReader vendor(view.vendor_);
    if (vendor.u32() != dhcp_cookie) {
        view.options_fault_ = DhcpFault::no_cookie;
        return view;
    }
    view.options_ = vendor.rest();
    bool overload_seen = false;
    bool sound = walk(view.options_, [&](Option code, base::Bytes value) {
        if (code != Option::overload || overload_seen) return;
        overload_seen = true;
        view.overload_ = value.size() == 1 ? value[0] : 0;
    });
    if (overload_seen) sound = sound && view.overload_ >= 1 && view.overload_ <= 3;
    const auto ignore = [](Option, base::Bytes) {};
    if (sound && view.file_overloaded()) sound = walk(view.file_, ignore);
    if (sound && view.sname_overloaded()) sound = walk(view.sname_, ignore);
    if (!sound) view.options_fault_ = DhcpFault::malformed;
    return view;
}

std::optional<base::Bytes> DhcpView::option(Option code) const {
    std::optional<base::Bytes> first;
    for_each_option([&](Option found, base::Bytes value) {
        if (found == code && !first) first = value;
    });
    return first;
}

std::string_view DhcpView::option_text(Option code) const {
    const std::string_view text = base::as_text(option(code).value_or(base::Bytes{}));
    return text.substr(0, text.find('\0'));
}

std::optional<std::uint8_t> DhcpView::option_u8(Option code) const {
    const auto value = option(code);
    if (!value || value->size() != 1) return std::nullopt;
    return (*value)[0];
}

std::optional<std::uint16_t> DhcpView::option_u16(Option code) const {
    const auto value = option(code);
    if (!value || value->size() != 2) return std::nullopt;
    return base::ByteReader(*value).u16();
}

std::optional<base::Ipv4Address> DhcpView::option_address(Option code) const {
    const auto value = option(code);
    if (!value || value->size() != 4) return std::nullopt;
    return base::Ipv4Address(base::ByteReader(*value).u32());
}

std::optional<DhcpType> DhcpView::type() const {
    const auto value = option_u8(Option::message_type);
    if (!value) return std::nullopt;
    return static_cast<DhcpType>(*value);
}

bool DhcpView::asks_for(Option code) const {
    const auto list = option(Option::parameter_request_list);
    return list && std::ranges::find(*list, static_cast<std::uint8_t>(code)) != list->end();
}

DhcpWriter::DhcpWriter(base::MutableBytes room, const BootpHeader& header, std::string_view sname,
                       std::string_view file)
    : writer_(room) {
    writer_.u8(header.op);
    writer_.u8(header.htype);
    writer_.u8(header.hlen);
    writer_.u8(header.hops);
    writer_.u32(header.xid);
    writer_.u16(header.secs);
    writer_.u16(header.flags);
    writer_.u32(header.ciaddr.value());
    writer_.u32(header.yiaddr.value());
    writer_.u32(header.siaddr.value());
    writer_.u32(header.giaddr.value());
    writer_.bytes(header.chaddr);
    put_name(writer_, sname, sname_size);
    put_name(writer_, file, file_size);
    writer_.u32(dhcp_cookie);
}

std::size_t DhcpWriter::room() const {
    return !writer_.ok() || writer_.room() == 0 ? 0 : writer_.room() - 1;
}

void DhcpWriter::option(Option code, base::Bytes value) {
    if (value.size() > 255 || value.size() + 2 > room()) {
        writer_.zeros(writer_.room() + 1);  // fails the writer for good
        return;
    }
    writer_.u8(static_cast<std::uint8_t>(code));
    writer_.u8(static_cast<std::uint8_t>(value.size()));
    writer_.bytes(value);
}

void DhcpWriter::option_u8(Option code, std::uint8_t value) {
    option(code, base::Bytes(&value, 1));
}

void DhcpWriter::option_address(Option code, base::Ipv4Address value) {
    std::array<std::uint8_t, 4> octets{};
    base::ByteWriter(octets).u32(value.value());
    option(code, octets);
}

base::Bytes DhcpWriter::finish() {
    writer_.u8(static_cast<std::uint8_t>(Option::end));
    if (writer_.size() < bootp_minimum_size) writer_.zeros(bootp_minimum_size - writer_.size());
    return writer_.ok() ? writer_.written() : base::Bytes{};
}

std::size_t payload_limit(std::optional<std::uint16_t> said, std::size_t cap) {
    const std::size_t datagram = std::max<std::size_t>(said.value_or(0), smallest_maximum);
    return std::min(datagram, cap) - ip_and_udp_headers;
}

}  // namespace pomona::codec
