// BOOTP and DHCP messages (RFC 951, 2131, 2132, 3396 where noted): the fixed header, the walk over the
// options with overload, and a writer that never exceeds what the client can take.
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/base/bytes.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>
#include <utility>

namespace pomona::codec {

/// DHCP option codes that this program reads or writes.
enum class Option : std::uint8_t {
    pad = 0,
    subnet_mask = 1,
    router = 3,
    domain_name_server = 6,
    host_name = 12,
    domain_name = 15,
    root_path = 17,
    vendor_specific = 43,
    requested_address = 50,
    lease_time = 51,
    overload = 52,
    message_type = 53,
    server_identifier = 54,
    parameter_request_list = 55,
    maximum_message_size = 57,
    vendor_class = 60,
    client_identifier = 61,
    tftp_server_name = 66,
    boot_file_name = 67,
    user_class = 77,
    relay_agent_information = 82,
    client_uuid = 97,
    macnc_client = 221,  ///< "Apple MacNC": NetBoot 1.0 firmware, over BOOTP
    end = 255,
};

/// Values of option 53.
enum class DhcpType : std::uint8_t {
    discover = 1,
    offer = 2,
    request = 3,
    decline = 4,
    ack = 5,
    nak = 6,
    release = 7,
    inform = 8,
};

inline constexpr std::uint8_t bootrequest = 1;
inline constexpr std::uint8_t bootreply = 2;
inline constexpr std::uint8_t hardware_ethernet = 1;
inline constexpr std::uint16_t flag_broadcast = 0x8000;
inline constexpr std::uint32_t dhcp_cookie = 0x63825363;
/// The part of a message in front of the vendor area; the shortest message there is.
inline constexpr std::size_t bootp_fixed_size = 236;
/// The shortest message that we send.
inline constexpr std::size_t bootp_minimum_size = 300;
inline constexpr std::uint16_t bootp_server_port = 67;
inline constexpr std::uint16_t bootp_client_port = 68;

/// The fixed fields without sname and file. Numbers in host byte order.
struct BootpHeader {
    std::uint8_t op = bootrequest;
    std::uint8_t htype = hardware_ethernet;
    std::uint8_t hlen = 6;
    std::uint8_t hops = 0;
    std::uint32_t xid = 0;
    std::uint16_t secs = 0;
    std::uint16_t flags = 0;
    base::Ipv4Address ciaddr;
    base::Ipv4Address yiaddr;
    base::Ipv4Address siaddr;
    base::Ipv4Address giaddr;
    std::array<std::uint8_t, 16> chaddr{};

    /// The first six octets of chaddr: the MAC of an Ethernet client.
    [[nodiscard]] base::MacAddress mac() const;
    void set_mac(base::MacAddress mac);
    friend bool operator==(const BootpHeader&, const BootpHeader&) = default;
};

enum class DhcpFault : std::uint8_t {
    too_short,  ///< fewer than 236 octets, or hlen above 16
    no_cookie,  ///< plain BOOTP
    malformed,  ///< an option runs past the end of its field, or option 52 has no meaning
};

/// A message whose options were walked once from end to end, so that later walks cannot fail. A view.
class DhcpView {
  public:
    /// Header, sname and file of any BOOTP message; there are no options if options_fault() names a reason.
    static std::expected<DhcpView, DhcpFault> parse(base::Bytes message);

    [[nodiscard]] const BootpHeader& header() const { return header_; }
    /// The 64 and 128 octets as they are, NUL padding included.
    [[nodiscard]] base::Bytes sname() const { return sname_; }
    [[nodiscard]] base::Bytes file() const { return file_; }
    /// The octets behind the fixed part.
    [[nodiscard]] base::Bytes vendor_area() const { return vendor_; }
    /// nullopt when the options were read without complaint; otherwise why there are none.
    [[nodiscard]] std::optional<DhcpFault> options_fault() const { return options_fault_; }
    /// Option 52 says that sname (or file) carries options instead of a name.
    [[nodiscard]] bool sname_overloaded() const { return (overload_ & 2) != 0; }
    [[nodiscard]] bool file_overloaded() const { return (overload_ & 1) != 0; }

    /// Calls `visit(Option, Bytes)` for each option in order: vendor area, then file, then sname if
    /// overloaded. Instances of one code come one by one, never glued together.
    template <typename Visit>
    void for_each_option(Visit&& visit) const {
        if (options_fault_) return;
        for (const base::Bytes field : {options_, overload_field(1, file_), overload_field(2, sname_)}) {
            (void)walk(field, visit);
        }
    }

    /// The first instance of an option.
    [[nodiscard]] std::optional<base::Bytes> option(Option code) const;
    /// The first instance as text, up to a NUL that some senders append; empty if there is none.
    [[nodiscard]] std::string_view option_text(Option code) const;
    /// The first instance if it has exactly this length.
    [[nodiscard]] std::optional<std::uint8_t> option_u8(Option code) const;
    [[nodiscard]] std::optional<std::uint16_t> option_u16(Option code) const;
    [[nodiscard]] std::optional<base::Ipv4Address> option_address(Option code) const;
    /// Value of option 53, whatever it is.
    [[nodiscard]] std::optional<DhcpType> type() const;
    /// Does the parameter request list (option 55) hold this code?
    [[nodiscard]] bool asks_for(Option code) const;

  private:
    [[nodiscard]] base::Bytes overload_field(unsigned bit, base::Bytes field) const {
        return (overload_ & bit) != 0 ? field : base::Bytes{};
    }

    /// False if an option runs past the end of the field.
    template <typename Visit>
    static bool walk(base::Bytes field, Visit&& visit) {
        base::ByteReader reader(field);
        while (reader.remaining() > 0) {
            const auto code = static_cast<Option>(reader.u8());
            if (code == Option::pad) continue;
            if (code == Option::end) return true;
            const std::size_t length = reader.u8();
            const base::Bytes value = reader.bytes(length);
            if (!reader.ok()) return false;
            visit(code, value);
        }
        return true;
    }

    BootpHeader header_;
    base::Bytes sname_;
    base::Bytes file_;
    base::Bytes vendor_;
    base::Bytes options_;
    unsigned overload_ = 0;
    std::optional<DhcpFault> options_fault_;
};

/// Writes a message into `room`; the room's size is the bound. ok() is false once anything did not fit.
class DhcpWriter {
  public:
    /// `sname` and `file` are cut off at 63 and 127 octets so that a NUL always follows.
    DhcpWriter(base::MutableBytes room, const BootpHeader& header, std::string_view sname,
               std::string_view file);

    [[nodiscard]] bool ok() const { return writer_.ok(); }
    /// Octets left for options, the closing 255 already put aside.
    [[nodiscard]] std::size_t room() const;

    /// One option instance of at most 255 octets; longer ones fail the writer.
    void option(Option code, base::Bytes value);
    void option_text(Option code, std::string_view value) { option(code, base::as_bytes(value)); }
    void option_u8(Option code, std::uint8_t value);
    void option_address(Option code, base::Ipv4Address value);

    /// Appends 255 and zeros up to 300 octets. Empty if something did not fit.
    base::Bytes finish();

  private:
    base::ByteWriter writer_;
};

/// How long an answer may be (UDP payload) for what the client said about itself: sub-option 12 of BSDP if
/// given, else option 57; never below the 548 octets that everybody takes, never above `cap`.
std::size_t payload_limit(std::optional<std::uint16_t> said, std::size_t cap);

}  // namespace pomona::codec
