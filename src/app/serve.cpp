#include "app/serve.hpp"

#include "io/interfaces.hpp"
#include "io/udp_port.hpp"
#include "io/worker.hpp"
#include "servers/boot_server.hpp"
#include "servers/log.hpp"
#include "store/client_registry.hpp"
#include "store/image_folders.hpp"
#include "store/sqlite_store.hpp"

#include <pomona/base/shared_state.hpp>
#include <pomona/model/catalogue.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace pomona::app {

namespace {

using servers::Level;
using servers::log_event;

policy::BsdpRules rules_from(const Settings& settings) {
    return {.priority_base = settings.priority_base,
            .answer_discover = settings.answer_discover,
            .boot_file_option = settings.option_67,
            .send_host_name = settings.sname == SnameField::host};
}

store::ImageFolderSettings image_settings_from(const Settings& settings) {
    store::ImageFolderSettings images;
    for (const ImageRoot& root : settings.image_roots) images.roots.push_back({root.name, root.path});
    images.pinned_order = settings.image_order;
    images.honour_disabled_list = settings.honour_disabled_models;
    if (settings.tftp == TftpMode::external) images.external_tftp_root = settings.tftp_root;
    return images;
}

}  // namespace

int serve(const Settings& settings) {
    servers::configure_log({.level = settings.log_level, .format = settings.log_format});
    base::Snapshot<model::Catalogue> catalogue(std::make_shared<const model::Catalogue>());
    auto reading = store::read_image_folders(image_settings_from(settings));
    for (const auto& problem : reading.problems)
        log_event(Level::warn, "image-problem", {{"problem", problem.text()}});
    catalogue.publish(std::make_shared<const model::Catalogue>(std::move(reading.catalogue)));

    io::Worker boot("boot", [](const std::string& worker, std::exception_ptr) {
        log_event(Level::error, "thread-trouble", {{"thread", worker}});
    });
    store::ClientRegistry registry(
        store::open_or_use_memory(
            settings.state_dir + "/clients.db",
            [](const std::string& sentence) { log_event(Level::warn, "store", {{"what", sentence}}); }),
        {.max_clients = settings.max_machines, .machine_name_prefix = settings.machine_name_prefix});
    servers::BootServer server(boot.context(),
                               {.rules = rules_from(settings),
                                .access = {settings.allow_macs, settings.deny_macs, settings.client_networks},
                                .host_name = settings.server_name.substr(0, 63),
                                .ring_bytes = static_cast<int>(settings.capture_buffer)},
                               catalogue, registry);
    const auto all = io::list_interfaces();
    std::vector<io::Interface> wanted;
    for (const auto& interface : all) {
        if (!interface.loopback && interface.ethernet && !interface.enslaved &&
            (settings.interfaces.empty() ||
             std::ranges::find(settings.interfaces, interface.name) != settings.interfaces.end())) {
            wanted.push_back(interface);
        }
    }
    server.serve(wanted, all);
    auto held = io::HeldUdpPort::hold(67);
    boot.start();
    log_event(Level::info, "serving", {{"images", catalogue.current()->images().size()}});
    boost::asio::io_context main_loop;
    boost::asio::signal_set signals(main_loop, SIGTERM, SIGINT);
    signals.async_wait([&](const boost::system::error_code&, int) { main_loop.stop(); });
    sd_notify(0, "READY=1");
    main_loop.run();
    boot.stop();
    return 0;
}

}  // namespace pomona::app
