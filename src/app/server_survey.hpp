// ServerSurvey: the answers of all boot servers to one LIST, put together as Startup Disk shows them (the
// merging rules of Apple's bsdpc tool), and what in them will trouble somebody.
#pragma once

#include "app/bsdp_client.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace pomona::app {

/// One line of the menu.
struct MenuEntry {
    OfferedImage image;
    /// Who is asked when it is chosen: of the servers that offer it, the one of the greatest priority; of
    /// equals the one that answered first.
    base::Ipv4Address server;
    /// All that offer it, that one included, in the order of their answers.
    std::vector<base::Ipv4Address> offered_by;
    /// Its server's default, and its server's memory of our last choice.
    bool is_default = false;
    bool is_remembered = false;

    friend bool operator==(const MenuEntry&, const MenuEntry&) = default;
};

class ServerSurvey {
  public:
    /// A server that answers again replaces its earlier answer and keeps its place. True for a new server.
    bool add(ListAnswer answer);
    /// Remembers an answer that no Mac accepts, once per sender and reason. True if it is worth a line now.
    bool add(const NotAccepted& refused);

    [[nodiscard]] std::span<const ListAnswer> servers() const { return servers_; }
    /// Global images (index 4096 and above) of equal id are one line, whoever offers them; local ones of each
    /// server stay apart.
    [[nodiscard]] std::vector<MenuEntry> menu() const;
    /// One sentence each: oddities of single answers, and what does not fit between servers.
    [[nodiscard]] std::vector<std::string> warnings() const;

    /// What firmware boots without a menu: a remembered choice wins, else the default of the server of the
    /// greatest priority.
    [[nodiscard]] std::optional<MenuEntry> unattended_choice() const;
    /// The menu's first line with this id.
    [[nodiscard]] std::optional<MenuEntry> find(base::BootImageId id) const;

  private:
    std::vector<ListAnswer> servers_;
    std::vector<NotAccepted> refused_;
};

/// Text from the network for a terminal or a log: control characters become '?'.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace pomona::app
