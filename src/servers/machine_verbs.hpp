// The requests about remembered machines, for the control socket and, over a registry of its own, for the
// command line when no daemon runs: machine.list, machine.show, machine.select, machine.forget.
#pragma once

#include "servers/control_server.hpp"
#include "store/client_registry.hpp"

#include <pomona/base/addresses.hpp>
#include <pomona/base/boot_image_id.hpp>
#include <pomona/base/error.hpp>
#include <pomona/model/catalogue.hpp>
#include <pomona/model/client.hpp>
#include <pomona/model/known_models.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace pomona::servers {

/// What a remembered machine gets when it starts, and what its model is known for.
struct BootFacts {
    /// The image is published and this machine may see it; the rest about files is empty otherwise.
    bool published = false;
    bool boot_file_only = false;
    std::string boot_file;                         ///< its TFTP path
    std::optional<base::Ipv4Address> boot_server;  ///< LoadBalanceServer
    /// nullopt: the table of models does not know it.
    std::optional<model::ModelFacts> model;
};

/// How requests name images. Each function may be missing.
struct ImageNames {
    /// What an administrator wrote -> the image. Without it only ids are understood.
    std::function<base::Result<base::BootImageId>(const std::string& text)> find;
    /// The name of a published image, or "".
    std::function<std::string(base::BootImageId)> name_of;
    std::function<BootFacts(const model::Client&)> boot_of;
};

/// The one image that `text` means: an id (0x81001001), an index (4097), a folder (grub.nbi, also with its
/// share before it: NetBootSP0/grub.nbi) or a name as the Mac shows it. The error lists what there is.
base::Result<base::BootImageId> find_image(const model::Catalogue& catalogue, const std::string& text);

/// By the catalogue and its table of models.
BootFacts boot_facts(const model::Catalogue& catalogue, const model::Client& client);

/// Names by the catalogue that `current` returns at the moment of asking.
ImageNames names_in(std::function<std::shared_ptr<const model::Catalogue>()> current);

struct MachineVerbOptions {
    ImageNames images;
    /// How long machine.select and machine.forget wait until the change is on disk.
    std::chrono::milliseconds durable_within{5'000};
    /// The clock of the system if empty.
    std::function<model::TimePoint()> now = {};
};

/// Requests hold "mac" (any spelling), "model" and "image". Results: {"machines": [...]}, and for changes
/// "durable": whether it is on disk; forget: {"forgotten": number}. A machine has the fields of model::Client
/// (times as "2026-01-31T08:15:00Z" or null), "image_name" (or null), and "shared_adapter" when its MAC was
/// seen with several models. machine.show adds "boot": "published", "boot_file_only", "boot_file",
/// "boot_server", and of the model "firmware" (ia32, x64, doubtful, none) and "netboot" (yes, T2,
/// Apple-silicon), null when it is unknown. The registry must outlive the handlers.
ControlServer::Handlers machine_verbs(store::ClientRegistry& registry, MachineVerbOptions options);

}  // namespace pomona::servers
