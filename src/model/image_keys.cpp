#include "image_keys.hpp"

#include <pomona/base/utf8.hpp>

#include <algorithm>
#include <charconv>

namespace pomona::model {

namespace {

std::string lower_case(std::string_view text) {
    std::string lower(text);
    for (char& c : lower) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return lower;
}

}  // namespace

std::string shown(std::string_view text) {
    constexpr std::size_t longest = 60;
    std::string copy = "\"";
    for (const char c : base::cut_utf8(text, longest)) {
        copy += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
    if (text.size() > longest) copy += "...";
    return copy + "\"";
}

void ImageKeys::add(ImageProblem::Severity severity, std::string path, std::string_view key, std::string what,
                    std::string remedy) {
    if (severity == ImageProblem::Severity::error) refused_ = true;
    problems_.push_back({.severity = severity,
                         .path = std::move(path),
                         .key = std::string(key),
                         .what = std::move(what),
                         .remedy = std::move(remedy)});
}

void ImageKeys::refuse(std::string_view key, std::string what, std::string remedy) {
    add(ImageProblem::Severity::error, plist_path_, key, std::move(what), std::move(remedy));
}
void ImageKeys::warn(std::string_view key, std::string what, std::string remedy) {
    add(ImageProblem::Severity::warning, plist_path_, key, std::move(what), std::move(remedy));
}
void ImageKeys::note(std::string_view key, std::string what, std::string remedy) {
    add(ImageProblem::Severity::note, plist_path_, key, std::move(what), std::move(remedy));
}
void ImageKeys::refuse_file(std::string path, std::string_view key, std::string what, std::string remedy) {
    add(ImageProblem::Severity::error, std::move(path), key, std::move(what), std::move(remedy));
}
void ImageKeys::warn_file(std::string path, std::string_view key, std::string what, std::string remedy) {
    add(ImageProblem::Severity::warning, std::move(path), key, std::move(what), std::move(remedy));
}

void ImageKeys::missing(std::string_view key, std::string remedy) {
    const std::string lower = lower_case(key);
    for (const codec::PlistEntry& entry : dict_.entries) {
        if (lower_case(entry.key) == lower) {
            return refuse(key, "the key is missing",
                          "rename " + shown(entry.key) + " to " + std::string(key) + ": upper case matters");
        }
    }
    refuse(key, "the key is missing", std::move(remedy));
}

void ImageKeys::wrong_type(std::string_view key, const codec::PlistValue& value, std::string_view wanted,
                           std::string remedy) {
    refuse(key, "the value is " + std::string(value.type_name()) + ", not " + std::string(wanted),
           std::move(remedy));
}

bool ImageKeys::boolean(std::string_view key, bool absent) {
    const codec::PlistValue* const value = dict_.find(key);
    if (value == nullptr) return absent;
    if (const bool* const plain = value->get<bool>()) return *plain;
    std::optional<bool> meant;
    if (const auto* const number = value->get<std::int64_t>();
        number != nullptr && (*number == 0 || *number == 1)) {
        meant = *number == 1;
    } else if (const auto* const word = value->get<std::string>()) {
        const std::string lower = lower_case(*word);
        if (lower == "true" || lower == "yes") meant = true;
        if (lower == "false" || lower == "no") meant = false;
    }
    if (!meant) {
        wrong_type(key, *value, "a boolean", "write <true/> or <false/>");
        return absent;
    }
    warn(key,
         std::string("the value is ") + std::string(value->type_name()) + ", taken as " +
             (*meant ? "true" : "false"),
         *meant ? "write <true/>" : "write <false/>");
    return *meant;
}

std::optional<std::int64_t> ImageKeys::integer(std::string_view key) {
    const codec::PlistValue* const value = dict_.find(key);
    if (value == nullptr) return std::nullopt;
    if (const auto* const number = value->get<std::int64_t>()) return *number;
    if (const auto* const text = value->get<std::string>()) {
        std::int64_t number = 0;
        const char* const last = text->data() + text->size();
        const auto [end, error] = std::from_chars(text->data(), last, number);
        if (error == std::errc{} && end == last) {
            const std::string digits = std::to_string(number);
            warn(key, "the number is a string, taken as " + digits,
                 "write <integer>" + digits + "</integer>");
            return number;
        }
    }
    wrong_type(key, *value, "an integer", "write it like <integer>4097</integer>");
    return std::nullopt;
}

std::optional<std::string> ImageKeys::string(std::string_view key) {
    const codec::PlistValue* const value = dict_.find(key);
    if (value == nullptr) return std::nullopt;
    if (const auto* const text = value->get<std::string>()) return *text;
    wrong_type(key, *value, "a string", "write it like <string>...</string>");
    return std::nullopt;
}

std::optional<std::vector<std::string>> ImageKeys::strings(std::string_view key) {
    const codec::PlistValue* const value = dict_.find(key);
    if (value == nullptr) return std::nullopt;
    const auto* const array = value->get<codec::PlistArray>();
    if (array == nullptr) {
        wrong_type(key, *value, "an array", "write it like <array><string>...</string></array>");
        return std::nullopt;
    }
    std::vector<std::string> texts;
    for (const codec::PlistValue& item : *array) {
        const auto* const text = item.get<std::string>();
        if (text == nullptr) {
            refuse(key,
                   "element " + std::to_string(texts.size() + 1) + " is " + std::string(item.type_name()) +
                       ", not a string",
                   "write each element as <string>...</string>");
            return std::nullopt;
        }
        texts.push_back(*text);
    }
    return texts;
}

std::optional<std::vector<std::string>> ImageKeys::strings_if_any(std::string_view key) const {
    const codec::PlistValue* const value = dict_.find(key);
    const auto* const array = value == nullptr ? nullptr : value->get<codec::PlistArray>();
    if (array == nullptr) return std::nullopt;
    std::vector<std::string> texts;
    for (const codec::PlistValue& item : *array) {
        if (const auto* const text = item.get<std::string>()) texts.push_back(*text);
    }
    return texts;
}

std::vector<base::MacAddress> ImageKeys::macs(std::string_view key) {
    std::vector<base::MacAddress> macs;
    const auto texts = strings(key);
    if (!texts) return macs;
    for (const std::string& text : *texts) {
        const auto mac = base::MacAddress::parse(text);
        if (!mac) {
            refuse(key, shown(text) + " is no MAC address", "write six hex numbers, like 40:6c:8f:37:95:27");
            return {};
        }
        macs.push_back(*mac);
    }
    std::ranges::sort(macs);
    macs.erase(std::ranges::unique(macs).begin(), macs.end());
    return macs;
}

}  // namespace pomona::model
