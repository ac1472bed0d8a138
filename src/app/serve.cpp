#include "app/serve.hpp"

#include "app/check.hpp"
#include "app/port_holders.hpp"
#include "app/privileges.hpp"
#include "app/published_images.hpp"
#include "io/interfaces.hpp"
#include "io/tcp_socket.hpp"
#include "io/udp_port.hpp"
#include "io/worker.hpp"
#include "servers/boot_server.hpp"
#include "servers/content.hpp"
#include "servers/control_server.hpp"
#include "servers/http_files.hpp"
#include "servers/http_server.hpp"
#include "servers/interface_choice.hpp"
#include "servers/line_budget.hpp"
#include "servers/log.hpp"
#include "servers/machine_verbs.hpp"
#include "servers/service_verbs.hpp"
#include "servers/tftp_server.hpp"
#include "store/client_registry.hpp"
#include "store/folder_lock.hpp"
#include "store/image_watcher.hpp"
#include "store/sqlite_store.hpp"

#include <pomona/base/shared_state.hpp>
#include <pomona/model/catalogue.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <nlohmann/json.hpp>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <exception>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace pomona::app {

namespace {

using servers::Level;
using servers::log_event;

/// An interface that could not be opened, or whose notice was missed, is looked at again this often.
constexpr std::chrono::seconds interface_check{5};
constexpr std::chrono::hours expiry_check{24};
/// 'pomona machine' may be at work on the machines of a daemon that does not run yet.
constexpr std::chrono::seconds lock_patience{2};
/// Log lines a second about refused requests for files, of TFTP and of HTTP each; the rest is counted.
constexpr unsigned refusal_lines_a_second = 100;

/// Something that keeps the daemon from starting; the caller prints it and ends.
class StartError : public std::runtime_error {
  public:
    explicit StartError(const base::Error& error) : std::runtime_error(error.text()) {}
};

[[noreturn]] void refuse(std::string what, std::string where, std::string remedy) {
    throw StartError({std::move(what), std::move(where), std::move(remedy)});
}

std::string in_words(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& error) {
        return error.what();
    } catch (...) {
        return "an exception of no known kind";
    }
}

servers::BootServer::Options boot_options(const Settings& settings) {
    return {.rules = {.priority_base = settings.priority_base,
                      .answer_discover = settings.answer_discover,
                      .boot_file_option = settings.option_67,
                      .send_host_name = settings.sname == SnameField::host},
            .bootp = {.on = settings.bootp,
                      .answer_discover = settings.bootp_answer_discover,
                      .lifetime = std::chrono::seconds(settings.bootp_lifetime),
                      .hosts = settings.hosts,
                      .networks = settings.bootp_networks,
                      .borrow = settings.bootp_borrow},
            .probe_wait = std::chrono::milliseconds(settings.bootp_probe_wait),
            .loan_time = std::chrono::seconds(settings.bootp_borrow_time),
            .loan_server = settings.bootp_borrow_server,
            .pool = settings.bootp ? settings.bootp_pool : std::vector<model::AddressRange>(),
            .pool_file = settings.state_dir + "/leases.db",
            .max_machines = settings.max_machines,
            .access = {.allow_macs = settings.allow_macs,
                       .deny_macs = settings.deny_macs,
                       .client_networks = settings.client_networks},
            .host_name = settings.server_name,
            .ring_bytes = static_cast<int>(settings.capture_buffer)};
}

void log_image_reload(const store::ImageReload& reload) {
    if (reload.problems_changed) {
        for (const model::ImageProblem& problem : reload.problems) {
            const bool error = problem.severity == model::ImageProblem::Severity::error;
            log_event(error ? Level::error : Level::warn, "image-problem",
                      {{"path", problem.path},
                       {"key", problem.key},
                       {"what", problem.what},
                       {"remedy", problem.remedy}});
        }
    }
    if (reload.catalogue_changed || reload.requested) {
        log_event(Level::info, "images-read",
                  {{"published", reload.catalogue->images().size()},
                   {"folders", reload.folders},
                   {"problems", reload.problems.size()}});
    }
}

