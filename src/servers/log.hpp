// The log: one line per event, as `time level event key=value ...` or as one JSON object, to standard error.
// Whatever bytes a value holds, it can neither end the line nor look like another field.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace pomona::servers {

enum class Level : std::uint8_t { debug, info, warn, error };
enum class LogFormat : std::uint8_t { text, json };

/// "debug", "info", "warn", "error"
std::string_view name_of(Level level);
std::optional<Level> level_from(std::string_view name);
std::optional<LogFormat> log_format_from(std::string_view name);

/// A key and a view of its value: made and used within one call of log_event. Keys are names of our own,
/// lower case with '_'; any other character in one becomes '_'.
struct Field {
    using Value = std::variant<std::string_view, std::int64_t, std::uint64_t, bool, double>;

    std::string_view key;
    Value value;

    Field(std::string_view name, std::string_view text) : key(name), value(text) {}
    Field(std::string_view name, const std::string& text) : key(name), value(std::string_view(text)) {}
    Field(std::string_view name, const char* text) : key(name), value(std::string_view(text)) {}
    Field(std::string_view name, std::same_as<bool> auto truth) : key(name), value(truth) {}
    Field(std::string_view name, std::signed_integral auto number)
        : key(name), value(static_cast<std::int64_t>(number)) {}
    Field(std::string_view name, std::unsigned_integral auto number)
        requires(!std::same_as<decltype(number), bool>)
        : key(name), value(static_cast<std::uint64_t>(number)) {}
    Field(std::string_view name, double number) : key(name), value(number) {}
};

struct LogOptions {
    Level level = Level::info;
    LogFormat format = LogFormat::text;
    /// Where lines go; not owned. Standard error.
    int descriptor = 2;
};

/// May be called again while threads log; lines on their way keep the old settings.
void configure_log(const LogOptions& options);

/// Ask first when the fields themselves cost something to make.
[[nodiscard]] bool log_enabled(Level level);

/// Writes one line, unless the level is off. Safe from any thread; never throws, never fails: a line that
/// cannot be written is lost.
void log_event(Level level, std::string_view event, std::initializer_list<Field> fields) noexcept;

/// While one lives, the lines of this thread are collected and leave with one write: at its end, or whenever
/// 64 KiB are full. Batches may nest; the outermost one writes. Lines of other threads are not held back.
class LogBatch {
  public:
    LogBatch() noexcept;
    LogBatch(const LogBatch&) = delete;
    LogBatch& operator=(const LogBatch&) = delete;
    ~LogBatch();
};

}  // namespace pomona::servers
