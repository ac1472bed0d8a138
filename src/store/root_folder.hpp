// RootFolder: looks at files beneath an image root exactly as the servers will open them: no way out through
// links, no devices. So nothing is published that a server then refuses to send.
#pragma once

#include "io/descriptor.hpp"

#include <pomona/base/error.hpp>
#include <pomona/codec/efi.hpp>
#include <pomona/model/image_rules.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pomona::store {

/// One name in a folder.
struct FolderEntry {
    std::string name;
    /// A folder, or a link to one beneath the root.
    bool is_folder = false;
};

class RootFolder {
  public:
    /// Error::what is the reason in words.
    static base::Result<RootFolder> open(const std::string& path);

    /// Paths are relative to the root. Sorted bytewise, without "." and "..".
    [[nodiscard]] base::Result<std::vector<FolderEntry>> entries(const std::string& path) const;

    [[nodiscard]] model::FileFacts facts(const std::string& path) const;
    [[nodiscard]] base::Result<codec::EfiProgram> efi(const std::string& path) const;
    /// The first `limit` octets of a regular file.
    [[nodiscard]] base::Result<std::vector<std::uint8_t>> read(const std::string& path,
                                                               std::size_t limit) const;

  private:
    explicit RootFolder(io::Descriptor root) : root_(std::move(root)) {}

    /// -errno when it fails.
    [[nodiscard]] int open_beneath(const std::string& path, int flags) const;

    io::Descriptor root_;
};

}  // namespace pomona::store
