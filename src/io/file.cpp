#include "io/file.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace pomona::io {

namespace {

FileProblem problem_of(int error, bool root) {
    using Kind = FileProblem::Kind;
    switch (error) {
        case ENOENT:
        case ENOTDIR:
            return {Kind::missing, root ? "the root folder does not exist" : "no such file"};
        case ENAMETOOLONG:
            return {Kind::missing, "the name is too long"};
        case EXDEV:
            return {Kind::forbidden, "it leads out of the root folder"};
        case ELOOP:
            return {Kind::forbidden, "it leads through too many links"};
        case EACCES:
        case EPERM:
            return {Kind::forbidden, "the server's user may not read it"};
        case ENXIO:
        case ENODEV:
            return {Kind::forbidden, "not a regular file"};
        case ENOSYS:
            return {Kind::unavailable, "this kernel has no openat2 (Linux 5.6 has it)"};
        default:
            return {Kind::unavailable, std::generic_category().message(error)};
    }
}

}  // namespace

Descriptor open_beneath(const Descriptor& folder, const std::string& path, int flags) {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    // EAGAIN: something was renamed while `..` of a link was followed. Once more usually helps.
    for (int attempt = 0;; ++attempt) {
        const long fd = ::syscall(SYS_openat2, folder.get(), path.c_str(), &how, sizeof how);
        if (fd >= 0) return Descriptor(static_cast<int>(fd));
        if ((errno != EAGAIN && errno != EINTR) || attempt == 8) return {};
    }
}

std::expected<File, FileProblem> File::open_beneath(const std::string& root, const std::string& path) {
    // An embedded NUL would silently cut the name.
    if (path.empty() || path.find('\0') != std::string::npos) {
        return std::unexpected(FileProblem{FileProblem::Kind::missing, "no such file"});
    }
    // The root is looked up each time: it may be a disk that was mounted after the start.
    const Descriptor folder(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!folder) return std::unexpected(problem_of(errno, true));

    // First without opening: already the opening of a device can rewind a tape or start a watchdog.
    struct stat status{};
    const Descriptor found = io::open_beneath(folder, path, O_PATH);
    if (!found) return std::unexpected(problem_of(errno, false));
    if (::fstat(found.get(), &status) != 0) return std::unexpected(problem_of(errno, false));
    if (!S_ISREG(status.st_mode)) {
        return std::unexpected(FileProblem{FileProblem::Kind::forbidden, S_ISDIR(status.st_mode)
                                                                             ? "it is a folder"
                                                                             : "it is not a regular file"});
    }
    Descriptor file = io::open_beneath(folder, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!file) return std::unexpected(problem_of(errno, false));
    if (::fstat(file.get(), &status) != 0) return std::unexpected(problem_of(errno, false));
    if (!S_ISREG(status.st_mode)) {
        return std::unexpected(FileProblem{FileProblem::Kind::forbidden, "it is not a regular file"});
    }
    return File(std::move(file), status);
}

File::File(Descriptor descriptor, const struct stat& status)
    : descriptor_(std::move(descriptor)),
      size_(static_cast<std::uint64_t>(status.st_size)),
      modified_(std::chrono::seconds(status.st_mtim.tv_sec) +
                std::chrono::nanoseconds(status.st_mtim.tv_nsec)),
      identity_{.device = status.st_dev, .inode = status.st_ino} {}

std::expected<File, FileProblem> File::in_memory(base::Bytes contents, const File& original) {
    const auto failed = [] {
        return std::unexpected(
            FileProblem{FileProblem::Kind::unavailable,
                        "no memory for a copy: " + std::generic_category().message(errno)});
    };
    Descriptor memory(::memfd_create("pomona", MFD_CLOEXEC));
    if (memory.get() < 0) return failed();
    for (base::Bytes left = contents; !left.empty();) {
        const ssize_t count = ::write(memory.get(), left.data(), left.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return failed();
        left = left.subspan(static_cast<std::size_t>(count));
    }
    File file(std::move(memory), {});
    file.size_ = contents.size();
    file.modified_ = original.modified_;
    file.identity_ = original.identity_;
    return file;
}

std::expected<File, FileProblem> File::again() const {
    Descriptor copy(::fcntl(descriptor_.get(), F_DUPFD_CLOEXEC, 0));
    if (copy.get() < 0) {
        return std::unexpected(
            FileProblem{FileProblem::Kind::unavailable, std::generic_category().message(errno)});
    }
    File file(std::move(copy), {});
    file.size_ = size_;
    file.modified_ = modified_;
    file.identity_ = identity_;
    return file;
}

std::ptrdiff_t File::read(std::span<const iovec> parts, std::uint64_t offset) const {
    for (;;) {
        const ssize_t count =
            parts.size() == 1
                ? ::pread(descriptor_.get(), parts[0].iov_base, parts[0].iov_len, static_cast<off_t>(offset))
                : ::preadv(descriptor_.get(), parts.data(), static_cast<int>(parts.size()),
                           static_cast<off_t>(offset));
        if (count >= 0 || errno != EINTR) return count;
    }
}

std::size_t raise_descriptor_limit(std::size_t wanted) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    if (limit.rlim_cur < wanted) {
        const rlim_t before = limit.rlim_cur;
        limit.rlim_cur = std::min<rlim_t>(wanted, limit.rlim_max);
        if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
    }
    return static_cast<std::size_t>(limit.rlim_cur);
}

}  // namespace pomona::io