/// True for requests that were refused before anything was sent: those alone cost a sender nothing.
bool was_refused(servers::TftpEnd end) {
    using enum servers::TftpEnd;
    return end == not_found || end == access_denied || end == write_refused || end == malformed ||
           end == option_refused || end == too_many_transfers;
}

/// Called by the threads of the TFTP server.
void log_tftp_end(base::Guarded<servers::LineBudget>& refusals, const servers::TftpReport& report) {
    if (was_refused(report.end)) {
        const auto verdict = refusals.with(
            [](servers::LineBudget& budget) { return budget.ask(std::chrono::steady_clock::now()); });
        if (verdict.held_back > 0) {
            log_event(Level::warn, "tftp-refusals-not-logged", {{"count", verdict.held_back}});
        }
        if (!verdict.write) return;
    }
    const auto seconds = std::chrono::duration<double>(report.duration).count();
    log_event(report.succeeded() ? Level::info : Level::warn, "tftp",
              {{"client", report.client.text()},
               {"path", report.path},
               {"file", report.file},
               {"end", servers::tftp_end_name(report.end)},
               {"detail", report.detail},
               {"bytes", report.bytes},
               {"size", report.size},
               {"seconds", seconds},
               {"rate", static_cast<std::uint64_t>(report.rate())},
               {"blksize", report.blksize},
               {"windowsize", report.windowsize},
               {"retransmissions", report.retransmissions}});
}

servers::TftpServerOptions tftp_options(const Settings& settings) {
    servers::TftpServerOptions options;
    options.port = settings.tftp_port;
    options.limits = {.max_blksize = settings.tftp_max_blksize,
                      .max_windowsize = settings.tftp_max_windowsize};
    if (settings.tftp_port_range) {
        options.first_port = settings.tftp_port_range->low;
        options.last_port = settings.tftp_port_range->high;
    }
    options.single_port = settings.tftp_single_port;
    options.max_transfers = settings.tftp_max_transfers;
    options.max_transfers_per_client = settings.tftp_max_transfers_per_client;
    options.on_end = [refusals = std::make_shared<base::Guarded<servers::LineBudget>>(
                          servers::LineBudget(refusal_lines_a_second))](const servers::TftpReport& report) {
        log_tftp_end(*refusals, report);
    };
    return options;
}

/// Called by the threads of the HTTP server.
void log_http_end(base::Guarded<servers::LineBudget>& refusals, const servers::HttpReport& report) {
    using enum servers::HttpEnd;
    if (report.end == refused || report.end == malformed || report.end == too_many) {
        const auto verdict = refusals.with(
            [](servers::LineBudget& budget) { return budget.ask(std::chrono::steady_clock::now()); });
        if (verdict.held_back > 0) {
            log_event(Level::warn, "http-refusals-not-logged", {{"count", verdict.held_back}});
        }
        if (!verdict.write) return;
    }
    log_event(report.end == completed ? Level::info : Level::warn, "http",
              {{"client", report.client.text()},
               {"method", report.method},
               {"path", report.target},
               {"file", report.name},
               {"end", servers::http_end_name(report.end)},
               {"status", report.status},
               {"detail", report.detail},
               {"range", report.range},
               {"bytes", report.bytes},
               {"size", report.size},
               {"seconds", std::chrono::duration<double>(report.duration).count()},
               {"rate", static_cast<std::uint64_t>(report.rate())},
               {"agent", report.user_agent}});
}

servers::HttpServerOptions http_options(const Settings& settings) {
    servers::HttpServerOptions options;
    options.port = settings.http_port;
    options.addresses = settings.http_addresses;
    options.max_connections = settings.http_max_connections;
    options.max_connections_per_client = settings.http_max_connections_per_client;
    options.on_end = [refusals = std::make_shared<base::Guarded<servers::LineBudget>>(
                          servers::LineBudget(refusal_lines_a_second))](const servers::HttpReport& report) {
        log_http_end(*refusals, report);
    };
    return options;
}

