#include "servers/machine_verbs.hpp"

#include <pomona/model/boot_paths.hpp>

#include <nlohmann/json.hpp>

#include <array>
#include <charconv>
#include <ctime>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace pomona::servers {

using nlohmann::json;

namespace {

json time_text(model::TimePoint when) {
    if (when == model::TimePoint()) return nullptr;
    const std::time_t seconds = when.time_since_epoch().count();
    std::tm parts{};
    if (gmtime_r(&seconds, &parts) == nullptr) return nullptr;
    std::array<char, 48> text{};
    const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    return std::string(text.data(), length);
}

json machine(const model::Client& client, const ImageNames& images, bool shared) {
    const std::string name = images.name_of ? images.name_of(client.image) : std::string();
    return {{"mac", client.key.mac.text()},
            {"model", client.key.model},
            {"architecture", client.architecture},
            {"image", client.image.text()},
            {"image_name", name.empty() ? json() : json(name)},
            {"address", client.address.is_zero() ? json() : json(client.address.text())},
            {"machine_name", client.machine_name},
            {"number", client.number},
            {"first_seen", time_text(client.first_seen)},
            {"last_seen", time_text(client.last_seen)},
            {"last_selected", time_text(client.last_selected)},
            {"chosen_by_hand", client.chosen_by_hand},
            {"shared_adapter", shared}};
}

json machines(const std::vector<model::Client>& clients, const ImageNames& images) {
    std::map<base::MacAddress, int> records;
    for (const model::Client& client : clients) ++records[client.key.mac];
    json list = json::array();
    for (const model::Client& client : clients)
        list.push_back(machine(client, images, records[client.key.mac] > 1));
    return list;
}

json boot(const BootFacts& facts) {
    constexpr std::array firmware = {"ia32", "x64", "doubtful", "none"};
    constexpr std::array netboot = {"yes", "T2", "Apple-silicon"};
    json result{{"published", facts.published},
                {"boot_file_only", facts.boot_file_only},
                {"boot_file", facts.boot_file.empty() ? json() : json(facts.boot_file)},
                {"boot_server", facts.boot_server ? json(facts.boot_server->text()) : json()},
                {"firmware", nullptr},
                {"netboot", nullptr}};
    if (facts.model) {
        result["firmware"] = firmware.at(static_cast<std::size_t>(facts.model->firmware));
        result["netboot"] = netboot.at(static_cast<std::size_t>(facts.model->netboot));
    }
    return result;
}

base::Result<std::string> text_of(const json& request, const char* key) {
    const auto at = request.find(key);
    if (at == request.end()) return base::fail("the request lacks a value", key);
    if (!at->is_string()) return base::fail("the value is no text", key);
    return at->get<std::string>();
}

base::Result<base::MacAddress> mac_of(const json& request) {
    const auto text = text_of(request, "mac");
    if (!text) return std::unexpected(text.error());
    const auto mac = base::MacAddress::parse(*text);
    if (!mac)
        return base::fail("\"" + *text + "\" is no MAC address", "mac", "write it like 40:6c:8f:37:95:27");
    if (mac->is_multicast() || mac->is_zero()) {
        return base::fail(mac->text() + " is the address of no single machine", "mac",
                          "write the Mac's own address");
    }
    return *mac;
}

base::Result<std::optional<std::string>> model_of(const json& request) {
    const auto at = request.find("model");
    if (at == request.end() || at->is_null()) return std::optional<std::string>();
    if (!at->is_string()) return base::fail("the value is no text", "model");
    auto model = at->get<std::string>();
    if (model.size() > 64) return base::fail("a model has at most 64 octets", "model");
    return std::optional(std::move(model));
}

std::unexpected<base::Error> unknown_machine(base::MacAddress mac, const std::optional<std::string>& model) {
    return base::fail(
        "no machine " + mac.text() + (model ? " of model \"" + *model + "\"" : "") + " is remembered", "mac",
        "`pomona machine list` shows those that are");
}

class Verbs {
  public:
    Verbs(store::ClientRegistry& registry, MachineVerbOptions options)
        : registry_(registry), options_(std::move(options)) {
        if (!options_.now) {
            options_.now = [] {
                return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
            };
        }
    }

