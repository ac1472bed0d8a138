// Reading XML property lists. A scan over the raw text comes first and refuses what must never reach a
// general XML parser: entity declarations, unknown references, wrong UTF-8, deep nesting. pugixml builds the
// tree.
#include <pomona/base/utf8.hpp>
#include <pomona/codec/plist.hpp>

#include <pugixml.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <unordered_set>

namespace pomona::codec {

namespace {

std::string line_of(std::string_view text, std::size_t offset) {
    const std::string_view before = text.substr(0, std::min(offset, text.size()));
    return "line " + std::to_string(1 + std::ranges::count(before, '\n'));
}

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

/// Error text may hold a part of the file; keep it short and printable.
std::string quoted(std::string_view text) {
    std::string shown = "\"";
    for (const char c : base::cut_utf8(text, 40)) shown += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    if (text.size() > 40) shown += "...";
    return shown + "\"";
}

/// One pass over the text that checks what must hold before it is parsed.
class Scan {
  public:
    explicit Scan(std::string_view text) : text_(text) {}

    base::Result<void> run() {
        while (at_ < text_.size() && !error_) {
            if (text_[at_] == '<') {
                markup();
            } else if (text_[at_] == '&') {
                reference();
            } else {
                at_ = std::min(text_.find_first_of("<&", at_), text_.size());
            }
        }
        if (error_) return std::unexpected(*error_);
        return {};
    }

  private:
    void fail(std::string what, std::string remedy) {
        error_ = base::Error{std::move(what), line_of(text_, at_), std::move(remedy)};
    }

    /// Moves behind the next `end`; an unfinished piece is an error.
    void skip_behind(std::string_view end, std::size_t from, const char* piece) {
        const std::size_t found = text_.find(end, from);
        if (found == std::string_view::npos) {
            fail(std::string(piece) + " has no end", "the file is cut off or damaged; copy it again");
        } else {
            at_ = found + end.size();
        }
    }

    void markup() {
        const std::string_view rest = text_.substr(at_);
        if (rest.starts_with("<!--")) return skip_behind("-->", at_ + 4, "a comment");
        if (rest.starts_with("<![CDATA[")) return skip_behind("]]>", at_ + 9, "a CDATA section");
        if (rest.starts_with("<?")) return skip_behind("?>", at_ + 2, "a processing instruction");
        if (rest.starts_with("<!")) return document_type();
        tag();
    }

    void document_type() {
        const std::size_t end = text_.find_first_of(">[", at_);
        if (!text_.substr(at_).starts_with("<!DOCTYPE") ||
            (end != std::string_view::npos && text_[end] == '[')) {
            return fail("the file declares entities or rules of its own",
                        "remove everything between [ and ] after <!DOCTYPE");
        }
        skip_behind(">", at_, "the DOCTYPE");
    }

    void tag() {
        // A '>' inside quotes belongs to an attribute's value.
        std::size_t i = at_ + 1;
        char quote = '\0';
        for (; i < text_.size() && (quote != '\0' || text_[i] != '>'); ++i) {
            if (quote != '\0') {
                if (text_[i] == quote) quote = '\0';
            } else if (text_[i] == '"' || text_[i] == '\'') {
                quote = text_[i];
            }
        }
        if (i == text_.size()) {
            return fail("a tag has no end", "the file is cut off or damaged; copy it again");
        }
        if (text_[at_ + 1] == '/') {
            if (depth_ > 0) --depth_;
        } else if (text_[i - 1] != '/') {
            // <plist> around and a simple value inside are no levels of nesting.
            if (++depth_ > deepest_plist + 2) {
                return fail("values are nested deeper than " + std::to_string(deepest_plist) + " levels",
                            "keep only the keys that describe the image");
            }
        }
        at_ = i + 1;
    }

    void reference() {
        const std::string_view rest = text_.substr(at_ + 1, 12);
        const std::size_t end = rest.find(';');
        const std::string_view name =
            end == std::string_view::npos ? std::string_view{} : rest.substr(0, end);
        if (!is_known(name)) {
            return fail("an entity reference other than &amp; &lt; &gt; &quot; &apos; or a character number",
                        "write &amp; for the sign & itself");
        }
        at_ += end + 2;
    }

