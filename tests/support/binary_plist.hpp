// BinaryPlist: puts together "bplist00" files, right or wrong ones, object by object.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace pomona::tests {

class BinaryPlist {
  public:
    using Octets = std::vector<std::uint8_t>;

    /// Returns the number by which other objects refer to it.
    std::uint8_t add(const Octets& object) {
        offsets_.push_back(file_.size());
        file_.insert(file_.end(), object.begin(), object.end());
        return static_cast<std::uint8_t>(offsets_.size() - 1);
    }
    /// At most 14 characters.
    std::uint8_t text(std::string_view text) {
        Octets object = {static_cast<std::uint8_t>(0x50 | text.size())};
        object.insert(object.end(), text.begin(), text.end());
        return add(object);
    }
    /// References of one octet, offsets of two.
    [[nodiscard]] Octets file(std::uint64_t top, std::uint64_t count) const {
        Octets file = file_;
        for (const std::size_t offset : offsets_) {
            file.push_back(static_cast<std::uint8_t>(offset >> 8U));
            file.push_back(static_cast<std::uint8_t>(offset));
        }
        file.insert(file.end(), {0, 0, 0, 0, 0, 0, 2, 1});
        for (const std::uint64_t number : {count, top, std::uint64_t{file_.size()}}) {
            for (int shift = 56; shift >= 0; shift -= 8)
                file.push_back(static_cast<std::uint8_t>(number >> shift));
        }
        return file;
    }
    [[nodiscard]] Octets file(std::uint64_t top) const { return file(top, offsets_.size()); }

  private:
    Octets file_ = {'b', 'p', 'l', 'i', 's', 't', '0', '0'};
    std::vector<std::size_t> offsets_;
};

}  // namespace pomona::tests
