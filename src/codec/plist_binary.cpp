// Reading binary property lists, "bplist00": objects, a table of their offsets, and a trailer of 32 octets.
// References may point anywhere, so values are counted as they are produced, however few objects the file
// has.
#include <pomona/base/utf8.hpp>
#include <pomona/codec/plist.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>
#include <unordered_set>

namespace pomona::codec {

namespace {

constexpr std::size_t header_size = 8;
constexpr std::size_t trailer_size = 32;

class BinaryReader {
  public:
    explicit BinaryReader(base::Bytes file) : file_(file) {}

    base::Result<PlistValue> document() {
        if (file_.size() < header_size + trailer_size) return damaged(file_.size(), "the file is too short");
        if (base::as_text(file_.first(header_size)) != "bplist00") {
            return base::fail("this version of the binary form is unknown", "offset 6",
                              "convert it with: plutil -convert xml1 NBImageInfo.plist");
        }
        const std::size_t trailer = file_.size() - trailer_size;
        base::ByteReader reader(file_.subspan(trailer));
        reader.skip(6);
        offset_size_ = reader.u8();
        reference_size_ = reader.u8();
        object_count_ = reader.u64();
        const std::uint64_t top = reader.u64();
        table_ = reader.u64();
        if (offset_size_ == 0 || offset_size_ > 8 || reference_size_ == 0 || reference_size_ > 8) {
            return damaged(trailer + 6, "the sizes of offsets and references are impossible");
        }
        if (table_ < header_size || table_ > trailer || object_count_ == 0 ||
            object_count_ > (trailer - table_) / offset_size_) {
            return damaged(trailer + 8, "the table of objects does not fit into the file");
        }
        return value(top, trailer + 16, 1);
    }

  private:
    std::string place(std::uint64_t offset) const {
        std::string where = "offset " + std::to_string(offset);
        return path_.empty() ? where : where + ", " + path_;
    }
    std::unexpected<base::Error> damaged(std::uint64_t offset, std::string what) const {
        return base::fail(std::move(what), place(offset), "the file is cut off or damaged; copy it again");
    }
    std::unexpected<base::Error> refused(std::uint64_t offset, std::string what) const {
        return base::fail(std::move(what), place(offset), "keep only the keys that describe the image");
    }

    std::uint64_t number_at(std::uint64_t offset, std::size_t size) const {
        std::uint64_t number = 0;
        for (const std::uint8_t octet : file_.subspan(offset, size)) number = number << 8U | octet;
        return number;
    }

    /// The head of an object: its kind, and for all but numbers the count, with the offset behind it.
    struct Head {
        std::uint64_t at = 0;
        unsigned kind = 0;
        unsigned low = 0;
        std::uint64_t count = 0;
        std::uint64_t body = 0;
    };

    /// Room for `count` pieces of `size` octets between `offset` and the table?
    [[nodiscard]] bool fits(std::uint64_t offset, std::uint64_t count, std::size_t size) const {
        return offset <= table_ && count <= (table_ - offset) / size;
    }

    base::Result<Head> head_of(std::uint64_t object, std::uint64_t referred_from) const {
        if (object >= object_count_) {
            return damaged(referred_from, "object " + std::to_string(object) + " does not exist");
        }
        Head head;
        head.at = number_at(table_ + object * offset_size_, offset_size_);
        if (head.at < header_size || head.at >= table_) {
            return damaged(table_ + object * offset_size_, "an object lies outside of the objects");
        }
        head.kind = file_[head.at] >> 4U;
        head.low = file_[head.at] & 15U;
        head.count = head.low;
        head.body = head.at + 1;
        if (head.kind >= 4 && head.low == 15) {
            // The count follows as an integer object.
            if (!fits(head.body, 1, 1)) return damaged(head.at, "an object is cut off");
            const unsigned marker = file_[head.body];
            const std::size_t size = std::size_t{1} << (marker & 15U);
            if (marker >> 4U != 1 || size > 8 || !fits(head.body + 1, 1, size)) {
                return damaged(head.body, "the count of an object is unreadable");
            }
            head.count = number_at(head.body + 1, size);
            head.body += 1 + size;
        }
        return head;
    }

