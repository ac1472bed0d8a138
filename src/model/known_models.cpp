#include <pomona/model/known_models.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace pomona::model {

namespace {

struct Family {
    std::string_view name;
    /// The last number before the comma that still NetBoots.
    int last = 0;
};

constexpr std::array families = {
    Family{"iMac", 19},       Family{"Macmini", 7}, Family{"MacBook", 10}, Family{"MacBookAir", 7},
    Family{"MacBookPro", 14}, Family{"MacPro", 6},  Family{"Xserve", 3},   Family{"PowerMac", 12},
    Family{"PowerBook", 6},   Family{"RackMac", 3}, Family{"VMware", 99},
};

}  // namespace

bool is_known_netboot_model(std::string_view model) {
    const std::size_t digits = model.find_first_of("0123456789");
    if (digits == std::string_view::npos) return false;
    const auto family = std::ranges::find(families, model.substr(0, digits), &Family::name);
    if (family == families.end()) return false;
    int major = 0;
    int minor = 0;
    const char* const last = model.data() + model.size();
    const auto [comma, error] = std::from_chars(model.data() + digits, last, major);
    if (error != std::errc{} || comma == last || *comma != ',') return false;
    const auto [end, minor_error] = std::from_chars(comma + 1, last, minor);
    return minor_error == std::errc{} && end == last && major >= 1 && major <= family->last && minor >= 1;
}

}  // namespace pomona::model
