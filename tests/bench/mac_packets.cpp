// The packets of a simulated Mac; see mac_packets.hpp.
#include "mac_packets.hpp"

#include <algorithm>
#include <string_view>

namespace pomona::bench {
namespace {

constexpr std::string_view server_class = "AAPLBSDPC";
constexpr std::uint32_t only_image = 0x81001001;
constexpr std::string_view image_name = "GRUB 2 (lab)";
constexpr std::string_view boot_file = "nbi/bench/grub.nbi/i386/booter";

/// The second octet of every simulated Mac's MAC address.
constexpr std::uint8_t mac_family = 0x4d;

constexpr std::size_t xid_offset = 4;
constexpr std::size_t secs_offset = 8;
constexpr std::size_t ciaddr_offset = 12;
constexpr std::size_t yiaddr_offset = 16;
constexpr std::size_t siaddr_offset = 20;
constexpr std::size_t chaddr_offset = 28;
constexpr std::size_t file_offset = 108;
constexpr std::size_t options_offset = 240;

class Writer {
  public:
    explicit Writer(std::uint8_t op) {
        packet_[0] = op;
        packet_[1] = 1;
        packet_[2] = 6;
        constexpr std::array<std::uint8_t, 4> cookie = {0x63, 0x82, 0x53, 0x63};
        std::copy(cookie.begin(), cookie.end(), packet_.begin() + 236);
    }
    void put8(std::uint32_t value) { packet_[at_++] = static_cast<std::uint8_t>(value); }
    void put32(std::uint32_t value) {
        put32_at(at_, value);
        at_ += 4;
    }
    void put32_at(std::size_t offset, std::uint32_t value) {
        for (std::size_t i = 0; i < 4; ++i)
            packet_[offset + i] = static_cast<std::uint8_t>(value >> (24U - 8U * i));
    }
    void put_text(std::string_view text) {
        for (const char character : text) packet_[at_++] = static_cast<std::uint8_t>(character);
    }
    void put_text_at(std::size_t offset, std::string_view text) {
        const auto keep = at_;
        at_ = offset;
        put_text(text);
        at_ = keep;
    }
    void option(std::uint8_t code, std::initializer_list<std::uint32_t> octets) {
        put8(code);
        put8(static_cast<std::uint32_t>(octets.size()));
        for (const auto octet : octets) put8(octet);
    }
    void text_option(std::uint8_t code, std::string_view text) {
        put8(code);
        put8(static_cast<std::uint32_t>(text.size()));
        put_text(text);
    }
    void chaddr(std::uint8_t family, std::uint32_t number) {
        packet_[chaddr_offset] = 0x02;
        packet_[chaddr_offset + 1] = family;
        put32_at(chaddr_offset + 2, number);
    }
    void put16_at(std::size_t offset, std::uint32_t value) {
        packet_[offset] = static_cast<std::uint8_t>(value >> 8U);
        packet_[offset + 1] = static_cast<std::uint8_t>(value);
    }
    void address_option(std::uint8_t code, std::uint32_t address) {
        put8(code);
        put8(4);
        put32(address);
    }
    /// RFC 951 without the cookie and the options of RFC 1497: as if none had been begun.
    [[nodiscard]] Packet finish_without_vendor_area() {
        std::fill(packet_.begin() + 236, packet_.end(), std::uint8_t{0});
        return packet_;
    }
    [[nodiscard]] Packet finish() {
        put8(255);
        return packet_;
    }

