// Writing XML property lists in the layout of Apple's own tools.
#include <pomona/codec/plist.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace pomona::codec {

namespace {

std::string base64(const PlistData& data) {
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t at = 0; at < data.size(); at += 3) {
        const std::size_t count = std::min<std::size_t>(3, data.size() - at);
        std::uint32_t bits = 0;
        for (std::size_t i = 0; i < 3; ++i) bits = bits << 8U | (i < count ? data[at + i] : 0U);
        for (std::size_t i = 0; i < 4; ++i) text += i > count ? '=' : digits[bits >> (18 - 6 * i) & 63U];
    }
    return text;
}

std::string date_text(PlistDate date) {
    const auto day = std::chrono::floor<std::chrono::days>(date);
    const std::chrono::year_month_day ymd(day);
    const std::chrono::hh_mm_ss time(date - day);
    std::array<char, 64> text{};
    (void)std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ", int{ymd.year()},
                        unsigned{ymd.month()}, unsigned{ymd.day()}, static_cast<int>(time.hours().count()),
                        static_cast<int>(time.minutes().count()), static_cast<int>(time.seconds().count()));
    return text.data();
}

class Writer {
  public:
    explicit Writer(std::string& out) : out_(out) {}

    void operator()(const PlistDict& dict) {
        if (dict.entries.empty()) return line("<dict/>");
        line("<dict>");
        ++depth_;
        for (const PlistEntry& entry : dict.entries) {
            element("key", entry.key);
            std::visit(*this, entry.value.variant());
        }
        --depth_;
        line("</dict>");
    }
    void operator()(const PlistArray& array) {
        if (array.empty()) return line("<array/>");
        line("<array>");
        ++depth_;
        for (const PlistValue& value : array) std::visit(*this, value.variant());
        --depth_;
        line("</array>");
    }
    void operator()(const std::string& text) { element("string", text); }
    void operator()(std::int64_t number) { element("integer", std::to_string(number)); }
    void operator()(double number) {
        std::array<char, 64> text{};
        const auto end = std::to_chars(text.begin(), text.end(), number).ptr;
        element("real", std::string_view(text.begin(), end));
    }
    void operator()(bool value) { line(value ? "<true/>" : "<false/>"); }
    void operator()(const PlistData& data) { element("data", base64(data)); }
    void operator()(PlistDate date) { element("date", date_text(date)); }

  private:
    void indent() { out_.append(depth_, '\t'); }
    void line(std::string_view text) {
        indent();
        out_ += text;
        out_ += '\n';
    }
    void element(std::string_view tag, std::string_view content) {
        indent();
        out_.append("<").append(tag).append(">");
        for (const char c : content) character(c);
        out_.append("</").append(tag).append(">\n");
    }
    void character(char c) {
        // A bare carriage return would come back as a line feed, and other control characters are no XML.
        if (c == '<') {
            out_ += "&lt;";
        } else if (c == '>') {
            out_ += "&gt;";
        } else if (c == '&') {
            out_ += "&amp;";
        } else if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') {
            out_ += "&#" + std::to_string(static_cast<int>(c)) + ";";
        } else {
            out_ += c;
        }
    }

    std::string& out_;
    std::size_t depth_ = 0;
};

}  // namespace

std::string write_xml_plist(const PlistValue& value) {
    std::string out =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "
        "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n"
        "<plist version=\"1.0\">\n";
    std::visit(Writer(out), value.variant());
    return out + "</plist>\n";
}

}  // namespace pomona::codec
