// Decision: what to do with a request. Either an Answer, as fields that write_answer turns into octets, or
// Silence with its reason; both may ask to remember something.
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/base/boot_image_id.hpp>
#include <pomona/base/bytes.hpp>
#include <pomona/codec/bsdp.hpp>
#include <pomona/codec/dhcp.hpp>
#include <pomona/model/address_book.hpp>
#include <pomona/model/client.hpp>
#include <pomona/policy/silence.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace pomona::policy {

enum class AnswerKind : std::uint8_t {
    list,
    select,
    failed,
    offer,
    bootp,  ///< an address for a loader: BOOTREPLY without option 53
    proxy,  ///< what a loader's own DHCP has to know besides its address: ProxyDHCP
};
inline constexpr std::size_t answer_kinds = 6;

/// "ACK[LIST]", "ACK[SELECT]", "ACK[FAILED]", "OFFER", "BOOTREPLY", "OFFER[PROXY]".
std::string_view text(AnswerKind kind);

/// Where the answer goes.
struct Destination {
    /// Link address to send to on the interface the request came from; absent: the kernel routes it.
    std::optional<base::MacAddress> link;
    base::Endpoint to;
};

struct Answer {
    AnswerKind kind = AnswerKind::list;
    Destination destination;
    /// Our address: option 54, siaddr unless another server holds the files, and the packet's source.
    base::Ipv4Address server;
    /// Header of the reply, complete.
    codec::BootpHeader header;
    std::string sname;
    std::string file;
    /// Longest UDP payload that the client takes.
    std::size_t payload_limit = 0;
    /// Repeat sname and file as options 66 and 67.
    bool boot_file_option = false;
    /// Option 17; empty for none.
    std::string root_path;

    // Vendor options. LIST:
    std::uint16_t priority = 0;
    base::BootImageId default_image;
    std::optional<base::BootImageId> selected_image;
    /// Views into the catalogue that the decision was made with; absent for version 1.0 clients.
    std::optional<std::vector<codec::ListedImage>> images;
    // SELECT and OFFER: selected_image, and for images with a root:
    bool with_machine_name = false;
    std::string machine_name;

    // BOOTREPLY: the network that yiaddr lies in.
    model::NetworkFacts network;
    /// Where yiaddr comes from, for the log: "host", "learned", "borrowed", "pool".
    std::string_view address_source;
    /// yiaddr is the machine's from now on, as far as the pool goes.
    bool from_pool = false;
    /// Ask for yiaddr by ARP before the answer leaves; if another host has it, silence.
    bool probe_address = false;
    // BOOTREPLY and OFFER[PROXY]: repeated from the request; views into it, empty for none.
    base::Bytes client_uuid;
    base::Bytes relay_information;

    /// Why a SELECT failed; for the log.
    std::string_view failure;
    /// To be durable before the answer leaves.
    std::optional<model::RememberChoice> remember;
};

/// No answer.
struct Quiet {
    Silence reason = Silence::not_bootp;
    std::optional<model::ClientChange> change;
    /// Ask the site's DHCP server for an address for this machine; the request can be answered once there is
    /// one.
    std::optional<base::Ipv4Network> borrow_in;
};

using Decision = std::variant<Answer, Quiet>;

/// The ACK[FAILED] that goes out when an ACK[SELECT] cannot: same way, no boot data.
Answer failed_instead(const Answer& answer, std::string_view failure);

/// An answer as octets.
struct WrittenAnswer {
    /// UDP payload, a view into the room given; empty if the answer does not fit.
    base::Bytes payload;
    /// LIST only: images of the list that did not fit.
    std::size_t images_left_out = 0;
};

/// Can the client take the answer, if need be without options 66 and 67 and without the machine name?
bool fits(const Answer& answer);

/// `room` should hold `payload_limit` octets; fewer bound the answer further. Options 66 and 67 and then the
/// machine name are left out of an answer that is too large with them.
WrittenAnswer write_answer(const Answer& answer, base::MutableBytes room);

}  // namespace pomona::policy
