#include "store/client_row.hpp"

#include <algorithm>
#include <string_view>

namespace pomona::store::client_row {

namespace {

/// End of the year 9999: later times cannot be written by most programs.
constexpr std::int64_t last_second = 253'402'300'799;
constexpr std::size_t longest_text = 64;

bool is_plain(std::string_view text) {
    return text.size() <= longest_text && std::ranges::none_of(text, [](char c) {
               const auto octet = static_cast<unsigned char>(c);
               return octet < 0x20 || octet == 0x7f;
           });
}

}  // namespace

base::Result<model::Client> read(const SqliteStatement& row) {
    const std::string mac_text = row.text(0);
    const std::string where = "machine \"" + mac_text.substr(0, longest_text) + "\"";
    const auto bad = [&](const char* column) {
        return base::fail(std::string("the value of ") + column + " makes no sense", where);
    };
    model::Client client;
    const auto mac = base::MacAddress::parse(mac_text);
    // Only the spelling that we write: another one would never be found by the statement that deletes it.
    if (!mac || mac->text() != mac_text) return bad("mac");
    client.key.mac = *mac;
    client.key.model = row.text(1);
    // A model comes from the network; anything but NUL and line feed may be in it.
    if (client.key.model.size() > longest_text || client.key.model.find('\0') != std::string::npos) {
        return bad("model");
    }
    client.architecture = row.text(2);
    if (!is_plain(client.architecture)) return bad("architecture");
    const auto image = base::BootImageId::parse(row.text(3));
    if (!image || image->index() == 0) return bad("image");
    client.image = *image;
    const auto address = base::Ipv4Address::parse(row.text(4));
    if (!address) return bad("address");
    client.address = *address;
    client.machine_name = row.text(5);
    if (client.machine_name.empty() || !is_plain(client.machine_name)) return bad("machine_name");
    if (!row.is_number(6) || row.number(6) < 1 || row.number(6) > 0xffffffff) return bad("number");
    client.number = static_cast<std::uint32_t>(row.number(6));

    struct Time {
        int column;
        const char* name;
        model::TimePoint* to;
    };
    for (const Time& time :
         {Time{7, "first_seen", &client.first_seen}, Time{8, "last_seen", &client.last_seen},
          Time{9, "last_selected", &client.last_selected}}) {
        const std::int64_t seconds = row.number(time.column);
        if (!row.is_number(time.column) || seconds < 0 || seconds > last_second) return bad(time.name);
        *time.to = model::TimePoint(std::chrono::seconds(seconds));
    }
    if (!row.is_number(10) || row.number(10) < 0 || row.number(10) > 1) return bad("chosen_by_hand");
    client.chosen_by_hand = row.number(10) == 1;
    return client;
}

void bind(SqliteStatement& upsert, const model::Client& client) {
    const auto seconds = [](model::TimePoint time) { return std::int64_t{time.time_since_epoch().count()}; };
    upsert.bind(1, client.key.mac.text());
    upsert.bind(2, client.key.model);
    upsert.bind(3, client.architecture);
    upsert.bind(4, client.image.text());
    upsert.bind(5, client.address.text());
    upsert.bind(6, client.machine_name);
    upsert.bind(7, std::int64_t{client.number});
    upsert.bind(8, seconds(client.first_seen));
    upsert.bind(9, seconds(client.last_seen));
    upsert.bind(10, seconds(client.last_selected));
    upsert.bind(11, std::int64_t{client.chosen_by_hand ? 1 : 0});
}

void bind(SqliteStatement& erase, const model::ClientKey& key) {
    erase.bind(1, key.mac.text());
    erase.bind(2, key.model);
}

}  // namespace pomona::store::client_row
