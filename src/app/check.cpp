#include "app/check.hpp"

#include "app/flag.hpp"

#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

namespace pomona::app {

namespace {

using Severity = Finding::Severity;

constexpr std::uint16_t dhcp_port = 67;

std::string_view name_of(Severity severity) {
    switch (severity) {
        case Severity::ok:
            return "ok";
        case Severity::warning:
            return "warning";
        case Severity::error:
            return "error";
    }
    return "error";
}

bool all_are_pomona(std::span<const PortHolder> holders) {
    return std::ranges::all_of(holders, [](const PortHolder& holder) { return holder.program == "pomona"; });
}

std::string addresses_of(const io::Interface& interface) {
    std::string text;
    for (const base::Ipv4Network& address : interface.addresses) {
        text += (text.empty() ? "" : ", ") + address.text();
    }
    return text;
}

Finding check_readable(const std::string& subject, const std::string& path, const Account& account) {
    std::error_code error;
    if (!std::filesystem::exists(path, error) && !error) {
        return {Severity::error, subject, "there is no folder " + in_quotes(path),
                "make it, or name another"};
    }
    if (!error && !std::filesystem::is_directory(path, error)) {
        return {Severity::error, subject, in_quotes(path) + " is no folder", "name a folder"};
    }
    if (!account_may(account, path, R_OK | X_OK)) {
        return {Severity::error, subject, account.name + " cannot read " + in_quotes(path),
                "let " + account.name + " read and enter it and the folders above it"};
    }
    return {Severity::ok, subject, account.name + " can read " + in_quotes(path), {}};
}

/// A folder that serve makes if it is missing, provided root starts it.
Finding check_writable(const std::string& subject, const std::string& path, const Account& account) {
    const std::string make = "install -d -o " + account.name + " " + path;
    std::error_code error;
    if (!std::filesystem::exists(path, error)) {
        const std::string above = std::filesystem::path(path).parent_path();
        if (std::filesystem::is_directory(above, error) && ::access(above.c_str(), W_OK | X_OK) == 0) {
            return {Severity::ok, subject, in_quotes(path) + " will be made at the start", {}};
        }
        return {Severity::error, subject, "there is no folder " + in_quotes(path), make};
    }
    if (!std::filesystem::is_directory(path, error)) {
        return {Severity::error, subject, in_quotes(path) + " is no folder", "name a folder"};
    }
    if (!account_may(account, path, R_OK | W_OK | X_OK)) {
        return {Severity::error, subject, account.name + " cannot write in " + in_quotes(path),
                "chown " + account.name + " " + path};
    }
    return {Severity::ok, subject, account.name + " can write in " + in_quotes(path), {}};
}

/// What a program prints; empty if it is not there or fails.
std::string output_of(const char* command) {
    struct Close {
        void operator()(std::FILE* pipe) const { (void)::pclose(pipe); }
    };
    const std::unique_ptr<std::FILE, Close> pipe(::popen(command, "r"));
    if (!pipe) return {};
    constexpr std::size_t enough = 1 << 20;
    std::string output;
    std::array<char, 4096> part{};
    while (output.size() < enough) {
        const std::size_t got = std::fread(part.data(), 1, part.size(), pipe.get());
        if (got == 0) break;
        output.append(part.data(), got);
    }
    return output;
}

std::vector<Finding> check_firewall(const Settings& settings) {
    if (settings.tftp == TftpMode::off && !settings.http) return {};
    const std::string listing = output_of("PATH=$PATH:/usr/sbin:/sbin nft list chains 2>/dev/null");
    if (!input_is_dropped(listing)) return {};
    // Requests for images are read before any firewall; those for files are not.
    std::vector<Finding> findings;
    if (settings.tftp != TftpMode::off) {
        findings.push_back(
            {Severity::warning, "firewall", "it drops what no rule lets in",
             "let in UDP port " + std::to_string(settings.tftp_port) +
                 (settings.tftp_single_port ? "" : " and answers to it; tftp-port-range narrows the ports")});
    }
    if (settings.http) {
        findings.push_back({Severity::warning, "firewall", "it drops what no rule lets in",
                            "let in TCP port " + std::to_string(settings.http_port)});
    }
    return findings;
}

void append(std::vector<Finding>& all, std::vector<Finding> more) {
    std::ranges::move(more, std::back_inserter(all));
}

}  // namespace

std::vector<Finding> check_interfaces(const servers::InterfaceChoice& choice) {
    std::vector<Finding> findings;
    findings.reserve(choice.taken.size() + choice.refused.size() + 1);
    for (const io::Interface& interface : choice.taken) {
        findings.push_back({Severity::ok,
                            "interface " + interface.name,
                            "it is served (" + addresses_of(interface) + ")",
                            {}});
    }
    for (const servers::RefusedInterface& refused : choice.refused) {
        const Severity severity = refused.wanted ? Severity::error : Severity::ok;
        findings.push_back({severity, "interface " + refused.name, "it is not served: " + refused.reason,
                            refused.wanted ? refused.remedy : std::string()});
    }
    if (choice.taken.empty()) {
        findings.push_back({Severity::error, "interfaces", "none can be served",
                            "connect an Ethernet interface that has an IPv4 address"});
    }
    return findings;
}

std::vector<Finding> check_addresses(const Settings& settings, std::span<const io::Interface> served) {
    const auto holds = [&](base::Ipv4Address one, base::Ipv4Address other) {
        return std::ranges::any_of(served, [&](const io::Interface& interface) {
            return std::ranges::any_of(interface.addresses, [&](const base::Ipv4Network& network) {
                return network.contains(one) && network.contains(other);
            });
        });
    };
    // The first and the last address of a network that is served, which no host can have.
    const auto is_hosts = [&](base::Ipv4Address address) {
        return std::ranges::all_of(served, [&](const io::Interface& interface) {
            return std::ranges::all_of(interface.addresses, [&](const base::Ipv4Network& network) {
                return !network.contains(address) || model::is_host_of(network, address);
            });
        });
    };
    std::vector<Finding> findings;
    for (const model::AddressRange& range : settings.bootp_pool) {
        if (!holds(range.low, range.high)) {
            findings.push_back({Severity::error, "bootp-pool",
                                range.text() + " lies in no network of a served interface",
                                "name addresses of one of those networks"});
        } else if (!is_hosts(range.low) || !is_hosts(range.high)) {
            findings.push_back({Severity::error, "bootp-pool",
                                range.text() + " holds the network's own or its broadcast address",
                                "shorten the range"});
        }
    }
    const auto is_ours = [&](base::Ipv4Address address) {
        return std::ranges::any_of(served, [&](const io::Interface& interface) {
            return std::ranges::any_of(interface.addresses, [&](const base::Ipv4Network& network) {
                return network.address() == address;
            });
        });
    };
    if (settings.bootp_borrow_server && is_ours(*settings.bootp_borrow_server)) {
        findings.push_back({Severity::error, "bootp-borrow-server",
                            settings.bootp_borrow_server->text() +
                                " is this host, whose DHCP server hears a relay by broadcast only",
                            "leave the setting out: then every server on the link is asked, also one here"});
    }
    for (const model::BootpHost& host : settings.hosts) {
        if (!is_hosts(host.address)) {
            findings.push_back({Severity::error, settings.bootptab.empty() ? "host" : "bootptab",
                                host.mac.text() + " is given the network's own or its broadcast address, " +
                                    host.address.text(),
                                "give it another address"});
        }
        if (holds(host.address, host.address)) continue;
        findings.push_back({Severity::warning, "host " + host.mac.text(),
                            host.address.text() + " lies in no network of a served interface",
                            "that is right only if the machine asks through a relay"});
    }
    return findings;
}

std::vector<Finding> check_dhcp_port(std::span<const PortHolder> holders, const Settings& settings) {
    const std::string subject = "port 67";
    if (holders.empty()) {
        return {{Severity::ok,
                 subject,
                 settings.hold_port ? "it is free; pomona will hold it silently" : "it is free, and stays so",
                 {}}};
    }
    if (all_are_pomona(holders)) {
        return {{Severity::warning, subject, names_of(holders, "runs", "run") + " already",
                 "two of them answer every Mac twice: end one before you start another"}};
    }
    return {{Severity::ok, subject, names_of(holders, "has", "have") + " it; pomona works beside it", {}}};
}

std::vector<Finding> check_tftp_port(std::span<const PortHolder> holders, const Settings& settings) {
    const std::string subject = "port " + std::to_string(settings.tftp_port);
    std::vector<Finding> findings;
    switch (settings.tftp) {
        case TftpMode::off:
            return {{Severity::ok, "TFTP", "it is off; Macs need the files from elsewhere", {}}};
        case TftpMode::external:
            if (holders.empty()) {
                return {{Severity::warning, subject, "tftp is external, but no program here has the port",
                         "start that TFTP server, or set tftp to on"}};
            }
            return {{Severity::ok,
                     subject,
                     names_of(holders, "has", "have") + " it, and is to send the files",
                     {}}};
        case TftpMode::on:
            break;
    }
    if (settings.tftp_port != 69) {
        findings.push_back(
            {Severity::warning, "tftp-port", "Macs ask port 69 only",
             "remove the setting (" + settings.source_of("tftp-port") + ") unless it is for a test"});
    }
    if (holders.empty()) {
        findings.push_back({Severity::ok, subject, "it is free", {}});
    } else if (all_are_pomona(holders)) {
        findings.push_back({Severity::ok, subject, names_of(holders, "has", "have") + " it", {}});
    } else {
        findings.push_back({Severity::warning, subject,
                            names_of(holders, "has", "have") + " it: pomona will serve without TFTP",
                            "stop that program, or let it send the files: tftp=external and tftp-root"});
    }
    return findings;
}

std::vector<Finding> check_http_port(std::span<const PortHolder> all_holders, const Settings& settings) {
    if (!settings.http) return {{Severity::ok, "HTTP", "it is off", {}}};
    const std::string subject = "TCP port " + std::to_string(settings.http_port);
    std::vector<PortHolder> holders;
    std::ranges::copy_if(all_holders, std::back_inserter(holders), [&](const PortHolder& holder) {
        return settings.http_addresses.empty() || holder.address.is_zero() ||
               std::ranges::count(settings.http_addresses, holder.address) != 0;
    });
    if (holders.empty()) return {{Severity::ok, subject, "it is free", {}}};
    if (all_are_pomona(holders)) {
        return {{Severity::ok, subject, names_of(holders, "has", "have") + " it", {}}};
    }
    return {{Severity::warning, subject,
             names_of(holders, "has", "have") + " it: pomona will serve without HTTP",
             "stop that program, or choose another http-port or an http-address of its own"}};
}

std::vector<Finding> check_privileges(bool is_root, const Capabilities& capabilities,
                                      const Settings& settings) {
    if (is_root && capabilities.net_raw && capabilities.net_bind_service) {
        return {{Severity::ok, "privileges", "root can open the ports", {}}};
    }
    const std::string how = "start as root, or with the capabilities CAP_NET_RAW and CAP_NET_BIND_SERVICE";
    std::vector<Finding> findings;
    if (!capabilities.net_raw) {
        findings.push_back({Severity::error, "privileges", "CAP_NET_RAW is missing to read requests", how});
    }
    constexpr std::uint16_t first_free_port = 1024;
    const bool low_port = settings.tftp == TftpMode::on && settings.tftp_port < first_free_port;
    const bool low_http_port = settings.http && settings.http_port < first_free_port;
    if (!capabilities.net_bind_service && (low_port || low_http_port || settings.hold_port)) {
        findings.push_back({low_port ? Severity::error : Severity::warning, "privileges",
                            "CAP_NET_BIND_SERVICE is missing to open ports below 1024", how});
    }
    if (findings.empty()) findings.push_back({Severity::ok, "privileges", "the capabilities are there", {}});
    return findings;
}

std::vector<Finding> check_folders(const Settings& settings, const Account& account) {
    std::vector<Finding> findings;
    findings.reserve(settings.image_roots.size() + 3);
    for (const ImageRoot& root : settings.image_roots) {
        findings.push_back(check_readable("image-root " + root.name, root.path, account));
    }
    if (!settings.tftp_root.empty() && settings.tftp != TftpMode::off) {
        findings.push_back(check_readable("tftp-root", settings.tftp_root, account));
    }
    findings.push_back(check_writable("state-dir", settings.state_dir, account));
    findings.push_back(check_writable("control-socket",
                                      std::filesystem::path(settings.control_socket).parent_path(), account));
    return findings;
}

bool input_is_dropped(std::string_view nft_listing) {
    while (!nft_listing.empty()) {
        const std::size_t end = std::min(nft_listing.find('\n'), nft_listing.size());
        const std::string_view line = nft_listing.substr(0, end);
        nft_listing.remove_prefix(std::min(end + 1, nft_listing.size()));
        if (line.find("hook input") != std::string_view::npos &&
            line.find("policy drop") != std::string_view::npos) {
            return true;
        }
    }
    return false;
}

std::vector<Finding> check_host(const Settings& settings, const ImageCheck& images) {
    std::vector<Finding> findings;
    findings.reserve(settings.sources.size());
    for (const auto& [name, source] : settings.sources) {
        findings.push_back({Severity::ok, "setting " + name, "from " + source, {}});
    }
    const servers::InterfaceChoice choice =
        servers::choose_interfaces(io::list_interfaces(), settings.interfaces);
    append(findings, check_interfaces(choice));
    append(findings, check_addresses(settings, choice.taken));
    append(findings, check_dhcp_port(udp_port_holders(dhcp_port), settings));
    append(findings, check_tftp_port(udp_port_holders(settings.tftp_port), settings));
    append(findings, check_http_port(tcp_port_holders(settings.http_port), settings));
    append(findings, check_privileges(::geteuid() == 0, current_capabilities(), settings));

    const base::Result<Account> account = find_account(settings.user);
    if (!account) {
        findings.push_back({Severity::error, "user", account.error().what, account.error().remedy});
    } else if (must_switch_to(*account) && ::geteuid() != 0) {
        findings.push_back({Severity::error, "user", "only root can become " + in_quotes(account->name),
                            "start as root, or stay who you are: --user \"\""});
    } else {
        findings.push_back({Severity::ok, "user", "it will run as " + account->name, {}});
        append(findings, check_folders(settings, *account));
    }
    append(findings, check_firewall(settings));
    if (images) append(findings, images(settings));
    return findings;
}

void print_findings(std::span<const Finding> findings, bool json, std::ostream& output) {
    if (json) {
        nlohmann::json list = nlohmann::json::array();
        for (const Finding& finding : findings) {
            list.push_back({{"severity", name_of(finding.severity)},
                            {"subject", finding.subject},
                            {"what", finding.what},
                            {"remedy", finding.remedy}});
        }
        output << list.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
        return;
    }
    constexpr std::size_t column = 9;
    for (const Finding& finding : findings) {
        std::string line(name_of(finding.severity));
        line.resize(column, ' ');
        line += finding.subject + ": " + finding.what;
        if (!finding.remedy.empty()) line += "; " + finding.remedy;
        output << line << "\n";
    }
    const auto count = [&](Severity severity) {
        return std::ranges::count(findings, severity, &Finding::severity);
    };
    const auto counted = [](std::ptrdiff_t number, const char* noun) {
        return std::to_string(number) + " " + noun + (number == 1 ? "" : "s");
    };
    output << "\n"
           << counted(count(Severity::error), "error") << ", " << counted(count(Severity::warning), "warning")
           << "\n";
}

int run_check(const Settings& settings, bool json, std::ostream& output, const ImageCheck& images) {
    const std::vector<Finding> findings = check_host(settings, images);
    print_findings(findings, json, output);
    return std::ranges::count(findings, Severity::error, &Finding::severity) == 0 ? 0 : 1;
}

}  // namespace pomona::app
