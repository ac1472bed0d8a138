// Property lists: PlistValue, read from XML or from Apple's binary form "bplist00", and written as XML. The
// files come from anywhere, so every limit is small and a refusal costs milliseconds.
#pragma once

#include <pomona/base/bytes.hpp>
#include <pomona/base/error.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace pomona::codec {

class PlistValue;
struct PlistEntry;

using PlistArray = std::vector<PlistValue>;
using PlistData = std::vector<std::uint8_t>;
/// Whole seconds, UTC, years 1 to 9999.
using PlistDate = std::chrono::sys_seconds;

/// Keys in the order of the file, each at most once.
struct PlistDict {
    std::vector<PlistEntry> entries;

    [[nodiscard]] const PlistValue* find(std::string_view key) const;
    void add(std::string key, PlistValue value);
};
bool operator==(const PlistDict& a, const PlistDict& b);

class PlistValue {
  public:
    using Variant =
        std::variant<PlistDict, PlistArray, std::string, std::int64_t, double, bool, PlistData, PlistDate>;

    explicit PlistValue(PlistDict value);
    explicit PlistValue(PlistArray value);
    explicit PlistValue(std::string value);
    explicit PlistValue(std::int64_t value);
    explicit PlistValue(double value);
    explicit PlistValue(bool value);
    explicit PlistValue(PlistData value);
    explicit PlistValue(PlistDate value);
    /// A literal would become a bool.
    explicit PlistValue(const char*) = delete;

    /// The value if it is of type T, nullptr otherwise.
    template <typename T>
    [[nodiscard]] const T* get() const {
        return std::get_if<T>(&value_);
    }
    template <typename T>
    [[nodiscard]] T* get() {
        return std::get_if<T>(&value_);
    }
    [[nodiscard]] const Variant& variant() const { return value_; }
    /// "a dictionary", "a string", "an integer": for messages.
    [[nodiscard]] std::string_view type_name() const;

    friend bool operator==(const PlistValue& a, const PlistValue& b);

  private:
    Variant value_;
};

struct PlistEntry {
    std::string key;
    PlistValue value;

    friend bool operator==(const PlistEntry& a, const PlistEntry& b) = default;
};

inline constexpr std::size_t largest_plist = std::size_t{1} << 20U;
/// Dictionaries and arrays inside one another; the outermost counts.
inline constexpr std::size_t deepest_plist = 16;
/// A binary list may refer to one object many times; each time counts.
inline constexpr std::size_t most_plist_values = 100'000;
inline constexpr std::size_t most_plist_octets = std::size_t{4} << 20U;

/// Either form, told apart by the first octets. Error::where is "line 12, Architectures" or "offset 64,
/// Name".
[[nodiscard]] base::Result<PlistValue> parse_plist(base::Bytes file);

/// UTF-8 with or without a byte order mark. No document type is fetched; entity declarations are refused.
[[nodiscard]] base::Result<PlistValue> parse_xml_plist(base::Bytes file);

[[nodiscard]] base::Result<PlistValue> parse_binary_plist(base::Bytes file);

/// With Apple's header, tabs, and a line feed at the end; parse_xml_plist() gives back an equal value. Texts
/// must be UTF-8 without NUL and reals finite, as the parsers promise.
[[nodiscard]] std::string write_xml_plist(const PlistValue& value);

}  // namespace pomona::codec