    base::Result<PlistValue> value(std::uint64_t object, std::uint64_t referred_from, std::size_t depth) {
        const auto head = head_of(object, referred_from);
        if (!head) return std::unexpected(head.error());
        if (++values_ > most_plist_values) {
            return refused(head->at,
                           "the list unfolds to more than " + std::to_string(most_plist_values) + " values");
        }
        switch (head->kind) {
            case 0x0:
                if (head->low == 8 || head->low == 9) return PlistValue(head->low == 9);
                return damaged(head->at, "an object of unknown kind");
            case 0x1:
                return integer(*head);
            case 0x2:
                return real(*head);
            case 0x3:
                return date(*head);
            case 0x4:
                return data(*head);
            case 0x5:
            case 0x6:
            case 0x7: {
                auto text = string(*head);
                if (!text) return std::unexpected(text.error());
                return PlistValue(std::move(*text));
            }
            case 0xa:
            case 0xd:
                return container(object, *head, depth);
            default:
                return damaged(head->at, "an object of unknown kind");
        }
    }

    base::Result<PlistValue> integer(const Head& head) const {
        const std::size_t size = std::size_t{1} << head.low;
        if (head.low > 4 || !fits(head.body, 1, size)) return damaged(head.at, "an integer is cut off");
        // 1, 2 and 4 octets are unsigned, 8 are signed; 16 hold an unsigned number of 64 bits.
        if (size < 16) return PlistValue(std::bit_cast<std::int64_t>(number_at(head.body, size)));
        const std::uint64_t low = number_at(head.body + 8, 8);
        if (number_at(head.body, 8) != 0 || (low >> 63U) != 0) {
            return refused(head.at, "an integer has more than 64 bits");
        }
        return PlistValue(std::bit_cast<std::int64_t>(low));
    }

    base::Result<double> number(const Head& head, const char* what) const {
        const std::size_t size = std::size_t{1} << head.low;
        if ((head.low != 2 && head.low != 3) || !fits(head.body, 1, size)) {
            return damaged(head.at, std::string(what) + " is cut off");
        }
        const std::uint64_t bits = number_at(head.body, size);
        const double value = size == 4 ? double{std::bit_cast<float>(static_cast<std::uint32_t>(bits))}
                                       : std::bit_cast<double>(bits);
        if (!std::isfinite(value)) return refused(head.at, std::string(what) + " is not finite");
        return value;
    }

    base::Result<PlistValue> real(const Head& head) const {
        const auto value = number(head, "a real number");
        if (!value) return std::unexpected(value.error());
        return PlistValue(*value);
    }

    /// Seconds since the first day of 2001.
    base::Result<PlistValue> date(const Head& head) const {
        const auto seconds = number(head, "a date");
        if (!seconds) return std::unexpected(seconds.error());
        using std::chrono::sys_days;
        constexpr PlistDate epoch = sys_days(std::chrono::year(2001) / 1 / 1);
        constexpr PlistDate first = sys_days(std::chrono::year(1) / 1 / 1);
        constexpr PlistDate last = sys_days(std::chrono::year(10000) / 1 / 1) - std::chrono::seconds(1);
        const double whole = std::floor(*seconds);
        if (whole < static_cast<double>((first - epoch).count()) ||
            whole > static_cast<double>((last - epoch).count())) {
            return refused(head.at, "a date lies outside of the years 1 to 9999");
        }
        return PlistValue(epoch + std::chrono::seconds(static_cast<std::int64_t>(whole)));
    }

    /// Counts octets before they are copied: false when the list unfolds to too many.
    bool may_copy(std::uint64_t octets) {
        if (octets > most_plist_octets - octets_) return false;
        octets_ += octets;
        return true;
    }
    std::unexpected<base::Error> too_many_octets(const Head& head) const {
        return refused(head.at,
                       "the list unfolds to more than " + std::to_string(most_plist_octets) + " octets");
    }

    base::Result<PlistValue> data(const Head& head) {
        if (!fits(head.body, head.count, 1)) return damaged(head.at, "data is cut off");
        if (!may_copy(head.count)) return too_many_octets(head);
        const base::Bytes octets = file_.subspan(head.body, head.count);
        return PlistValue(PlistData(octets.begin(), octets.end()));
    }

    base::Result<std::string> string(const Head& head) {
        const std::size_t unit = head.kind == 6 ? 2 : 1;
        if (!fits(head.body, head.count, unit)) return damaged(head.at, "a text is cut off");
        // One unit of UTF-16 becomes at most three octets.
        if (!may_copy(head.count * (unit == 2 ? 3 : 1))) return too_many_octets(head);
        std::string text;
        if (head.kind == 6) {
            if (!append_utf16(text, head)) return damaged(head.at, "a text is not UTF-16");
        } else {
            text = base::as_text(file_.subspan(head.body, head.count));
            const bool valid = head.kind == 7
                                   ? base::is_utf8(text)
                                   : std::ranges::all_of(text, [](char c) { return (c & 0x80) == 0; });
            if (!valid)
                return damaged(head.at, head.kind == 7 ? "a text is not UTF-8" : "a text is not ASCII");
        }
        if (text.find('\0') != std::string::npos) return refused(head.at, "a text holds a NUL character");
        return text;
    }

