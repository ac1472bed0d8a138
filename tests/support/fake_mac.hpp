// FakeMac: a pretend Mac that speaks BSDP to the pure core, without a socket. It writes requests as firmware
// and Apple's tools do and reads the answers as strictly as they do.
#pragma once

#include <pomona/codec/bsdp.hpp>
#include <pomona/codec/dhcp.hpp>
#include <pomona/codec/frame.hpp>
#include <pomona/model/address_book.hpp>
#include <pomona/model/catalogue.hpp>
#include <pomona/model/client.hpp>
#include <pomona/policy/decision.hpp>
#include <pomona/policy/request.hpp>
#include <pomona/policy/situation.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pomona::tests {

/// What is in a request; change a field to make a variation.
struct BsdpMessage {
    codec::BootpHeader header;
    std::string sname;
    /// Value of option 52; 0 leaves it out.
    std::uint8_t overload = 0;
    std::uint8_t dhcp_type = 8;
    std::string vendor_class = "AAPLBSDPC/i386/iMac12,1";
    std::vector<std::uint8_t> vendor_options;
    std::optional<std::uint16_t> maximum_message_size;
    std::optional<base::Ipv4Address> requested_address;
    std::vector<std::uint8_t> parameter_request_list{1, 3, 67, 43, 60};
    bool with_vendor_options = true;

    /// Appends a sub-option.
    BsdpMessage& sub(std::uint8_t code, std::vector<std::uint8_t> value);
    [[nodiscard]] std::vector<std::uint8_t> payload() const;
};

/// A server without sockets: catalogue, rules, one identity and the records made so far.
struct FakeServer {
    policy::ServerIdentity identity;
    policy::BsdpRules rules;
    policy::BootpRules bootp;
    policy::AccessRules access;
    model::Catalogue catalogue;
    std::vector<model::Client> records;
    model::AddressBook book{100};
    model::TimePoint now{std::chrono::seconds(1'700'000'000)};

    FakeServer();
    [[nodiscard]] std::optional<model::Client> record_of(base::MacAddress mac, std::string_view model) const;
    /// The MAC's latest record, whatever the model.
    [[nodiscard]] std::optional<model::Client> record_of(base::MacAddress mac) const;
    void publish(std::vector<model::NetBootImage> images);
    void apply(const model::ClientChange& change);
};

/// What came back: an answer with its octets, or why there was none.
struct Outcome {
    std::optional<policy::Answer> answer;
    std::vector<std::uint8_t> payload;
    std::size_t images_left_out = 0;
    std::optional<policy::Silence> silence;
};

/// Sends one message through sighting_in, parse_request, decide and write_answer, and remembers what the
/// decision wants.
Outcome ask(FakeServer& server, const std::vector<std::uint8_t>& payload,
            base::Ipv4Address to = base::Ipv4Address::broadcast());
Outcome ask(FakeServer& server, const BsdpMessage& message,
            base::Ipv4Address to = base::Ipv4Address::broadcast());

/// A DHCP server's word to a client passes by.
void overhear(FakeServer& server, const std::vector<std::uint8_t>& payload);

/// An answer as a Mac reads it.
struct ReadAnswer {
    codec::BootpHeader header;
    std::string sname;
    std::string file;
    std::uint8_t dhcp_type = 0;
    base::Ipv4Address server_identifier;
    std::string root_path;
    /// Its texts are empty: they would point into the payload.
    codec::BsdpOptions bsdp;
    std::string machine_name;
    std::string shadow_mount_path;
    std::vector<std::pair<base::BootImageId, std::string>> images;
    std::vector<std::uint8_t> option_order;
};
/// nullopt if Apple's client would throw it away.
std::optional<ReadAnswer> read_answer(const std::vector<std::uint8_t>& payload);

class FakeMac {
  public:
    base::MacAddress mac{{0x40, 0x6c, 0x8f, 0x37, 0x95, 0x27}};
    std::string architecture = "i386";
    std::string model = "iMac12,1";
    base::Ipv4Address address{10, 0, 1, 32};
    std::uint32_t xid = 0x1a2b3c02;

    [[nodiscard]] BsdpMessage list() const;
    [[nodiscard]] BsdpMessage select(base::Ipv4Address server, std::optional<base::BootImageId> image) const;
    [[nodiscard]] BsdpMessage discover() const;
    [[nodiscard]] BsdpMessage request(base::Ipv4Address wanted) const;

  private:
    [[nodiscard]] BsdpMessage message(std::uint8_t dhcp_type) const;
};

/// A published image for tests, BootFileOnly, for i386.
model::NetBootImage boot_file_image(std::uint16_t index, std::string name, std::string folder);

}  // namespace pomona::tests
