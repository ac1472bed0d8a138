// The requests about the daemon itself, for the control socket: status and reload.
#pragma once

#include "servers/control_server.hpp"
#include "store/client_registry.hpp"

#include <functional>
#include <string>

namespace pomona::servers {

struct ServiceVerbOptions {
    std::string version;
    /// Adds to the answer of status, an object that holds "version", "pid", "uptime_seconds" and "machines".
    /// Runs on the control thread.
    std::function<void(nlohmann::json& status)> add_status;
    /// Reads images (and what else may change while serving) again; returns what to tell. Runs on the control
    /// thread.
    std::function<base::Result<nlohmann::json>()> reload;
};

/// The registry must outlive the handlers. Uptime counts from this call.
ControlServer::Handlers service_verbs(const store::ClientRegistry& registry, ServiceVerbOptions options);

}  // namespace pomona::servers