    static bool is_known(std::string_view name) {
        if (name == "amp" || name == "lt" || name == "gt" || name == "quot" || name == "apos") return true;
        if (!name.starts_with('#')) return false;
        name.remove_prefix(1);
        const bool hex = name.starts_with('x');
        if (hex) name.remove_prefix(1);
        std::uint32_t value = 0;
        const auto [end, error] = std::from_chars(name.begin(), name.end(), value, hex ? 16 : 10);
        return error == std::errc{} && end == name.end() && value != 0 && base::is_unicode_scalar(value);
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::size_t depth_ = 0;
    std::optional<base::Error> error_;
};

std::optional<PlistData> decoded_base64(std::string_view text) {
    PlistData data;
    std::uint32_t bits = 0;
    int digits = 0;
    int padding = 0;
    for (const char c : text) {
        std::uint32_t value = 0;
        if (c >= 'A' && c <= 'Z') {
            value = static_cast<std::uint32_t>(c - 'A');
        } else if (c >= 'a' && c <= 'z') {
            value = static_cast<std::uint32_t>(c - 'a') + 26;
        } else if (c >= '0' && c <= '9') {
            value = static_cast<std::uint32_t>(c - '0') + 52;
        } else if (c == '+' || c == '/') {
            value = c == '+' ? 62 : 63;
        } else if (c == '=') {
            ++padding;
            continue;
        } else if (is_space(c)) {
            continue;
        } else {
            return std::nullopt;
        }
        if (padding > 0) return std::nullopt;
        bits = bits << 6U | value;
        if (++digits % 4 == 0) {
            for (const unsigned shift : {16U, 8U, 0U})
                data.push_back(static_cast<std::uint8_t>(bits >> shift));
            bits = 0;
        }
    }
    const int left = digits % 4;
    if (padding > 2 || left == 1 || (padding > 0 && left + padding != 4)) return std::nullopt;
    if (left > 1) data.push_back(static_cast<std::uint8_t>(bits >> (left == 2 ? 4U : 10U)));
    if (left == 3) data.push_back(static_cast<std::uint8_t>(bits >> 2U));
    return data;
}

/// "2011-03-04T05:06:07Z"
std::optional<PlistDate> parsed_date(std::string_view text) {
    constexpr std::string_view shape = "0000-00-00T00:00:00Z";
    if (text.size() != shape.size()) return std::nullopt;
    for (std::size_t i = 0; i < shape.size(); ++i) {
        const bool digit = text[i] >= '0' && text[i] <= '9';
        if (shape[i] == '0' ? !digit : text[i] != shape[i]) return std::nullopt;
    }
    const auto number = [&](std::size_t at, std::size_t count) {
        int value = 0;
        for (const char c : text.substr(at, count)) value = value * 10 + (c - '0');
        return value;
    };
    const std::chrono::year_month_day day(std::chrono::year(number(0, 4)),
                                          std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                          std::chrono::day(static_cast<unsigned>(number(8, 2))));
    const int hours = number(11, 2);
    const int minutes = number(14, 2);
    const int seconds = number(17, 2);
    if (!day.ok() || number(0, 4) == 0 || hours > 23 || minutes > 59 || seconds > 59) return std::nullopt;
    return std::chrono::sys_days(day) + std::chrono::hours(hours) + std::chrono::minutes(minutes) +
           std::chrono::seconds(seconds);
}

/// Decimal with an optional sign, or 0x and hex digits, as CoreFoundation reads it.
std::optional<std::int64_t> parsed_integer(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    const bool hex = text.starts_with("0x") || text.starts_with("0X");
    if (hex) text.remove_prefix(2);
    std::uint64_t magnitude = 0;
    const auto [end, error] = std::from_chars(text.begin(), text.end(), magnitude, hex ? 16 : 10);
    constexpr std::uint64_t limit = std::uint64_t{1} << 63U;
    if (error != std::errc{} || end != text.end()) return std::nullopt;
    if (magnitude > (negative ? limit : limit - 1)) return std::nullopt;
    return static_cast<std::int64_t>(negative ? ~magnitude + 1 : magnitude);
}

std::optional<double> parsed_real(std::string_view text) {
    if (text.starts_with('+')) text.remove_prefix(1);
    double value = 0;
    const auto [end, error] = std::from_chars(text.begin(), text.end(), value);
    if (error != std::errc{} || end != text.end() || !std::isfinite(value)) return std::nullopt;
    return value;
}

class TreeReader {
  public:
    explicit TreeReader(std::string_view text) : text_(text) {}