std::shared_ptr<const servers::Content> content_of(const Settings& settings,
                                                   std::optional<std::uint16_t> http_port) {
    std::vector<servers::ContentRoot> shares;
    shares.reserve(settings.image_roots.size());
    for (const ImageRoot& root : settings.image_roots) shares.push_back({root.name, root.path});
    return std::make_shared<const servers::Content>(std::move(shares), settings.tftp_root, http_port);
}

bool is_taken(std::uint16_t tcp_port) {
    const auto tried = io::TcpListener::open({base::Ipv4Address(), tcp_port});
    return !tried && tried.error() == EADDRINUSE;
}

/// Wakes the loop when the host's interfaces change.
struct InterfaceWatch {
    io::InterfaceMonitor monitor;
    boost::asio::posix::stream_descriptor readable;

    explicit InterfaceWatch(boost::asio::io_context& loop) : readable(loop, monitor.descriptor()) {}
    InterfaceWatch(const InterfaceWatch&) = delete;
    InterfaceWatch& operator=(const InterfaceWatch&) = delete;
    // The descriptor is the monitor's to close.
    ~InterfaceWatch() { readable.release(); }
};

/// A root that comes and goes while serving is waited for; one that is not there at the start is a mistake.
void require_roots(const Settings& settings) {
    const auto require = [&](const std::string& path, std::string_view setting) {
        std::error_code error;
        const std::filesystem::directory_iterator readable(path, error);
        if (!error) return;
        const std::string reader = settings.user.empty() ? "us" : "the user '" + settings.user + "'";
        refuse("the folder " + path + " cannot be read: " + error.message(), settings.place_of(setting),
               "make it and let " + reader + " read it, or name another one");
    };
    for (const ImageRoot& root : settings.image_roots) require(root.path, "image-root");
    // With tftp=external it is another program's, and perhaps on another machine.
    if (settings.tftp == TftpMode::on && !settings.tftp_root.empty())
        require(settings.tftp_root, "tftp-root");
}

/// Everything that serves, in the order in which it is made; the destructor ends it in the opposite order.
class Daemon {
  public:
    explicit Daemon(const Settings& settings);
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;
    ~Daemon();

    /// Returns on SIGTERM or SIGINT.
    void run();

  private:
    static void become_user(const Settings& settings);
    void open_http();
    void open_tftp();
    void hold_port();
    void start_control();
    /// Opens and closes capture ports as the host's interfaces are now. On the boot thread, or before it
    /// runs.
    std::size_t refresh_interfaces(bool starting);
    void check_pool(const std::vector<io::Interface>& taken) const;
    void watch_interfaces();
    void check_interfaces_later();
    void wait_for_signal();
    void expire_later();
    void reload();
    void add_status(nlohmann::json& status) const;

    const Settings& settings_;
    boost::asio::io_context main_loop_;
    boost::asio::signal_set signals_{main_loop_, SIGTERM, SIGINT, SIGHUP};
    boost::asio::steady_timer expiry_{main_loop_};

    base::Snapshot<model::Catalogue> catalogue_{std::make_shared<const model::Catalogue>()};
    /// Two registries on one database would overwrite each other.
    std::optional<store::FolderLock> state_lock_;
    // The loop outlives the registry, whose thread posts to it.
    io::Worker boot_;
    std::unique_ptr<store::ClientRegistry> registry_;
    std::unique_ptr<store::ImageWatcher> images_;
    std::unique_ptr<servers::BootServer> boot_server_;
    std::optional<io::HeldUdpPort> held_port_;
    InterfaceWatch interface_watch_;
    boost::asio::steady_timer interface_check_;
    /// Of the last look, so that each is told once.
    std::vector<servers::RefusedInterface> refused_;
    /// Of TFTP and HTTP; it knows whether there is HTTP, since boot programs are told.
    std::shared_ptr<const servers::Content> content_;
    std::unique_ptr<servers::TftpServer> tftp_;
    /// Who had its port before root was gone, which alone sees the names.
    std::vector<PortHolder> http_port_holders_;
    std::unique_ptr<servers::HttpServer> http_;
    std::unique_ptr<servers::ControlServer> control_;
    std::jthread tftp_thread_;
    std::jthread http_thread_;
};

