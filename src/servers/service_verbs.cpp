#include "servers/service_verbs.hpp"

#include <nlohmann/json.hpp>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <utility>

namespace pomona::servers {

using nlohmann::json;

ControlServer::Handlers service_verbs(const store::ClientRegistry& registry, ServiceVerbOptions options) {
    const auto shared = std::make_shared<const ServiceVerbOptions>(std::move(options));
    const auto start = std::chrono::steady_clock::now();
    return {{"status",
             [shared, start, &registry](const json&) -> base::Result<json> {
                 const auto up = std::chrono::steady_clock::now() - start;
                 json status{{"version", shared->version},
                             {"pid", ::getpid()},
                             {"uptime_seconds", std::chrono::duration_cast<std::chrono::seconds>(up).count()},
                             {"machines", registry.size()}};
                 if (shared->add_status) shared->add_status(status);
                 return status;
             }},
            {"reload", [shared](const json&) -> base::Result<json> {
                 if (!shared->reload) return base::fail("this daemon has nothing to reload", "reload");
                 return shared->reload();
             }}};
}

}  // namespace pomona::servers