    base::Result<PlistValue> document(const pugi::xml_document& document) {
        const auto root = only_element(document, "the file");
        if (!root) return std::unexpected(root.error());
        if (std::string_view(root->name()) != "plist") return value(*root, 1);
        const auto inner = only_element(*root, "<plist>");
        if (!inner) return std::unexpected(inner.error());
        return value(*inner, 1);
    }

  private:
    base::Result<pugi::xml_node> only_element(const pugi::xml_node& parent, const std::string& place) {
        pugi::xml_node found;
        for (const pugi::xml_node child : parent.children()) {
            if (child.type() != pugi::node_element) {
                if (is_blank(child)) continue;
                return fail(child, "text stands outside of every value", "remove it");
            }
            if (found) return fail(child, place + " holds more than one value", "keep only the dictionary");
            found = child;
        }
        if (!found) {
            return base::fail(place + " holds no value", path_.empty() ? "line 1" : path_,
                              "write <plist><dict> ... </dict></plist>");
        }
        return found;
    }

    static bool is_blank(const pugi::xml_node& node) {
        return node.type() != pugi::node_pcdata || trimmed(node.value()).empty();
    }

    std::unexpected<base::Error> fail(const pugi::xml_node& node, std::string what,
                                      std::string remedy) const {
        const std::ptrdiff_t offset = node.offset_debug();
        std::string where = line_of(text_, offset < 0 ? 0 : static_cast<std::size_t>(offset));
        if (!path_.empty()) where += ", " + path_;
        return base::fail(std::move(what), std::move(where), std::move(remedy));
    }

    base::Result<std::string> content(const pugi::xml_node& node) const {
        std::string content;
        for (const pugi::xml_node child : node.children()) {
            if (child.type() == pugi::node_element) {
                return fail(child, "a tag stands inside <" + std::string(node.name()) + ">", "remove it");
            }
            content += child.value();
        }
        return content;
    }

    base::Result<PlistValue> value(const pugi::xml_node& node, std::size_t depth) {
        const std::string_view tag = node.name();
        if (tag == "dict" || tag == "array") {
            if (depth > deepest_plist) {
                return fail(node,
                            "values are nested deeper than " + std::to_string(deepest_plist) + " levels",
                            "keep only the keys that describe the image");
            }
            return tag == "dict" ? dict(node, depth) : array(node, depth);
        }
        const auto text = content(node);
        if (!text) return std::unexpected(text.error());
        return simple(node, tag, *text);
    }

    base::Result<PlistValue> simple(const pugi::xml_node& node, std::string_view tag,
                                    const std::string& text) {
        if (tag == "string") return PlistValue(text);
        const std::string_view bare = trimmed(text);
        if (tag == "true" || tag == "false") {
            if (bare.empty()) return PlistValue(tag == "true");
            return fail(node, "<" + std::string(tag) + "> holds text", "write <true/> or <false/>");
        }
        if (tag == "integer") {
            if (const auto number = parsed_integer(bare)) return PlistValue(*number);
            return fail(node, quoted(bare) + " is no integer of 64 bits", "write digits only");
        }
        if (tag == "real") {
            if (const auto number = parsed_real(bare)) return PlistValue(*number);
            return fail(node, quoted(bare) + " is no finite number", "write digits only");
        }
        if (tag == "date") {
            if (const auto date = parsed_date(bare)) return PlistValue(*date);
            return fail(node, quoted(bare) + " is no date", "write it like 2011-03-04T05:06:07Z");
        }
        if (tag == "data") {
            if (auto data = decoded_base64(text)) return PlistValue(std::move(*data));
            return fail(node, "the data is not base64", "encode it again");
        }
        return fail(node, "<" + std::string(base::cut_utf8(tag, 40)) + "> is no type of a property list",
                    "use dict, array, string, integer, real, true, false, data or date");
    }