Daemon::Daemon(const Settings& settings)
    : settings_(settings),
      boot_("boot",
            [](const std::string& worker, const std::exception_ptr& failure) {
                log_event(Level::error, "thread-trouble", {{"thread", worker}, {"error", in_words(failure)}});
            }),
      interface_watch_(boot_.context()),
      interface_check_(boot_.context()) {
    // Two capabilities are all that opening ports takes, so root is gone before anything is opened.
    // Only of a port that is taken: the kernel needs milliseconds to list its sockets.
    if (settings.http && is_taken(settings.http_port)) {
        http_port_holders_ = tcp_port_holders(settings.http_port);
    }
    become_user(settings);
    require_roots(settings);
    state_lock_ = store::FolderLock::take(settings.state_dir, store::FolderLock::Kind::alone, lock_patience);
    if (!state_lock_) {
        refuse("another pomona keeps its machines in " + settings.state_dir, settings.place_of("state-dir"),
               "stop it, or give this one a state-dir and a control-socket of its own");
    }

    registry_ = std::make_unique<store::ClientRegistry>(
        store::open_or_use_memory(
            settings.state_dir + "/clients.db",
            [](const std::string& sentence) { log_event(Level::error, "store", {{"what", sentence}}); }),
        store::ClientRegistry::Options{.max_clients = settings.max_machines,
                                       .machine_name_prefix = settings.machine_name_prefix},
        [](const std::string& reason) {
            log_event(reason.empty() ? Level::info : Level::error, "store",
                      {{"what", reason.empty() ? std::string("choices are stored again") : reason}});
        });
    images_ =
        std::make_unique<store::ImageWatcher>(image_folder_settings(settings), catalogue_, log_image_reload);
    boot_server_ = std::make_unique<servers::BootServer>(boot_.context(), boot_options(settings), catalogue_,
                                                         *registry_);

    if (refresh_interfaces(true) == 0) {
        refuse("no interface can be served", settings.place_of("interface"),
               "'pomona check' says of each one why not");
    }
    hold_port();
    open_http();
    open_tftp();
    start_control();
    images_->start();

    boot_server_->on_port_lost([this] { check_interfaces_later(); });
    watch_interfaces();
    check_interfaces_later();
    expire_later();
    if (tftp_) tftp_thread_ = std::jthread([this](const std::stop_token& stop) { tftp_->run(stop); });
    if (http_) http_thread_ = std::jthread([this](const std::stop_token& stop) { http_->run(stop); });
    boot_.start();
}

Daemon::~Daemon() {
    // No more requests, then no more answers, then everything that was decided goes to disk.
    control_.reset();
    if (tftp_thread_.joinable()) {
        tftp_thread_.request_stop();
        tftp_thread_.join();
    }
    if (http_thread_.joinable()) {
        http_thread_.request_stop();
        http_thread_.join();
    }
    images_.reset();
    boot_.stop();
    registry_->flush();
    registry_.reset();
    boot_server_.reset();
}

void Daemon::become_user(const Settings& settings) {
    const auto account = find_account(settings.user);
    if (!account) refuse(account.error().what, settings.place_of("user"), account.error().remedy);
    const auto prepare = [&](const std::string& path, std::string_view setting) {
        const auto made = prepare_folder(path, *account);
        if (made) return;
        refuse(made.error().where + ": " + made.error().what, settings.place_of(setting),
               made.error().remedy);
    };
    prepare(settings.state_dir, "state-dir");
    prepare(std::filesystem::path(settings.control_socket).parent_path(), "control-socket");
    if (const auto dropped = drop_privileges(*account); !dropped) throw StartError(dropped.error());
    const Capabilities can = current_capabilities();
    if (!can.net_raw) {
        refuse("capture ports cannot be opened without CAP_NET_RAW", settings.place_of("user"),
               "start it as root or by its systemd unit");
    }
}

