#include "servers/log.hpp"

#include <pomona/base/hex.hpp>
#include <pomona/base/utf8.hpp>

#include <poll.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/sink.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cmath>
#include <cstddef>
#include <ctime>
#include <memory>
#include <mutex>
#include <utility>

namespace pomona::servers {

namespace {

constexpr std::size_t batch_bytes = std::size_t{64} * 1024;
/// A reader that does not take our lines for this long loses them: answering Macs comes first.
constexpr int patience_milliseconds = 100;

constexpr std::array<std::string_view, 4> level_names{"debug", "info", "warn", "error"};

using Buffer = fmt::basic_memory_buffer<char, 512>;

void append(Buffer& buffer, std::string_view text) {
    buffer.append(text.data(), text.data() + text.size());
}

spdlog::level::level_enum spdlog_level(Level level) {
    switch (level) {
        case Level::debug:
            return spdlog::level::debug;
        case Level::info:
            return spdlog::level::info;
        case Level::warn:
            return spdlog::level::warn;
        case Level::error:
            return spdlog::level::err;
    }
    return spdlog::level::err;
}

std::string_view level_name(spdlog::level::level_enum level) {
    if (level >= spdlog::level::err) return name_of(Level::error);
    if (level == spdlog::level::warn) return name_of(Level::warn);
    return level == spdlog::level::info ? name_of(Level::info) : name_of(Level::debug);
}

/// "2026-01-02T03:04:05.678Z". The calendar part is computed once a second and thread.
void append_time(Buffer& buffer, std::chrono::system_clock::time_point time) {
    struct Second {
        std::time_t value = -1;
        std::array<char, 20> text{};
    };
    thread_local Second cached;

    const auto since_epoch = std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count();
    const std::time_t second = since_epoch / 1000;
    if (second != cached.value) {
        std::tm calendar{};
        gmtime_r(&second, &calendar);
        if (std::strftime(cached.text.data(), cached.text.size(), "%Y-%m-%dT%H:%M:%S", &calendar) == 0) {
            return;
        }
        cached.value = second;
    }
    append(buffer, {cached.text.data(), 19});
    const auto milliseconds = static_cast<int>(since_epoch % 1000);
    const std::array<char, 5> fraction{'.', static_cast<char>('0' + milliseconds / 100),
                                       static_cast<char>('0' + milliseconds / 10 % 10),
                                       static_cast<char>('0' + milliseconds % 10), 'Z'};
    append(buffer, {fraction.data(), fraction.size()});
}

/// Characters that change how a terminal or viewer shows what stands around them: C1 controls, line and
/// paragraph separators, marks and overrides of writing direction.
bool disturbs(char32_t c) {
    return (c >= 0x80 && c <= 0x9f) || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

void append_hex(Buffer& buffer, char32_t value, int digits) {
    for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4)
        buffer.push_back(base::hex_digits[value >> shift & 0xf]);
}

/// What stands between the quotes, in either format.
void append_escaped(Buffer& buffer, std::string_view text, LogFormat format) {
    while (!text.empty()) {
        const base::Utf8Character c = base::first_utf8_character(text);
        if (c.length == 0) {
            // JSON has no way to carry a stray octet.
            append(buffer, format == LogFormat::json ? "\\ufffd" : "\\x");
            if (format == LogFormat::text) append_hex(buffer, static_cast<unsigned char>(text[0]), 2);
            text.remove_prefix(1);
            continue;
        }
        if (c.value == '"' || c.value == '\\') {
            buffer.push_back('\\');
            buffer.push_back(text[0]);
        } else if (c.value == '\n') {
            append(buffer, "\\n");
        } else if (c.value == '\r') {
            append(buffer, "\\r");
        } else if (c.value == '\t') {
            append(buffer, "\\t");
        } else if (c.value < 0x20 || c.value == 0x7f || disturbs(c.value)) {
            append(buffer, "\\u");
            append_hex(buffer, c.value, 4);
        } else {
            append(buffer, text.substr(0, c.length));
        }
        text.remove_prefix(c.length);
    }
}

/// True for octets that may stand in a text value without quotes.
constexpr std::array<bool, 256> plain_octets = [] {
    std::array<bool, 256> plain{};
    for (std::size_t c = 0x21; c < 0x7f; ++c) plain[c] = c != '"' && c != '=' && c != '\\';
    return plain;
}();

bool is_plain(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](unsigned char c) { return plain_octets[c]; });
}

