// Settings: everything that can be set about the daemon, read once from flags, POMONA_* variables and files,
// then never changed. The table of all settings is setting_table.hpp.
#pragma once

#include "servers/log.hpp"

#include <pomona/base/addresses.hpp>
#include <pomona/base/error.hpp>
#include <pomona/model/bootp_host.hpp>
#include <pomona/model/bootp_pool.hpp>
#include <pomona/policy/situation.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pomona::app {

/// A folder of `.nbi` folders, and the name by which clients reach it.
struct ImageRoot {
    std::string name;  ///< "NetBootSP0"
    std::string path;  ///< absolute

    friend bool operator==(const ImageRoot&, const ImageRoot&) = default;
};

/// Both ends belong to it.
struct PortRange {
    std::uint16_t low = 0;
    std::uint16_t high = 0;

    friend bool operator==(const PortRange&, const PortRange&) = default;
};

enum class TftpMode : std::uint8_t {
    on,
    off,
    external  ///< another TFTP server has the files below tftp-root
};

/// What stands in the field `sname` of replies.
enum class SnameField : std::uint8_t { host, empty };

struct Settings {
    std::vector<std::string> interfaces;  ///< empty: every suitable one
    std::vector<ImageRoot> image_roots{{"NetBootSP0", "/srv/netboot/NetBootSP0"}};
    std::vector<std::string> image_order;
    std::vector<std::string> honour_disabled_models;
    std::vector<std::string> ia32_models;  ///< models or patterns with '*'; whatever the table says
    std::vector<std::string> x64_models;

    std::string state_dir = "/var/lib/pomona";
    std::string control_socket = "/run/pomona/control";
    std::string user = "pomona";  ///< empty: stay who we are

    std::string server_name;  ///< never empty after read_settings
    SnameField sname = SnameField::host;
    std::uint16_t priority_base = 32768;
    bool answer_discover = false;
    bool option_67 = false;
    std::vector<base::Ipv4Network> client_networks;  ///< empty: everybody
    std::vector<base::MacAddress> allow_macs;        ///< empty: everybody
    std::vector<base::MacAddress> deny_macs;

    bool bootp = true;
    bool bootp_answer_discover = true;
    std::uint32_t bootp_lifetime = 1800;   ///< seconds
    std::uint32_t bootp_probe_wait = 100;  ///< milliseconds; 0: nobody is asked
    std::vector<policy::BootpNetwork> bootp_networks;
    bool bootp_borrow = false;
    std::uint32_t bootp_borrow_time = 600;                 ///< seconds
    std::optional<base::Ipv4Address> bootp_borrow_server;  ///< empty: whoever answers on the link
    std::vector<model::AddressRange> bootp_pool;
    std::vector<model::BootpHost> hosts;
    std::string bootptab;  ///< empty: none

    std::string machine_name_prefix = "NetBoot";
    std::uint32_t max_machines = 20000;
    std::uint32_t remember_days = 400;

    bool hold_port = true;
    std::uint32_t capture_buffer = 5U << 20;  ///< bytes, for each interface

    TftpMode tftp = TftpMode::on;
    std::string tftp_root;  ///< empty: none
    std::uint16_t tftp_port = 69;
    bool tftp_single_port = false;
    std::optional<PortRange> tftp_port_range;  ///< none: the kernel chooses
    std::uint16_t tftp_max_blksize = 1456;
    std::uint16_t tftp_max_windowsize = 64;
    std::uint32_t tftp_max_transfers = 4000;
    std::uint32_t tftp_max_transfers_per_client = 64;

    bool http = true;
    std::uint16_t http_port = 80;
    std::vector<base::Ipv4Address> http_addresses;  ///< empty: all of this host
    std::uint32_t http_max_connections = 1000;
    std::uint32_t http_max_connections_per_client = 256;

    servers::Level log_level = servers::Level::info;
    servers::LogFormat log_format = servers::LogFormat::text;

    /// Where the value of a setting came from: "flag --tftp-root", "variable POMONA_TFTP_ROOT",
    /// "/etc/pomona/pomona.conf line 7", or "default".
    [[nodiscard]] std::string source_of(std::string_view setting) const;
    /// The same behind the setting's name, as errors say it: "tftp-root (flag --tftp-root)".
    [[nodiscard]] std::string place_of(std::string_view setting) const;

    std::map<std::string, std::string, std::less<>> sources;  ///< of what is not default
};

/// A value as it was given: the setting's name, its text, and where it stands.
struct GivenSetting {
    std::string name;
    std::string value;
    std::string source;
};

inline constexpr std::string_view default_config_file = "/etc/pomona/pomona.conf";

struct SettingSources {
    std::vector<GivenSetting> flags;
    /// "NAME=value", as in environ; all but POMONA_* are ignored.
    std::vector<std::string> environment;
    /// The value of --config. With none POMONA_CONFIG says which file, and then default_config_file is read
    /// if it exists. After FILE come FILE.d/*.conf in the order of their names.
    std::optional<std::string> config_file;
    /// Replaceable for tests.
    std::string default_file{default_config_file};
};

/// Flags beat variables beat files; the list of a stronger source replaces the whole list of a weaker one.
/// Every value is checked, also one that a stronger source replaces. The error names setting, source, remedy.
base::Result<Settings> read_settings(const SettingSources& sources);

/// What must fit together although each setting alone is right.
base::Result<void> cross_check(const Settings& settings);

}  // namespace pomona::app
