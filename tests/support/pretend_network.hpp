// PretendNetwork: boot, DHCP and TFTP servers of a few lines each at the far end of a cable, for what talks
// to servers. They do what the test says, wrong things too.
#pragma once

#include "support/net_namespace.hpp"

#include <pomona/base/addresses.hpp>
#include <pomona/base/boot_image_id.hpp>
#include <pomona/codec/dhcp.hpp>

#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace pomona::tests {

struct PretendServer {
    base::Ipv4Address address;
    /// Answers BSDP.
    bool boots = true;
    std::optional<std::uint16_t> priority = std::uint16_t{100};
    std::optional<base::BootImageId> default_image;
    std::vector<std::pair<base::BootImageId, std::string>> images;
    bool fails_select = false;
    /// Answers a SELECT that names another server.
    bool takes_others_macs = false;
    /// In ACK[SELECT]; served over TFTP from this address.
    std::string file;
    std::string content;
    /// TFTP: the first this many requests and acknowledgements are lost.
    int loses = 0;
    /// TFTP: sends this many blocks at once, as one train of segments (UDP_SEGMENT).
    std::uint16_t window = 1;
    /// TFTP: says "file not found".
    bool has_no_file = false;
    /// Gives this address to everybody.
    std::optional<base::Ipv4Network> lends;
    bool refuses_request = false;
    /// Answers INFORM like a plain DHCP server.
    bool acks_inform = false;
    /// The first this many messages on port 67 are lost.
    int deaf_for = 0;
};

class PretendNetwork {
  public:
    /// `cable.far` has these addresses afterwards, in 10.9.0.0/24.
    PretendNetwork(const Cable& cable, std::vector<PretendServer> servers);
    PretendNetwork(const PretendNetwork&) = delete;
    PretendNetwork& operator=(const PretendNetwork&) = delete;
    ~PretendNetwork();

    /// How many RELEASE messages came.
    [[nodiscard]] int released() const { return released_; }

  private:
    struct Station {
        PretendServer server;
        int boot_socket = -1;  ///< bound to its address, port 67
        int tftp_socket = -1;
    };
    void run();
    void take_message(base::Bytes payload);
    void answer(Station& station, const codec::DhcpView& request);
    void answer_inform(const Station& station, const codec::DhcpView& request);
    void serve_tftp(Station& station);

    std::deque<Station> stations_;
    int ear_ = -1;
    std::atomic<bool> stop_ = false;
    std::atomic<int> released_ = 0;
    std::thread thread_;
};

}  // namespace pomona::tests