void append_key(Buffer& buffer, std::string_view key) {
    if (key.empty()) buffer.push_back('_');
    for (const char c : key) {
        const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                          c == '_' || c == '-' || c == '.';
        buffer.push_back(fits ? c : '_');
    }
}

template <typename Number>
void append_number(Buffer& buffer, Number number) {
    const fmt::format_int digits(number);
    append(buffer, {digits.data(), digits.size()});
}

/// Six significant digits serve rates and seconds; JSON knows neither infinity nor NaN.
void append_real(Buffer& buffer, double number, LogFormat format) {
    if (!std::isfinite(number) && format == LogFormat::json) return append(buffer, "null");
    fmt::format_to(fmt::appender(buffer), "{:.6g}", number);
}

struct AppendValue {
    Buffer& buffer;
    LogFormat format;

    void operator()(std::string_view text) const {
        if (format == LogFormat::text && is_plain(text)) return append(buffer, text);
        buffer.push_back('"');
        if (is_plain(text)) {
            append(buffer, text);
        } else {
            append_escaped(buffer, text, format);
        }
        buffer.push_back('"');
    }
    void operator()(std::int64_t number) const { append_number(buffer, number); }
    void operator()(std::uint64_t number) const { append_number(buffer, number); }
    void operator()(bool truth) const { append(buffer, truth ? "true" : "false"); }
    void operator()(double number) const { append_real(buffer, number, format); }
};

/// Event and fields, without time and level: those are the sink's.
void render(Buffer& buffer, LogFormat format, std::string_view event, std::initializer_list<Field> fields) {
    const bool json = format == LogFormat::json;
    if (json) append(buffer, "\"event\":\"");
    append_key(buffer, event);
    if (json) buffer.push_back('"');
    for (const Field& field : fields) {
        append(buffer, json ? ",\"" : " ");
        append_key(buffer, field.key);
        append(buffer, json ? "\":" : "=");
        std::visit(AppendValue{buffer, format}, field.value);
    }
}

/// Puts time and level before what the logger hands it, and writes: at once, or with the thread's batch.
class LineSink : public spdlog::sinks::sink {
  public:
    [[nodiscard]] LogFormat format() const { return format_.load(std::memory_order_relaxed); }
    void set(LogFormat format, int descriptor) {
        const std::scoped_lock lock(mutex_);
        format_ = format;
        descriptor_ = descriptor;
        kind_ = kind_of(descriptor);
        reader_is_stuck_ = false;
    }

    void log(const spdlog::details::log_msg& message) override {
        Waiting& waiting = waiting_lines();
        const std::size_t before = waiting.lines.size();
        append_line(waiting.lines, message);
        if (waiting.batches == 0) {
            write_out(waiting.lines);
        } else if (waiting.lines.size() > batch_bytes) {
            // The line that overflows waits for the next write, so that no write exceeds the promise.
            Buffer last;
            append(last, {waiting.lines.data() + before, waiting.lines.size() - before});
            waiting.lines.resize(before);
            write_out(waiting.lines);
            append(waiting.lines, {last.data(), last.size()});
        }
    }
    void flush() override {}
    void set_pattern(const std::string& /*pattern*/) override {}
    void set_formatter(std::unique_ptr<spdlog::formatter> /*formatter*/) override {}

    void begin_batch() { ++waiting_lines().batches; }
    void end_batch() {
        Waiting& waiting = waiting_lines();
        if (--waiting.batches == 0) write_out(waiting.lines);
    }

  private:
    /// How a write there is kept from waiting for a reader. Not by O_NONBLOCK: standard error is shared with
    /// the terminal and with other programs.
    enum class Kind : std::uint8_t {
        file,    ///< never waits for a reader
        socket,  ///< has a flag for it (the journal of systemd)
        other,   ///< pipe or terminal: takes PIPE_BUF octets without waiting whenever poll says "writable"
    };
    static Kind kind_of(int descriptor) {
        struct stat status{};
        if (::fstat(descriptor, &status) != 0) return Kind::other;
        if (S_ISREG(status.st_mode)) return Kind::file;
        return S_ISSOCK(status.st_mode) ? Kind::socket : Kind::other;
    }

    struct Waiting {
        Buffer lines;
        int batches = 0;
    };
    static Waiting& waiting_lines() {
        thread_local Waiting waiting;
        return waiting;
    }