/// Elsewhere the pool's addresses would be wrong ones, and nobody would hear us here.
void Daemon::check_pool(const std::vector<io::Interface>& taken) const {
    for (const Finding& finding : check_addresses(settings_, taken)) {
        if (finding.severity == Finding::Severity::error) {
            refuse(finding.what, settings_.place_of(finding.subject), finding.remedy);
        }
        log_event(Level::warn, "host-elsewhere",
                  {{"subject", finding.subject}, {"what", finding.what}, {"remedy", finding.remedy}});
    }
}

std::size_t Daemon::refresh_interfaces(bool starting) {
    const std::vector<io::Interface> all = io::list_interfaces();
    auto [taken, refused] = servers::choose_interfaces(all, settings_.interfaces);
    for (const servers::RefusedInterface& interface : refused) {
        if (std::ranges::find(refused_, interface) != refused_.end()) continue;
        if (starting && interface.wanted) {
            refuse(interface.name + ": " + interface.reason, settings_.place_of("interface"),
                   interface.remedy);
        }
        log_event(
            interface.wanted ? Level::warn : Level::info, "interface-not-served",
            {{"interface", interface.name}, {"reason", interface.reason}, {"remedy", interface.remedy}});
    }
    refused_ = std::move(refused);
    if (starting) check_pool(taken);
    return boot_server_->serve(taken, all);
}

void Daemon::watch_interfaces() {
    interface_watch_.readable.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                                         [this](const boost::system::error_code& error) {
                                             if (error) return;
                                             const bool changed = interface_watch_.monitor.drain();
                                             // First of all, since the other may throw.
                                             watch_interfaces();
                                             if (changed) refresh_interfaces(false);
                                         });
}

void Daemon::check_interfaces_later() {
    interface_check_.expires_after(interface_check);
    interface_check_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        check_interfaces_later();
        refresh_interfaces(false);
    });
}

void Daemon::hold_port() {
    if (!settings_.hold_port) return;
    auto held = io::HeldUdpPort::hold(codec::bootp_server_port);
    if (held) {
        held_port_.emplace(*std::move(held));
    } else {
        log_event(
            Level::info, "port-67-not-held",
            {{"why", held.error().text()}, {"effect", "none: requests are captured beside its holder"}});
    }
}

void Daemon::open_tftp() {
    if (settings_.tftp != TftpMode::on) {
        log_event(Level::info, "tftp-not-served", {{"setting", settings_.source_of("tftp")}});
        return;
    }
    auto opened = servers::TftpServer::open(tftp_options(settings_), content_);
    if (opened) {
        tftp_ = *std::move(opened);
        return;
    }
    // Macs can still choose, and another server may hold the same files.
    log_event(Level::error, "tftp-not-served",
              {{"error", opened.error().text()},
               {"effect", "Macs see images but cannot download them from here"},
               {"otherwise", "tftp = external names the files for the other server"}});
}

void Daemon::open_http() {
    content_ = content_of(settings_, settings_.http ? std::optional(settings_.http_port) : std::nullopt);
    if (!settings_.http) {
        log_event(Level::info, "http-not-served", {{"setting", settings_.source_of("http")}});
        return;
    }
    // A handler that makes its answers stands before the files.
    auto opened =
        servers::HttpServer::open(http_options(settings_), servers::first_of({servers::HttpFiles(content_)}));
    if (opened) {
        http_ = *std::move(opened);
        return;
    }
    content_ = content_of(settings_, std::nullopt);
    // Macs can still choose, and have TFTP.
    log_event(
        Level::error, "http-not-served",
        {{"error", opened.error().text()},
         {"holder", http_port_holders_.empty() ? "" : names_of(http_port_holders_, "has it", "have it")},
         {"effect", "loaders and disk images are not served by HTTP from here"}});
}

