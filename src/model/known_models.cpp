#include "models_text.hpp"

#include <pomona/model/known_models.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace pomona::model {

namespace {

constexpr std::string_view blank = " \t\r";

std::string_view next_word(std::string_view& line) {
    line.remove_prefix(std::min(line.find_first_not_of(blank), line.size()));
    const std::string_view word = line.substr(0, line.find_first_of(blank));
    line.remove_prefix(word.size());
    return word;
}

/// Takes a number of one to four digits from the front.
std::optional<int> next_number(std::string_view& text) {
    constexpr std::size_t most_digits = 4;
    int number = 0;
    const char* const first = text.data();
    const auto [end, error] = std::from_chars(first, first + std::min(text.size(), most_digits), number);
    if (error != std::errc{} || number < 0 || *first == '-') return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - first));
    return number;
}

struct Identifier {
    std::string_view family;
    int major = 0;
    int minor = 0;
};

/// "iMac12,1"
std::optional<Identifier> parse_identifier(std::string_view model) {
    const std::size_t digits = model.find_first_of("0123456789");
    if (digits == std::string_view::npos || digits == 0) return std::nullopt;
    Identifier identifier{.family = model.substr(0, digits)};
    model.remove_prefix(digits);
    const auto major = next_number(model);
    if (!major || !model.starts_with(',')) return std::nullopt;
    model.remove_prefix(1);
    const auto minor = next_number(model);
    if (!minor || *minor == 0 || !model.empty()) return std::nullopt;
    identifier.major = *major;
    identifier.minor = *minor;
    return identifier;
}

/// '*' is any text, also none. What a client calls itself is its own choice, so a star that does not fit is
/// tried again by one octet, never all stars against each other.
bool fits(std::string_view pattern, std::string_view text) {
    std::size_t star = std::string_view::npos;
    std::size_t resume = 0;
    std::size_t p = 0;
    std::size_t t = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.size() && pattern[p] == text[t]) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

constexpr std::array firmware_words = {std::pair{std::string_view("ia32"), Firmware::ia32},
                                       std::pair{std::string_view("x64"), Firmware::x64},
                                       std::pair{std::string_view("doubtful"), Firmware::doubtful},
                                       std::pair{std::string_view("none"), Firmware::none}};
constexpr std::array netboot_words = {
    std::pair{std::string_view("yes"), NetBooting::yes}, std::pair{std::string_view("T2"), NetBooting::no_t2},
    std::pair{std::string_view("Apple-silicon"), NetBooting::no_apple_silicon}};

template <typename Words>
auto meaning_of(const Words& words, std::string_view word) {
    const auto found = std::ranges::find(words, word, [](const auto& pair) { return pair.first; });
    return found == words.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

base::Result<KnownModels::Range> KnownModels::parse_line(std::string_view line) {
    const std::string_view models = next_word(line);
    const auto firmware = meaning_of(firmware_words, next_word(line));
    const auto netboot = meaning_of(netboot_words, next_word(line));
    if (!firmware)
        return base::fail("the second word is no firmware", {}, "write ia32, x64, doubtful or none");
    if (!netboot)
        return base::fail("the third word does not say whether it NetBoots", {},
                          "write yes, T2 or Apple-silicon");
    if (!next_word(line).empty()) return base::fail("there are more than three words", {}, "remove the rest");

    Range range;
    range.facts = {.firmware = *firmware, .netboot = *netboot};
    if (const auto one = parse_identifier(models)) {
        range.family = one->family;
        range.first = range.last = one->major;
        range.minor = one->minor;
        return range;
    }
    const std::size_t digits = std::min(models.find_first_of("0123456789"), models.size());
    range.family = models.substr(0, digits);
    std::string_view numbers = models.substr(digits);
    const auto first = next_number(numbers);
    auto last = first;
    if (first && numbers.starts_with('-')) {
        numbers.remove_prefix(1);
        last = next_number(numbers);
    }
    if (range.family.empty() || !first || !last || !numbers.empty() || *last < *first) {
        return base::fail("the first word is no model and no range of models", {},
                          "write it like iMac12,1 or iMac4-6");
    }
    range.first = *first;
    range.last = *last;
    return range;
}

base::Result<KnownModels> KnownModels::parse(std::string_view table) {
    KnownModels known;
    for (int number = 1; !table.empty(); ++number) {
        std::string_view line = table.substr(0, table.find('\n'));
        table.remove_prefix(std::min(line.size() + 1, table.size()));
        line = line.substr(0, line.find('#'));
        if (line.find_first_not_of(blank) == std::string_view::npos) continue;
        auto range = parse_line(line);
        if (!range) {
            range.error().where = "line " + std::to_string(number);
            return std::unexpected(range.error());
        }
        known.ranges_.push_back(std::move(*range));
    }
    return known;
}

const KnownModels& KnownModels::built_in() {
    static const KnownModels known = parse(models_text).value();
    return known;
}

void KnownModels::override_firmware(std::string pattern, Firmware firmware) {
    overrides_.push_back({.pattern = std::move(pattern), .firmware = firmware});
}

const KnownModels::Range* KnownModels::range_of(std::string_view model) const {
    const auto identifier = parse_identifier(model);
    if (!identifier) return nullptr;
    const auto found = std::ranges::find_if(ranges_, [&](const Range& range) {
        return range.family == identifier->family && range.first <= identifier->major &&
               identifier->major <= range.last &&
               range.minor.value_or(identifier->minor) == identifier->minor;
    });
    return found == ranges_.end() ? nullptr : &*found;
}

const KnownModels::Override* KnownModels::override_of(std::string_view model) const {
    const auto weight = [](const Override& one) {
        const bool exact = one.pattern.find('*') == std::string::npos;
        return std::pair(exact, one.pattern.size());
    };
    const Override* best = nullptr;
    for (const Override& one : overrides_) {
        if (fits(one.pattern, model) && (best == nullptr || weight(*best) < weight(one))) best = &one;
    }
    return best;
}

std::optional<ModelFacts> KnownModels::find(std::string_view model) const {
    const Override* const corrected = override_of(model);
    const Range* const range = range_of(model);
    if (corrected == nullptr && range == nullptr) return std::nullopt;
    ModelFacts facts = range == nullptr ? ModelFacts{} : range->facts;
    if (corrected != nullptr) facts.firmware = corrected->firmware;
    return facts;
}

Firmware KnownModels::firmware_of(std::string_view model) const {
    return find(model).value_or(ModelFacts{}).firmware;
}

bool KnownModels::netboots(std::string_view model) const {
    const auto facts = find(model);
    return facts && facts->netboot == NetBooting::yes;
}

bool KnownModels::may_start(std::string_view model, EfiWidth width) const {
    if (width == EfiWidth::universal || width == EfiWidth::other) return true;
    const Firmware firmware = firmware_of(model);
    if (firmware == Firmware::doubtful) return true;
    return firmware == (width == EfiWidth::x64 ? Firmware::x64 : Firmware::ia32);
}

}  // namespace pomona::model