    [[nodiscard]] base::Result<json> list(const json&) const {
        return json{{"machines", machines(registry_.list(), options_.images)}};
    }

    [[nodiscard]] base::Result<json> show(const json& request) const {
        const auto mac = mac_of(request);
        if (!mac) return std::unexpected(mac.error());
        const std::vector<model::Client> clients = registry_.find(*mac);
        if (clients.empty()) return unknown_machine(*mac, std::nullopt);
        json list = machines(clients, options_.images);
        for (std::size_t i = 0; i < clients.size() && options_.images.boot_of; ++i)
            list[i]["boot"] = boot(options_.images.boot_of(clients[i]));
        return json{{"machines", std::move(list)}};
    }

    [[nodiscard]] base::Result<json> select(const json& request) const {
        const auto mac = mac_of(request);
        if (!mac) return std::unexpected(mac.error());
        const auto model = model_of(request);
        if (!model) return std::unexpected(model.error());
        const auto text = text_of(request, "image");
        if (!text) return std::unexpected(text.error());
        const base::Result<base::BootImageId> image = image_of(*text);
        if (!image) return std::unexpected(image.error());

        std::vector<model::ClientKey> keys;
        if (*model) {
            keys.push_back({*mac, **model});
        } else {
            for (const model::Client& client : registry_.find(*mac)) keys.push_back(client.key);
        }
        if (keys.empty()) {
            return base::fail(
                "the machine " + mac->text() + " is not known yet, so its model is needed", "model",
                "add --model, for instance --model iMac12,1; `About This Mac` and the label on the "
                "case name it");
        }
        std::vector<model::Client> chosen;
        bool durable = true;
        for (const model::ClientKey& key : keys) {
            const auto client = apply(model::RememberChoice{.key = key,
                                                            .architecture = {},
                                                            .image = *image,
                                                            .address = {},
                                                            .when = options_.now(),
                                                            .by_hand = true},
                                      durable);
            if (!client) {
                return base::fail("there is no room for another machine: all of them were chosen by hand",
                                  "mac", "forget some with `pomona machine forget`, or raise max-machines");
            }
            chosen.push_back(*client);
        }
        json result{{"machines", machines(chosen, options_.images)}, {"durable", durable}};
        return result;
    }

    [[nodiscard]] base::Result<json> forget(const json& request) const {
        const auto mac = mac_of(request);
        if (!mac) return std::unexpected(mac.error());
        const auto model = model_of(request);
        if (!model) return std::unexpected(model.error());
        const std::size_t known =
            *model ? std::size_t{registry_.find({*mac, **model}).has_value()} : registry_.find(*mac).size();
        if (known == 0) return unknown_machine(*mac, *model);
        bool durable = true;
        apply(model::ForgetClient{*mac, *model}, durable);
        return json{{"forgotten", known}, {"durable", durable}};
    }

  private:
    [[nodiscard]] base::Result<base::BootImageId> image_of(const std::string& text) const {
        if (options_.images.find) return options_.images.find(text);
        if (const auto id = base::BootImageId::parse(text); id && id->index() != 0) return *id;
        return base::fail("\"" + text + "\" is no image id", "image", "write it like 0x81001001");
    }

    /// Waits until the change is on disk, within bounds; clears `durable` if that was not so.
    std::optional<model::Client> apply(const model::ClientChange& change, bool& durable) const {
        const auto promise = std::make_shared<std::promise<bool>>();
        std::future<bool> written = promise->get_future();
        auto client = registry_.apply(change, [promise](bool ok) { promise->set_value(ok); });
        if (written.wait_for(options_.durable_within) != std::future_status::ready || !written.get())
            durable = false;
        return client;
    }

