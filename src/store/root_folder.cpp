#include "store/root_folder.hpp"

#include "io/file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

namespace pomona::store {

namespace {

std::string reason_of(int error) {
    return std::generic_category().message(error);
}

struct CloseFolder {
    void operator()(DIR* folder) const { ::closedir(folder); }
};

}  // namespace

base::Result<RootFolder> RootFolder::open(const std::string& path) {
    io::Descriptor root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root) {
        const int error = errno;
        return base::fail(reason_of(error), path,
                          error == ENOENT ? "create the folder, or correct the setting"
                                          : "let this server's user read the folder");
    }
    return RootFolder(std::move(root));
}

int RootFolder::open_beneath(const std::string& path, int flags) const {
    io::Descriptor opened = io::open_beneath(root_, path, flags);
    return opened ? opened.release() : -errno;
}

base::Result<std::vector<FolderEntry>> RootFolder::entries(const std::string& path) const {
    const int fd = open_beneath(path, O_RDONLY | O_DIRECTORY);
    if (fd < 0) return base::fail(reason_of(-fd), path);
    const std::unique_ptr<DIR, CloseFolder> folder(::fdopendir(fd));
    if (!folder) {
        const int error = errno;
        ::close(fd);
        return base::fail(reason_of(error), path);
    }
    std::vector<FolderEntry> entries;
    while (true) {
        errno = 0;
        const ::dirent* const entry = ::readdir(folder.get());
        if (entry == nullptr) break;
        const std::string name = entry->d_name;
        if (name == "." || name == "..") continue;
        bool is_folder = entry->d_type == DT_DIR;
        if (entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN) {
            const std::string below = path == "." ? name : std::string(path).append("/").append(name);
            is_folder = static_cast<bool>(io::Descriptor(open_beneath(below, O_PATH | O_DIRECTORY)));
        }
        entries.push_back({.name = name, .is_folder = is_folder});
    }
    if (errno != 0) return base::fail(reason_of(errno), path);
    std::ranges::sort(entries, {}, &FolderEntry::name);
    return entries;
}

model::FileFacts RootFolder::facts(const std::string& path) const {
    using Kind = model::FileFacts::Kind;
    model::FileFacts facts;
    const int fd = open_beneath(path, O_PATH);
    if (fd == -ENOENT || fd == -ENOTDIR || fd == -ENAMETOOLONG) return facts;
    if (fd == -EXDEV) {
        facts.kind = Kind::outside;
        return facts;
    }
    const io::Descriptor file(fd);
    struct ::stat status{};
    if (!file || ::fstat(file.get(), &status) != 0) {
        facts.kind = Kind::inaccessible;
        facts.reason = reason_of(fd < 0 ? -fd : errno);
        return facts;
    }
    if (!S_ISREG(status.st_mode)) {
        facts.kind = Kind::other;
        return facts;
    }
    facts.kind = Kind::regular;
    facts.size = static_cast<std::uint64_t>(status.st_size);
    const int opened = open_beneath(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    const io::Descriptor reader(opened);
    facts.readable = opened >= 0;
    if (opened < 0) facts.reason = reason_of(-opened);
    return facts;
}

base::Result<codec::EfiProgram> RootFolder::efi(const std::string& path) const {
    const int fd = open_beneath(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return base::fail("the file cannot be read: " + reason_of(-fd), "offset 0");
    const io::Descriptor file(fd);
    struct ::stat status{};
    if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        return base::fail("this is no regular file", "offset 0");
    }
    return codec::inspect_efi(
        static_cast<std::uint64_t>(status.st_size), [fd](std::uint64_t offset, base::MutableBytes into) {
            const ssize_t count = ::pread(fd, into.data(), into.size(), static_cast<off_t>(offset));
            return count < 0 ? std::size_t{0} : static_cast<std::size_t>(count);
        });
}

base::Result<std::vector<std::uint8_t>> RootFolder::read(const std::string& path, std::size_t limit) const {
    const int fd = open_beneath(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return base::fail(reason_of(-fd), path, "let this server's user read the file");
    const io::Descriptor file(fd);
    struct ::stat status{};
    if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        return base::fail("this is no regular file", path, "put a file there");
    }
    std::vector<std::uint8_t> octets(std::min<std::size_t>(limit, static_cast<std::size_t>(status.st_size)));
    std::size_t have = 0;
    while (have < octets.size()) {
        const ssize_t count = ::read(fd, octets.data() + have, octets.size() - have);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return base::fail(reason_of(errno), path, "check the disk");
        if (count == 0) break;
        have += static_cast<std::size_t>(count);
    }
    octets.resize(have);
    return octets;
}

}  // namespace pomona::store