    bool append_utf16(std::string& text, const Head& head) const {
        for (std::uint64_t i = 0; i < head.count; ++i) {
            auto unit = static_cast<std::uint32_t>(number_at(head.body + 2 * i, 2));
            if (unit >= 0xd800 && unit < 0xdc00 && i + 1 < head.count) {
                const auto second = static_cast<std::uint32_t>(number_at(head.body + 2 * (i + 1), 2));
                if (second < 0xdc00 || second > 0xdfff) return false;
                unit = 0x10000 + ((unit - 0xd800) << 10U) + (second - 0xdc00);
                ++i;
            }
            if (!base::is_unicode_scalar(unit)) return false;
            base::append_utf8(text, unit);
        }
        return true;
    }

    base::Result<PlistValue> container(std::uint64_t object, const Head& head, std::size_t depth) {
        const bool is_dict = head.kind == 0xd;
        if (!fits(head.body, head.count, reference_size_ * (is_dict ? 2U : 1U))) {
            return damaged(head.at, is_dict ? "a dictionary is cut off" : "an array is cut off");
        }
        if (std::ranges::find(open_, object) != open_.end()) {
            return damaged(head.at, is_dict ? "a dictionary contains itself" : "an array contains itself");
        }
        if (depth > deepest_plist) {
            return refused(head.at,
                           "values are nested deeper than " + std::to_string(deepest_plist) + " levels");
        }
        open_.push_back(object);
        auto result = is_dict ? dict(head, depth) : array(head, depth);
        open_.pop_back();
        return result;
    }

    std::uint64_t reference_at(std::uint64_t body, std::uint64_t index) const {
        return number_at(body + index * reference_size_, reference_size_);
    }

    base::Result<PlistValue> array(const Head& head, std::size_t depth) {
        PlistArray items;
        const std::size_t length = path_.size();
        for (std::uint64_t i = 0; i < head.count; ++i) {
            path_ += "[" + std::to_string(i) + "]";
            auto item = value(reference_at(head.body, i), head.body + i * reference_size_, depth + 1);
            path_.resize(length);
            if (!item) return item;
            items.push_back(std::move(*item));
        }
        return PlistValue(std::move(items));
    }

    base::Result<PlistValue> dict(const Head& head, std::size_t depth) {
        PlistDict dict;
        std::unordered_set<std::string> seen;
        const std::size_t length = path_.size();
        for (std::uint64_t i = 0; i < head.count; ++i) {
            auto key = key_of(reference_at(head.body, i), head.body + i * reference_size_);
            if (!key) return std::unexpected(key.error());
            if (!seen.insert(*key).second) {
                return refused(head.at,
                               "the key \"" + std::string(base::cut_utf8(*key, 40)) + "\" stands twice");
            }
            path_ += (length == 0 ? "" : ".") + std::string(base::cut_utf8(*key, 60));
            const std::uint64_t at = head.count + i;
            auto item = value(reference_at(head.body, at), head.body + at * reference_size_, depth + 1);
            path_.resize(length);
            if (!item) return item;
            dict.add(std::move(*key), std::move(*item));
        }
        return PlistValue(std::move(dict));
    }

    base::Result<std::string> key_of(std::uint64_t object, std::uint64_t referred_from) {
        const auto head = head_of(object, referred_from);
        if (!head) return std::unexpected(head.error());
        if (head->kind < 5 || head->kind > 7) return damaged(head->at, "a key is no text");
        if (++values_ > most_plist_values) {
            return refused(head->at,
                           "the list unfolds to more than " + std::to_string(most_plist_values) + " values");
        }
        return string(*head);
    }

    base::Bytes file_;
    std::size_t offset_size_ = 0;
    std::size_t reference_size_ = 0;
    std::uint64_t object_count_ = 0;
    std::uint64_t table_ = 0;
    std::size_t values_ = 0;
    std::uint64_t octets_ = 0;
    /// Containers on the way from the top to here.
    std::vector<std::uint64_t> open_;
    std::string path_;
};

}  // namespace

base::Result<PlistValue> parse_binary_plist(base::Bytes file) {
    if (file.size() > largest_plist) return parse_plist(file);
    return BinaryReader(file).document();
}

}  // namespace pomona::codec