    store::ClientRegistry& registry_;
    MachineVerbOptions options_;
};

std::string listing(const model::Catalogue& catalogue) {
    if (catalogue.empty()) return "no image is published; `pomona image check` says why";
    std::string text = "published are";
    for (const model::NetBootImage& image :
         catalogue.images().first(std::min<std::size_t>(catalogue.images().size(), 20))) {
        text += (text.ends_with("are") ? " " : ", ") + image.id.text() + " " + image.folder + " \"" +
                image.name + "\"";
    }
    return text + (catalogue.images().size() > 20 ? ", and more" : "");
}

}  // namespace

base::Result<base::BootImageId> find_image(const model::Catalogue& catalogue, const std::string& text) {
    std::vector<const model::NetBootImage*> found;
    const auto collect = [&](auto matches) {
        if (!found.empty()) return;
        for (const model::NetBootImage& image : catalogue.images()) {
            if (matches(image)) found.push_back(&image);
        }
    };
    // The surest meaning first; a later one counts only when no earlier one fits.
    if (const auto id = base::BootImageId::parse(text)) {
        collect([&](const model::NetBootImage& image) { return image.id == *id; });
    }
    unsigned index = 0;
    const auto number = std::from_chars(text.data(), text.data() + text.size(), index);
    if (number.ec == std::errc{} && number.ptr == text.data() + text.size()) {
        collect([&](const model::NetBootImage& image) { return image.id.index() == index; });
    }
    collect([&](const model::NetBootImage& image) {
        return image.share + "/" + image.folder == text || image.folder == text ||
               image.folder == text + ".nbi";
    });
    collect([&](const model::NetBootImage& image) { return image.name == text; });

    if (found.empty())
        return base::fail("no published image is called \"" + text + "\"", "image", listing(catalogue));
    if (found.size() > 1) {
        std::string ids;
        for (const model::NetBootImage* image : found) {
            ids += (ids.empty() ? "" : ", ") + image->id.text() + " (" + image->share + "/" + image->folder +
                   ")";
        }
        return base::fail("\"" + text + "\" may mean several images", "image", "name one by its id: " + ids);
    }
    return found.front()->id;
}

BootFacts boot_facts(const model::Catalogue& catalogue, const model::Client& client) {
    BootFacts facts;
    facts.model = catalogue.models().find(client.key.model);
    // A record that was made by hand does not say.
    std::string_view architecture = client.architecture;
    const bool has_no_efi = facts.model && facts.model->firmware == model::Firmware::none;
    if (architecture.empty()) architecture = has_no_efi ? "ppc" : "i386";
    const model::ClientTraits traits{
        .mac = client.key.mac, .architecture = architecture, .model = client.key.model};
    const model::NetBootImage* const image = catalogue.find(client.image);
    if (image == nullptr || !catalogue.matches(*image, traits)) return facts;
    facts.published = true;
    facts.boot_file_only = image->type == model::ImageType::boot_file_only;
    facts.boot_file = model::tftp_path(*image, *catalogue.boot_file_for(*image, traits));
    facts.boot_server = image->load_balance_server;
    return facts;
}

ImageNames names_in(std::function<std::shared_ptr<const model::Catalogue>()> current) {
    const auto shared = std::make_shared<decltype(current)>(std::move(current));
    return {.find = [shared](const std::string& text) { return find_image(*(*shared)(), text); },
            .name_of =
                [shared](base::BootImageId id) {
                    const std::shared_ptr<const model::Catalogue> catalogue = (*shared)();
                    const model::NetBootImage* image = catalogue->find(id);
                    return image == nullptr ? std::string() : image->name;
                },
            .boot_of =
                [shared](const model::Client& client) {
                    const std::shared_ptr<const model::Catalogue> catalogue = (*shared)();
                    return boot_facts(*catalogue, client);
                }};
}

ControlServer::Handlers machine_verbs(store::ClientRegistry& registry, MachineVerbOptions options) {
    const auto verbs = std::make_shared<const Verbs>(registry, std::move(options));
    return {{"machine.list", [verbs](const json& request) { return verbs->list(request); }},
            {"machine.show", [verbs](const json& request) { return verbs->show(request); }},
            {"machine.select", [verbs](const json& request) { return verbs->select(request); }},
            {"machine.forget", [verbs](const json& request) { return verbs->forget(request); }}};
}

}  // namespace pomona::servers