  private:
    Packet packet_ = {};
    std::size_t at_ = options_offset;
};

Writer inform(const Mac& mac, std::uint32_t xid) {
    Writer writer(1);
    writer.put32_at(xid_offset, xid);
    writer.put32_at(ciaddr_offset, mac.address);
    writer.chaddr(mac_family, mac.number);
    writer.option(53, {8});
    writer.option(55, {60, 43});
    writer.option(57, {0x05, 0xdc});
    writer.text_option(60, "AAPLBSDPC/i386/iMac12,1");
    return writer;
}

std::uint32_t read32(std::span<const std::uint8_t> octets) {
    return (std::uint32_t{octets[0]} << 24U) | (std::uint32_t{octets[1]} << 16U) |
           (std::uint32_t{octets[2]} << 8U) | octets[3];
}

/// Calls take(code, value) for each option; false when one runs past the end.
template <typename Take>
bool walk(std::span<const std::uint8_t> octets, Take&& take) {
    std::size_t at = 0;
    while (at < octets.size() && octets[at] != 255) {
        if (octets[at] == 0) {
            ++at;
            continue;
        }
        if (at + 2 > octets.size() || at + 2 + octets[at + 1] > octets.size()) return false;
        take(octets[at], octets.subspan(at + 2, octets[at + 1]));
        at += std::size_t{2} + octets[at + 1];
    }
    return true;
}

Writer ack(std::uint32_t server) {
    Writer writer(2);
    writer.put32_at(siaddr_offset, server);
    writer.option(53, {5});
    writer.put8(54);
    writer.put8(4);
    writer.put32(server);
    writer.text_option(60, server_class);
    return writer;
}

}  // namespace

Packet list_request(const Mac& mac, std::uint32_t xid) {
    auto writer = inform(mac, xid);
    writer.option(43, {1, 1, 1, 2, 2, 1, 1});
    return writer.finish();
}

Packet select_request(const Mac& mac, std::uint32_t xid, std::uint32_t server, std::uint32_t image) {
    auto writer = inform(mac, xid);
    writer.put8(43);
    writer.put8(19);
    for (const std::uint32_t octet : {1U, 1U, 2U, 2U, 2U, 1U, 1U, 3U, 4U}) writer.put8(octet);
    writer.put32(server);
    writer.put8(8);
    writer.put8(4);
    writer.put32(image);
    return writer.finish();
}

Packet loader_request(const Mac& mac, std::uint32_t xid, LoaderForm form) {
    Writer writer(1);
    writer.put32_at(xid_offset, xid);
    writer.chaddr(mac_family, mac.number);
    if (form == LoaderForm::with_cookie) return writer.finish();
    // GRUB writes the time of day into both.
    writer.put16_at(secs_offset, xid & 0xffffU);
    if (form == LoaderForm::grub_2_02) return writer.finish_without_vendor_area();
    writer.option(53, {1});
    return writer.finish();
}

Packet loader_dhcp_request(const Mac& mac, std::uint32_t xid, std::uint32_t server, std::uint32_t address) {
    Writer writer(1);
    writer.put32_at(xid_offset, xid);
    writer.put16_at(secs_offset, xid & 0xffffU);
    writer.chaddr(mac_family, mac.number);
    writer.option(53, {3});
    writer.address_option(54, server);
    writer.address_option(50, address);
    writer.option(55, {1, 3, 6, 15, 12, 17, 18});
    return writer.finish();
}

std::optional<LoaderAnswer> parse_loader_answer(std::span<const std::uint8_t> payload) {
    if (payload.size() < options_offset || payload[0] != 2 || payload[chaddr_offset + 1] != mac_family) {
        return std::nullopt;
    }
    LoaderAnswer answer;
    answer.xid = read32(payload.subspan(xid_offset));
    answer.mac_number = read32(payload.subspan(mac_number_offset));
    answer.address = read32(payload.subspan(yiaddr_offset));
    const bool whole = walk(payload.subspan(options_offset), [&](std::uint8_t code, auto value) {
        if (code == 53 && value.size() == 1) answer.type = static_cast<DhcpType>(value[0]);
        if (code == 54 && value.size() == 4) answer.server = read32(value);
    });
    return whole ? std::optional(answer) : std::nullopt;
}

Packet foreign_request(std::uint32_t number, std::uint32_t xid) {
    Writer writer(1);
    writer.put32_at(xid_offset, xid);
    writer.chaddr(0x50, number);
    writer.option(53, {1});
    writer.option(55, {1, 3, 43, 60, 66, 67});
    writer.option(57, {0x05, 0xc0});
    writer.option(93, {0, 7});
    writer.option(94, {1, 3, 16});
    writer.text_option(60, "PXEClient:Arch:00007");
    return writer.finish();
}

std::optional<Answer> parse_answer(std::span<const std::uint8_t> payload) {
    if (payload.size() < options_offset || payload[0] != 2) return std::nullopt;
    Answer answer;
    answer.xid = read32(payload.subspan(xid_offset));
    answer.has_file = payload[file_offset] != 0;
    bool is_ack = false;
    bool is_ours = false;
    bool has_message = false;
    bool vendor_whole = true;
    const bool whole = walk(payload.subspan(options_offset), [&](std::uint8_t code, auto value) {
        if (code == 53 && value.size() == 1) is_ack = value[0] == 5;
        if (code == 54 && value.size() == 4) answer.server = read32(value);
        if (code == 60)
            is_ours = std::equal(value.begin(), value.end(), server_class.begin(), server_class.end());
        if (code != 43) return;
        vendor_whole &= walk(value, [&](std::uint8_t sub, auto data) {
            if (sub == 1 && data.size() == 1) {
                answer.message = static_cast<Message>(data[0]);
                has_message = true;
            }
            if ((sub == 7 || (sub == 8 && answer.message == Message::select)) && data.size() == 4) {
                answer.image = read32(data);
            }
            if (sub == 9) answer.has_list = true;
        });
    });
    if (!whole || !vendor_whole || !is_ack || !is_ours || !has_message) return std::nullopt;
    return answer;
}

Packet list_answer(std::uint32_t server) {
    auto writer = ack(server);
    writer.put8(43);
    writer.put8(32);
    for (const std::uint32_t octet : {1U, 1U, 1U, 4U, 2U, 0x80U, 0U, 7U, 4U}) writer.put8(octet);
    writer.put32(only_image);
    writer.put8(9);
    writer.put8(17);
    writer.put32(only_image);
    writer.put8(static_cast<std::uint32_t>(image_name.size()));
    writer.put_text(image_name);
    return writer.finish();
}

Packet bootp_answer(std::uint32_t server) {
    Writer writer(2);
    writer.put32_at(siaddr_offset, server);
    writer.option(1, {255, 255, 0, 0});
    return writer.finish();
}

Packet select_answer(std::uint32_t server) {
    auto writer = ack(server);
    writer.put_text_at(file_offset, boot_file);
    writer.put8(43);
    writer.put8(9);
    for (const std::uint32_t octet : {1U, 1U, 2U, 8U, 4U}) writer.put8(octet);
    writer.put32(only_image);
    return writer.finish();
}

}  // namespace pomona::bench
