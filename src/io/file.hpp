// Files opened beneath a root folder: no way out through `..`, absolute names or links, no devices, no FIFOs.
#pragma once

#include "io/descriptor.hpp"

#include <pomona/base/bytes.hpp>

#include <sys/stat.h>
#include <sys/uio.h>

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace pomona::io {

/// Why a file did not open.
struct FileProblem {
    enum class Kind : std::uint8_t {
        missing,      ///< no such file or folder
        forbidden,    ///< leads out of the root, is not a regular file, or may not be read
        unavailable,  ///< the machine's trouble: too many open files, disk error, old kernel
    };
    Kind kind = Kind::missing;
    std::string what;  ///< in words: "no such file"

    friend bool operator==(const FileProblem&, const FileProblem&) = default;
};

/// Which file it is, whatever its name.
struct FileIdentity {
    dev_t device = 0;
    ino_t inode = 0;

    friend auto operator<=>(const FileIdentity&, const FileIdentity&) = default;
};

/// A regular file, open for reading.
class File {
  public:
    /// `path` is relative to the folder `root`. Links that stay beneath `root` are followed. Never waits for
    /// the other end of a FIFO and never touches a device.
    static std::expected<File, FileProblem> open_beneath(const std::string& root, const std::string& path);

    /// A file without a name that holds `contents`; as old as `original`, and with its identity.
    static std::expected<File, FileProblem> in_memory(base::Bytes contents, const File& original);
    /// The same file once more.
    [[nodiscard]] std::expected<File, FileProblem> again() const;

    /// Size when it was opened.
    [[nodiscard]] std::uint64_t size() const { return size_; }
    /// When its contents were last changed, as it was opened.
    [[nodiscard]] std::chrono::sys_time<std::chrono::nanoseconds> modified() const { return modified_; }
    [[nodiscard]] const FileIdentity& identity() const { return identity_; }
    [[nodiscard]] int descriptor() const { return descriptor_.get(); }
    /// Gives the descriptor away.
    [[nodiscard]] Descriptor release() && { return std::move(descriptor_); }

    /// Octets from `offset` on, spread over `parts` in order; the count read, less than asked only at the end
    /// of the file, or -1 with errno.
    [[nodiscard]] std::ptrdiff_t read(std::span<const iovec> parts, std::uint64_t offset) const;

  private:
    File(Descriptor descriptor, const struct stat& status);

    Descriptor descriptor_;
    std::uint64_t size_ = 0;
    std::chrono::sys_time<std::chrono::nanoseconds> modified_;
    FileIdentity identity_;
};

/// Opens what `path` names beneath `folder`; close-on-exec. No way leads out of `folder`; links that stay
/// beneath it are followed. Empty, with errno, if that fails.
Descriptor open_beneath(const Descriptor& folder, const std::string& path, int flags);

/// Makes room for so many descriptors by raising the soft limit of the process as far as its hard limit
/// allows. Returns the limit that holds now.
std::size_t raise_descriptor_limit(std::size_t wanted);

}  // namespace pomona::io