void Daemon::start_control() {
    servers::ControlServer::Handlers handlers = servers::machine_verbs(
        *registry_, {.images = servers::names_in([this] { return catalogue_.current(); })});
    handlers.merge(servers::service_verbs(
        *registry_, {.version = POMONA_VERSION,
                     .add_status = [this](nlohmann::json& status) { add_status(status); },
                     .reload = [this]() -> base::Result<nlohmann::json> {
                         images_->reload();
                         return nlohmann::json{{"reading", "images"}};
                     }}));
    auto started = servers::ControlServer::start({.path = settings_.control_socket}, std::move(handlers));
    if (!started) {
        const base::Error& error = started.error();
        refuse(error.where + ": " + error.what, settings_.place_of("control-socket"), error.remedy);
    }
    control_ = *std::move(started);
}

void Daemon::add_status(nlohmann::json& status) const {
    const servers::BootServer::Counters counters = boot_server_->counters();
    status["images"] = catalogue_.current()->images().size();
    status["frames"] = counters.frames;
    status["frames_dropped"] = counters.frames_dropped;
    status["send_failures"] = counters.send_failures;
    for (std::size_t kind = 0; kind < counters.answers.size(); ++kind) {
        const auto name = policy::text(static_cast<policy::AnswerKind>(kind));
        status["answers"][std::string(name)] = counters.answers[kind];
    }
    for (const policy::SilenceText& text : policy::silence_texts()) {
        const std::uint64_t count = counters.silences[static_cast<std::size_t>(text.reason)];
        if (count > 0) status["silences"][std::string(text.name)] = count;
    }
    if (http_) {
        const servers::HttpCounters http = http_->counters();
        status["http"] = {{"connections", http.connections},
                          {"requests", http.requests},
                          {"running", http.running},
                          {"completed", http.completed},
                          {"refused", http.refused},
                          {"failed", http.failed},
                          {"bytes", http.bytes}};
    }
    if (!tftp_) return;
    const servers::TftpCounters tftp = tftp_->counters();
    status["tftp"] = {{"requests", tftp.requests},
                      {"running", tftp.running},
                      {"completed", tftp.completed},
                      {"refused", tftp.refused},
                      {"failed", tftp.failed},
                      {"bytes", tftp.bytes},
                      {"retransmissions", tftp.retransmissions}};
}

void Daemon::expire_later() {
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    if (const std::size_t gone = registry_->expire(now, std::chrono::days(settings_.remember_days));
        gone > 0) {
        log_event(Level::info, "machines-expired", {{"count", gone}, {"days", settings_.remember_days}});
    }
    expiry_.expires_after(expiry_check);
    expiry_.async_wait([this](const boost::system::error_code& error) {
        if (!error) expire_later();
    });
}

void Daemon::reload() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    const long long microseconds = static_cast<long long>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1'000;
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld", microseconds);
    images_->reload();
    boot_.post([this] { refresh_interfaces(false); });
    sd_notify(0, "READY=1");
}

void Daemon::wait_for_signal() {
    signals_.async_wait([this](const boost::system::error_code& error, int signal) {
        if (error) return;
        if (signal == SIGHUP) {
            reload();
            wait_for_signal();
            return;
        }
        log_event(Level::info, "stopping", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
        sd_notify(0, "STOPPING=1");
        main_loop_.stop();
    });
}

void Daemon::run() {
    wait_for_signal();
    log_event(Level::info, "serving",
              {{"version", POMONA_VERSION},
               {"images", catalogue_.current()->images().size()},
               {"machines", registry_->size()},
               {"tftp", tftp_ != nullptr},
               {"http", http_ != nullptr}});
    sd_notify(0, "READY=1");
    main_loop_.run();
}

}  // namespace

int serve(const Settings& settings) {
    servers::configure_log({.level = settings.log_level, .format = settings.log_format});
    std::signal(SIGPIPE, SIG_IGN);
    try {
        Daemon daemon(settings);
        daemon.run();
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "pomona: " << error.what() << "\n";
        return 1;
    }
}

}  // namespace pomona::app
