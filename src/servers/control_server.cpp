#include "servers/control_server.hpp"

#include "io/worker.hpp"
#include "servers/control_socket.hpp"
#include "servers/log.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <nlohmann/json.hpp>

#include <exception>
#include <string_view>
#include <utility>

namespace pomona::servers {

namespace asio = boost::asio;
using nlohmann::json;
using Socket = asio::local::stream_protocol::socket;
using ErrorCode = boost::system::error_code;

namespace {

json error_answer(const base::Error& error) {
    return {{"error", {{"what", error.what}, {"where", error.where}, {"remedy", error.remedy}}}};
}

std::string line_of(const json& answer) {
    // Models come from the network and need not be UTF-8.
    return answer.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

json answer_to(std::string_view line, const ControlServer::Handlers& handlers) {
    const json request = json::parse(line, nullptr, false);
    if (!request.is_object()) {
        return error_answer({"the request is no JSON object", "", R"(send a line such as {"do":"status"})"});
    }
    const auto verb = request.find("do");
    const auto handler =
        verb != request.end() && verb->is_string() ? handlers.find(verb->get<std::string>()) : handlers.end();
    if (handler == handlers.end()) {
        std::string known;
        for (const auto& [name, unused] : handlers) known += (known.empty() ? "" : ", ") + name;
        return error_answer({"this daemon does not know what to do", "do", "use one of: " + known});
    }
    try {
        base::Result<json> result = handler->second(request);
        if (!result) return error_answer(result.error());
        return {{"result", *std::move(result)}};
    } catch (const std::exception& failure) {
        return error_answer({std::string("the daemon failed: ") + failure.what(), handler->first, ""});
    }
}

/// One client. Lives as long as an operation on it is under way; all on the server's thread.
class Connection : public std::enable_shared_from_this<Connection> {
  public:
    Connection(Socket socket, const ControlServer::Options& options, const ControlServer::Handlers& handlers,
               std::size_t& count)
        : socket_(std::move(socket)),
          timer_(socket_.get_executor()),
          options_(options),
          handlers_(handlers),
          count_(count) {
        ++count_;
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() { --count_; }

    void read() {
        watch();
        asio::async_read_until(socket_, asio::dynamic_buffer(input_, options_.longest_line), '\n',
                               [self = shared_from_this()](ErrorCode error, std::size_t size) {
                                   self->timer_.cancel();
                                   self->on_line(error, size);
                               });
    }

    void refuse(const base::Error& error) { write(line_of(error_answer(error)), false); }

  private:
    void on_line(ErrorCode error, std::size_t size) {
        if (error == asio::error::not_found) {
            refuse(
                {"the request is longer than " + std::to_string(options_.longest_line) + " octets", "", ""});
            return;
        }
        if (error) return;
        std::string answer = line_of(answer_to(std::string_view(input_).substr(0, size - 1), handlers_));
        input_.erase(0, size);
        write(std::move(answer), true);
    }

    void write(std::string line, bool go_on) {
        output_ = std::move(line);
        watch();
        asio::async_write(socket_, asio::buffer(output_),
                          [self = shared_from_this(), go_on](ErrorCode error, std::size_t) {
                              self->timer_.cancel();
                              if (!error && go_on) self->read();
                          });
    }

    void watch() {
        timer_.expires_after(options_.idle);
        timer_.async_wait([weak = weak_from_this()](ErrorCode error) {
            const auto self = weak.lock();
            if (error || !self) return;
            // A timer that ran out in the moment it was set anew says so too late.
            if (self->timer_.expiry() > std::chrono::steady_clock::now()) return;
            ErrorCode ignored;
            (void)self->socket_.close(ignored);
        });
    }

    Socket socket_;
    asio::steady_timer timer_;
    const ControlServer::Options& options_;
    const ControlServer::Handlers& handlers_;
    std::size_t& count_;
    std::string input_;
    std::string output_;
};

}  // namespace

struct ControlServer::State {
    State(Options the_options, Handlers the_handlers, ControlSocket the_socket)
        : options(std::move(the_options)),
          handlers(std::move(the_handlers)),
          socket(std::move(the_socket)),
          worker("control",
                 [](const std::string&, const std::exception_ptr& failure) {
                     try {
                         std::rethrow_exception(failure);
                     } catch (const std::exception& error) {
                         log_event(Level::error, "control-failed", {{"error", error.what()}});
                     } catch (...) {
                         log_event(Level::error, "control-failed", {});
                     }
                 }),
          acceptor(worker.context(), asio::local::stream_protocol(), socket.duplicate()),
          pause(worker.context()) {}

    void accept() {
        acceptor.async_accept([this](ErrorCode error, Socket client) {
            if (error == asio::error::operation_aborted) return;
            if (error) {
                // Out of descriptors, most likely: a moment later some may be free.
                pause.expires_after(std::chrono::seconds(1));
                pause.async_wait([this](ErrorCode stopped) {
                    if (!stopped) accept();
                });
                return;
            }
            const bool full = connections >= options.max_connections;
            // Refusals have a bound of their own; beyond it the connection is just closed.
            if (connections < 2 * options.max_connections) {
                const auto connection =
                    std::make_shared<Connection>(std::move(client), options, handlers, connections);
                if (full) {
                    connection->refuse(
                        {"too many connections to the daemon at once", options.path, "try again"});
                } else {
                    connection->read();
                }
            }
            accept();
        });
    }

    const Options options;
    const Handlers handlers;
    ControlSocket socket;
    /// Outlives the connections, which end with the worker's loop.
    std::size_t connections = 0;
    io::Worker worker;
    asio::local::stream_protocol::acceptor acceptor;
    asio::steady_timer pause;
};

base::Result<std::unique_ptr<ControlServer>> ControlServer::start(Options options, Handlers handlers) {
    base::Result<ControlSocket> socket = ControlSocket::listen(options.path, options.mode);
    if (!socket) return std::unexpected(socket.error());
    auto state = std::make_unique<State>(std::move(options), std::move(handlers), *std::move(socket));
    state->accept();
    state->worker.start();
    return std::unique_ptr<ControlServer>(new ControlServer(std::move(state)));
}

ControlServer::ControlServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

ControlServer::~ControlServer() {
    state_->worker.stop();
}

}  // namespace pomona::servers
