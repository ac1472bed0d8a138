#include <pomona/codec/plist.hpp>

#include <algorithm>
#include <array>

namespace pomona::codec {

const PlistValue* PlistDict::find(std::string_view key) const {
    const auto found = std::ranges::find(entries, key, &PlistEntry::key);
    return found == entries.end() ? nullptr : &found->value;
}

void PlistDict::add(std::string key, PlistValue value) {
    entries.push_back({.key = std::move(key), .value = std::move(value)});
}

bool operator==(const PlistDict& a, const PlistDict& b) {
    return a.entries == b.entries;
}

bool operator==(const PlistValue& a, const PlistValue& b) {
    return a.value_ == b.value_;
}

PlistValue::PlistValue(PlistDict value) : value_(std::move(value)) {}
PlistValue::PlistValue(PlistArray value) : value_(std::move(value)) {}
PlistValue::PlistValue(std::string value) : value_(std::move(value)) {}
PlistValue::PlistValue(std::int64_t value) : value_(value) {}
PlistValue::PlistValue(double value) : value_(value) {}
PlistValue::PlistValue(bool value) : value_(value) {}
PlistValue::PlistValue(PlistData value) : value_(std::move(value)) {}
PlistValue::PlistValue(PlistDate value) : value_(value) {}

std::string_view PlistValue::type_name() const {
    static constexpr std::array<std::string_view, std::variant_size_v<Variant>> names = {
        "a dictionary", "an array", "a string", "an integer", "a real number", "a boolean", "data", "a date"};
    return names[value_.index()];
}

base::Result<PlistValue> parse_plist(base::Bytes file) {
    if (file.size() > largest_plist) {
        return base::fail("the file has " + std::to_string(file.size()) + " octets, more than the " +
                              std::to_string(largest_plist) + " allowed",
                          {}, "keep only the keys that describe the image");
    }
    const std::string_view text = base::as_text(file);
    if (text.starts_with("bplist")) return parse_binary_plist(file);
    const std::size_t first = text.find_first_not_of("\xef\xbb\xbf \t\r\n");
    if (first == std::string_view::npos) {
        return base::fail("the file is empty", {}, "write a property list into it");
    }
    // The oldest property lists look like "{ Name = x; }".
    if (text[first] == '{' || text[first] == '(') {
        return base::fail("this is a property list of the old text form", {},
                          "convert it, for example with: plutil -convert xml1 NBImageInfo.plist");
    }
    return parse_xml_plist(file);
}

}  // namespace pomona::codec