    void append_line(Buffer& lines, const spdlog::details::log_msg& message) const {
        const std::string_view body(message.payload.data(), message.payload.size());
        const bool json = body.starts_with('"');
        if (json) append(lines, "{\"time\":\"");
        append_time(lines, message.time);
        append(lines, json ? "\",\"level\":\"" : " ");
        append(lines, level_name(message.level));
        append(lines, json ? "\"," : " ");
        append(lines, body);
        append(lines, json ? "}\n" : "\n");
    }

    /// Whole lines of one thread never mix with another's: a pipe takes more than PIPE_BUF in pieces.
    void write_out(Buffer& lines) {
        {
            const std::scoped_lock lock(mutex_);
            if (line_is_torn_) {
                static constexpr char newline = '\n';
                line_is_torn_ = !write_all({&newline, 1});
            }
            if (!line_is_torn_) line_is_torn_ = !write_all({lines.data(), lines.size()});
        }
        lines.clear();
    }

    /// False when the reader took a part only.
    bool write_all(std::string_view bytes) {
        const std::size_t whole = bytes.size();
        while (!bytes.empty()) {
            const ssize_t written = write_some(bytes);
            if (written > 0) {
                reader_is_stuck_ = false;
                bytes.remove_prefix(static_cast<std::size_t>(written));
                continue;
            }
            const int error = written == 0 ? EIO : errno;
            if (error == EINTR) continue;
            if (error != EAGAIN || !wait_for_reader()) return bytes.size() == whole;
        }
        return true;
    }

    /// Like write(2), but EAGAIN where that would wait.
    [[nodiscard]] ssize_t write_some(std::string_view bytes) const {
        if (kind_ == Kind::file) return ::write(descriptor_, bytes.data(), bytes.size());
        if (kind_ == Kind::socket) {
            return ::send(descriptor_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        }
        pollfd now{descriptor_, POLLOUT, 0};
        if (::poll(&now, 1, 0) == 0) {
            errno = EAGAIN;
            return -1;
        }
        return ::write(descriptor_, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
    }

    /// Only the first line after a line that was taken waits: a reader that sleeps must not cost each of them
    /// our patience.
    bool wait_for_reader() {
        pollfd ready{descriptor_, POLLOUT, 0};
        const bool writable = ::poll(&ready, 1, reader_is_stuck_ ? 0 : patience_milliseconds) > 0;
        reader_is_stuck_ = !writable;
        return writable;
    }

    std::atomic<LogFormat> format_ = LogFormat::text;
    std::mutex mutex_;
    // All below is guarded by the mutex.
    int descriptor_ = STDERR_FILENO;
    Kind kind_ = kind_of(STDERR_FILENO);
    bool line_is_torn_ = false;
    bool reader_is_stuck_ = false;
};

struct Log {
    std::shared_ptr<LineSink> sink = std::make_shared<LineSink>();
    spdlog::logger logger{"pomona", sink};
};

/// Lives to the very end of the process, so that destructors of static objects may still log.
Log& log() {
    static Log& instance = *new Log;
    return instance;
}

}  // namespace

std::string_view name_of(Level level) {
    return level_names[static_cast<std::size_t>(level)];
}

std::optional<Level> level_from(std::string_view name) {
    for (std::size_t i = 0; i < level_names.size(); ++i) {
        if (level_names[i] == name) return static_cast<Level>(i);
    }
    return std::nullopt;
}

std::optional<LogFormat> log_format_from(std::string_view name) {
    if (name == "text") return LogFormat::text;
    if (name == "json") return LogFormat::json;
    return std::nullopt;
}

void configure_log(const LogOptions& options) {
    log().sink->set(options.format, options.descriptor);
    log().logger.set_level(spdlog_level(options.level));
}

bool log_enabled(Level level) {
    return log().logger.should_log(spdlog_level(level));
}

void log_event(Level level, std::string_view event, std::initializer_list<Field> fields) noexcept {
    if (!log_enabled(level)) return;
    try {
        Buffer body;
        render(body, log().sink->format(), event, fields);
        log().logger.log(spdlog_level(level), spdlog::string_view_t(body.data(), body.size()));
    } catch (...) {
        return;  // Out of memory: a log line is not worth the process.
    }
}

LogBatch::LogBatch() noexcept {
    log().sink->begin_batch();
}

LogBatch::~LogBatch() {
    log().sink->end_batch();
}

}  // namespace pomona::servers
