#include <pomona/model/catalogue.hpp>
#include <pomona/model/image_rules.hpp>

#include <algorithm>
#include <array>
#include <tuple>
#include <unordered_map>

namespace pomona::model {

namespace {

std::string place_of(const NetBootImage& image) {
    return image.share_path + "/" + image.folder;
}

ImageProblem problem(ImageProblem::Severity severity, const NetBootImage& image, std::string key,
                     std::string what, std::string remedy) {
    return {.severity = severity,
            .path = place_of(image) + "/" + image_info_file,
            .key = std::move(key),
            .what = std::move(what),
            .remedy = std::move(remedy)};
}

/// Defaults that name models say more than defaults for everybody, so they come first.
int group_of(const NetBootImage& image) {
    if (!image.is_default) return 2;
    return image.enabled_models.empty() ? 1 : 0;
}

/// Position of each image in the operator's order; pinned_order.size() for those that are not in it.
std::vector<std::size_t> pinned_ranks(const std::vector<NetBootImage>& images,
                                      std::span<const std::string> pinned_order,
                                      std::vector<ImageProblem>& problems) {
    std::vector<std::size_t> ranks(images.size(), pinned_order.size());
    for (std::size_t pin = 0; pin < pinned_order.size(); ++pin) {
        bool found = false;
        for (std::size_t i = 0; i < images.size(); ++i) {
            const bool named = pinned_order[pin] == images[i].folder ||
                               pinned_order[pin] == images[i].share + "/" + images[i].folder;
            if (named) {
                found = true;
                ranks[i] = std::min(ranks[i], pin);
            }
        }
        if (!found) {
            problems.push_back({.severity = ImageProblem::Severity::warning,
                                .path = pinned_order[pin],
                                .key = {},
                                .what = "the fixed order of images names a folder that is not published",
                                .remedy = "correct the name in the order, or remove it"});
        }
    }
    return ranks;
}

void order_images(std::vector<NetBootImage>& images, std::span<const std::string> pinned_order,
                  std::vector<ImageProblem>& problems) {
    const std::vector<std::size_t> ranks = pinned_ranks(images, pinned_order, problems);
    std::vector<std::size_t> order(images.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    // The position last keeps equal images as they were; the library's stable sort uses what C++20 took away.
    std::ranges::sort(order, {}, [&](std::size_t i) {
        const bool pinned = ranks[i] < pinned_order.size();
        return std::tuple(ranks[i], pinned ? 0 : group_of(images[i]), i);
    });
    std::vector<NetBootImage> ordered;
    ordered.reserve(images.size());
    for (const std::size_t i : order) ordered.push_back(std::move(images[i]));
    images = std::move(ordered);
}

/// Some firmware and several servers look at the index alone.
void warn_of_equal_indexes(std::span<const NetBootImage> images, std::vector<ImageProblem>& problems) {
    std::unordered_map<std::uint16_t, const NetBootImage*> first;
    for (const NetBootImage& image : images) {
        const auto [known, is_new] = first.emplace(image.id.index(), &image);
        if (is_new) continue;
        problems.push_back(problem(ImageProblem::Severity::warning, image, "Index",
                                   "the index " + std::to_string(image.id.index()) + " is also that of " +
                                       place_of(*known->second) +
                                       "; some Macs and servers tell images apart by it alone",
                                   "give each image an index of its own"));
    }
}

/// For everybody who can start its file: no list narrows it.
bool is_generic_default(const NetBootImage& image) {
    return image.is_default && image.enabled_models.empty() && image.enabled_macs.empty() &&
           !image.filter_only;
}

/// One of the architecture can start both.
bool share_an_audience(const NetBootImage& a, const NetBootImage& b, std::string_view architecture) {
    return std::ranges::any_of(std::array{EfiWidth::ia32, EfiWidth::x64}, [&](EfiWidth firmware) {
        return std::ranges::all_of(std::array{&a, &b}, [&](const NetBootImage* image) {
            return std::ranges::any_of(image->boot_files, [&](const BootFile& file) {
                return file.architecture == architecture &&
                       (file.width == firmware || file.width == EfiWidth::universal ||
                        file.width == EfiWidth::other);
            });
        });
    });
}

void warn_of_defaults(std::span<const NetBootImage> images, std::vector<ImageProblem>& problems) {
    for (const std::string_view architecture : {"i386", "ppc"}) {
        const NetBootImage* any = nullptr;
        const NetBootImage* first_default = nullptr;
        std::vector<const NetBootImage*> generic;
        for (const NetBootImage& image : images) {
            if (image.boot_file_for(architecture) == nullptr) continue;
            if (any == nullptr) any = &image;
            if (!image.is_default) continue;
            if (first_default == nullptr) first_default = &image;
            if (!is_generic_default(image)) continue;
            const auto winner = std::ranges::find_if(generic, [&](const NetBootImage* earlier) {
                return share_an_audience(*earlier, image, architecture);
            });
            if (winner == generic.end()) {
                generic.push_back(&image);
                continue;
            }
            problems.push_back(problem(ImageProblem::Severity::warning, image, "IsDefault",
                                       "two images are the default for every " + std::string(architecture) +
                                           " Mac; " + place_of(**winner) + " stands first and wins",
                                       "write <false/> in one of them"));
        }
        if (any != nullptr && first_default == nullptr) {
            problems.push_back(problem(ImageProblem::Severity::warning, *any, "IsDefault",
                                       "no image is the default for " + std::string(architecture) +
                                           " Macs; the first of the list, \"" + any->name +
                                           "\", takes that place",
                                       "write IsDefault <true/> in the image that shall be it"));
        }
    }
}

/// A list that names a model which then does not see the image was written in vain.
void warn_of_widths(const Catalogue& catalogue, std::vector<ImageProblem>& problems) {
    for (const NetBootImage& image : catalogue.images()) {
        std::vector<std::string_view> hidden;
        for (const std::string& model : image.enabled_models) {
            const ClientTraits client{.mac = {}, .architecture = "i386", .model = model};
            const bool may_load = image.boot_file_for("i386") != nullptr &&
                                  catalogue.models().firmware_of(model) != Firmware::none;
            if (may_load && catalogue.boot_file_for(image, client) == nullptr) hidden.push_back(model);
        }
        if (hidden.empty()) continue;
        const bool x64 = image.boot_file_for("i386")->width == EfiWidth::x64;
        const bool several = hidden.size() > 1;
        std::string what = "the boot file is for " + std::string(x64 ? "64" : "32") + "-bit EFI, and ";
        what += hidden.front();
        if (several) what += " and " + std::to_string(hidden.size() - 1) + " more";
        what += several ? " count as " : " counts as ";
        what += x64 ? "32" : "64";
        what += std::string("-bit, so the image stays hidden from ") + (several ? "them" : "it");
        problems.push_back(problem(
            ImageProblem::Severity::warning, image, "EnabledSystemIdentifiers", std::move(what),
            "give the image a program for both widths, or correct the model" +
                std::string(several ? "s" : "") + " with the setting " + (x64 ? "x64-model" : "ia32-model")));
    }
}

}  // namespace

std::string ImageProblem::text() const {
    static constexpr std::array<std::string_view, 3> names = {"note", "warning", "error"};
    std::string line(names[static_cast<std::size_t>(severity)]);
    line += ": " + path;
    if (!key.empty()) line += ": " + key;
    line += ": " + what;
    if (!remedy.empty()) line += "; " + remedy;
    return line;
}

Catalogue Catalogue::build(std::vector<NetBootImage> images, std::vector<ImageProblem>& problems,
                           std::span<const std::string> pinned_order, KnownModels models) {
    order_images(images, pinned_order, problems);
    Catalogue catalogue;
    catalogue.models_ = std::move(models);
    for (NetBootImage& image : images) {
        const auto known = catalogue.by_id_.find(image.id);
        if (known != catalogue.by_id_.end()) {
            problems.push_back(problem(ImageProblem::Severity::error, image, "Index",
                                       "the image id " + image.id.text() + " is that of " +
                                           place_of(catalogue.images_[known->second]) +
                                           ", which is published",
                                       "change the index of one of them"));
            continue;
        }
        catalogue.by_id_.emplace(image.id, catalogue.images_.size());
        catalogue.images_.push_back(std::move(image));
    }
    warn_of_equal_indexes(catalogue.images_, problems);
    warn_of_defaults(catalogue.images_, problems);
    warn_of_widths(catalogue, problems);
    return catalogue;
}

const NetBootImage* Catalogue::find(base::BootImageId id) const {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : &images_[found->second];
}

const BootFile* Catalogue::boot_file_for(const NetBootImage& image, const ClientTraits& client) const {
    const auto found = std::ranges::find_if(image.boot_files, [&](const BootFile& file) {
        return file.architecture == client.architecture && models_.may_start(client.model, file.width);
    });
    return found == image.boot_files.end() ? nullptr : &*found;
}

bool Catalogue::matches(const NetBootImage& image, const ClientTraits& client) const {
    if (boot_file_for(image, client) == nullptr) return false;
    if (!image.enabled_models.empty() && !std::ranges::binary_search(image.enabled_models, client.model)) {
        return false;
    }
    if (std::ranges::binary_search(image.disabled_models, client.model)) return false;
    if (std::ranges::binary_search(image.disabled_macs, client.mac)) return false;
    return image.enabled_macs.empty() || std::ranges::binary_search(image.enabled_macs, client.mac);
}

bool Catalogue::passes(const NetBootImage& image, const AttributesFilter& filter) {
    if (!filter) return !image.filter_only;
    return std::ranges::find(*filter, image.id.attributes()) != filter->end();
}

const NetBootImage* Catalogue::default_for(const ClientTraits& client, const AttributesFilter& filter) const {
    for (const NetBootImage& image : images_) {
        if (matches(image, client) && passes(image, filter)) return &image;
    }
    return nullptr;
}

}  // namespace pomona::model
