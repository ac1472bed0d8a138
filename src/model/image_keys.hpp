// ImageKeys: typed access to the keys of NBImageInfo.plist with the strictness that docs/images.md describes.
// What cannot be read becomes a problem; the reader goes on, so that one look shows all that is wrong.
#pragma once

#include <pomona/base/addresses.hpp>
#include <pomona/codec/plist.hpp>
#include <pomona/model/catalogue.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pomona::model {

class ImageKeys {
  public:
    ImageKeys(const codec::PlistDict& dict, std::string plist_path, std::vector<ImageProblem>& problems)
        : dict_(dict), plist_path_(std::move(plist_path)), problems_(problems) {}

    [[nodiscard]] bool has(std::string_view key) const { return dict_.find(key) != nullptr; }
    /// True once something made the image unfit for publication.
    [[nodiscard]] bool refused() const { return refused_; }

    void refuse(std::string_view key, std::string what, std::string remedy);
    void warn(std::string_view key, std::string what, std::string remedy);
    void note(std::string_view key, std::string what, std::string remedy);
    /// Refuses on account of another file than the plist.
    void refuse_file(std::string path, std::string_view key, std::string what, std::string remedy);
    void warn_file(std::string path, std::string_view key, std::string what, std::string remedy);

    /// Refuses when the key is missing; the remedy names a key that differs only in case.
    void missing(std::string_view key, std::string remedy);

    /// 0, 1 and words for a boolean are taken with a warning, anything else refuses.
    [[nodiscard]] bool boolean(std::string_view key, bool absent);
    /// A number in a string is taken with a warning. nullopt: absent or refused.
    [[nodiscard]] std::optional<std::int64_t> integer(std::string_view key);
    /// nullopt: absent or refused.
    [[nodiscard]] std::optional<std::string> string(std::string_view key);
    /// nullopt: absent or refused; an empty array is an empty vector.
    [[nodiscard]] std::optional<std::vector<std::string>> strings(std::string_view key);
    /// The same for a key that is only looked at: a wrong type is as good as absent.
    [[nodiscard]] std::optional<std::vector<std::string>> strings_if_any(std::string_view key) const;
    /// Sorted, each once; empty when absent or refused.
    [[nodiscard]] std::vector<base::MacAddress> macs(std::string_view key);

  private:
    void add(ImageProblem::Severity severity, std::string path, std::string_view key, std::string what,
             std::string remedy);
    void wrong_type(std::string_view key, const codec::PlistValue& value, std::string_view wanted,
                    std::string remedy);

    const codec::PlistDict& dict_;
    std::string plist_path_;
    std::vector<ImageProblem>& problems_;
    bool refused_ = false;
};

/// Text from the file for a message: cut, and control characters replaced.
[[nodiscard]] std::string shown(std::string_view text);

}  // namespace pomona::model