    base::Result<PlistValue> array(const pugi::xml_node& node, std::size_t depth) {
        PlistArray items;
        for (const pugi::xml_node child : node.children()) {
            if (child.type() != pugi::node_element) {
                if (is_blank(child)) continue;
                return fail(child, "text stands between the values of an array", "put it into <string>");
            }
            const PathStep step(path_, "[" + std::to_string(items.size()) + "]");
            auto item = value(child, depth + 1);
            if (!item) return item;
            items.push_back(std::move(*item));
        }
        return PlistValue(std::move(items));
    }

    base::Result<PlistValue> dict(const pugi::xml_node& node, std::size_t depth) {
        PlistDict dict;
        std::unordered_set<std::string> seen;
        std::optional<std::string> key;
        pugi::xml_node key_node;
        const auto without_value = [&] {
            return fail(key_node, "the key " + quoted(*key) + " has no value", "write a value behind it");
        };
        for (const pugi::xml_node child : node.children()) {
            if (child.type() != pugi::node_element) {
                if (is_blank(child)) continue;
                return fail(child, "text stands between the entries of a dictionary", "put it into <string>");
            }
            if (std::string_view(child.name()) == "key") {
                if (key) return without_value();
                auto text = content(child);
                if (!text) return std::unexpected(text.error());
                if (!seen.insert(*text).second) {
                    return fail(child, "the key " + quoted(*text) + " stands twice", "remove one of them");
                }
                key = std::move(*text);
                key_node = child;
                continue;
            }
            if (!key) return fail(child, "a value has no key", "write <key>...</key> before it");
            const PathStep step(path_, (path_.empty() ? "" : ".") + std::string(base::cut_utf8(*key, 60)));
            auto item = value(child, depth + 1);
            if (!item) return item;
            dict.add(std::move(*key), std::move(*item));
            key.reset();
        }
        if (key) return without_value();
        return PlistValue(std::move(dict));
    }

    /// Lengthens the path of keys for one scope.
    class PathStep {
      public:
        PathStep(std::string& path, const std::string& step) : path_(path), length_(path.size()) {
            path += step;
        }
        PathStep(const PathStep&) = delete;
        PathStep& operator=(const PathStep&) = delete;
        ~PathStep() { path_.resize(length_); }

      private:
        std::string& path_;
        std::size_t length_;
    };

    std::string_view text_;
    std::string path_;
};

}  // namespace

base::Result<PlistValue> parse_xml_plist(base::Bytes file) {
    if (file.size() > largest_plist) return parse_plist(file);
    std::string_view text = base::as_text(file);
    if (text.starts_with("\xfe\xff") || text.starts_with("\xff\xfe")) {
        return base::fail("the file is UTF-16", "line 1", "save it as UTF-8");
    }
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    if (const std::size_t valid = base::valid_utf8_prefix(text); valid != text.size()) {
        return base::fail("the text is not UTF-8", line_of(text, valid), "save it as UTF-8");
    }
    if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
        return base::fail("the text holds a NUL octet", line_of(text, nul), "save it as UTF-8 text");
    }
    if (const auto scanned = Scan(text).run(); !scanned) return std::unexpected(scanned.error());

    pugi::xml_document document;
    const pugi::xml_parse_result parsed = document.load_buffer(
        text.data(), text.size(), pugi::parse_default | pugi::parse_ws_pcdata, pugi::encoding_utf8);
    if (!parsed) {
        return base::fail(std::string("this is no well-formed XML: ") + parsed.description(),
                          line_of(text, static_cast<std::size_t>(std::max<std::ptrdiff_t>(parsed.offset, 0))),
                          "check it, for example with: xmllint --noout NBImageInfo.plist");
    }
    return TreeReader(text).document(document);
}

}  // namespace pomona::codec
