#include "servers/control_socket.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace pomona::servers {

namespace {

std::unexpected<base::Error> failed(const std::string& what, const std::string& path,
                                    std::string remedy = {}) {
    const int error = errno;
    return base::fail(what + ": " + std::strerror(error), path, std::move(remedy));
}

std::unexpected<base::Error> taken(const std::string& path) {
    return base::fail("another pomona serves already and answers here", path,
                      "stop it, or give this one another control-socket");
}

}  // namespace

base::Result<ControlSocket> ControlSocket::listen(const std::string& path, unsigned mode) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        return base::fail("the path of a socket has 1 to 107 octets, this one " + std::to_string(path.size()),
                          path, "choose a shorter control-socket");
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);

    const std::filesystem::path parent = std::filesystem::path(path).parent_path();
    if (!parent.empty()) ::mkdir(parent.c_str(), 0755);

    ControlSocket made;
    const std::string lock_path = path + ".lock";
    made.lock_ = io::Descriptor(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!made.lock_) {
        return failed("the lock file cannot be opened", lock_path,
                      "make its directory and let the daemon's user write there");
    }
    if (::flock(made.lock_.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) return taken(path);
        return failed("the lock cannot be taken", lock_path);
    }

    struct stat info{};
    if (::lstat(path.c_str(), &info) == 0) {
        if (!S_ISSOCK(info.st_mode)) {
            return base::fail("there is a file that is no socket", path,
                              "remove it, or choose another control-socket");
        }
        const io::Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (::connect(probe.get(), generic, sizeof address) == 0) return taken(path);
        if (::unlink(path.c_str()) != 0) return failed("the socket of a dead daemon cannot be removed", path);
    }

    made.socket_ = io::Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!made.socket_) return failed("no socket", path);
    if (::bind(made.socket_.get(), generic, sizeof address) != 0)
        return failed("the socket cannot be made", path);
    // Nobody can connect before listen(), so there is no moment with other permissions.
    if (::chmod(path.c_str(), mode) != 0 || ::lstat(path.c_str(), &info) != 0) {
        return failed("the permissions of the socket cannot be set", path);
    }
    made.path_ = path;
    made.inode_ = info.st_ino;
    if (::listen(made.socket_.get(), 16) != 0) return failed("the socket cannot listen", path);
    return made;
}

ControlSocket::~ControlSocket() {
    struct stat info{};
    if (!socket_ || path_.empty()) return;
    if (::lstat(path_.c_str(), &info) == 0 && info.st_ino == inode_) ::unlink(path_.c_str());
}

int ControlSocket::duplicate() const {
    return ::fcntl(socket_.get(), F_DUPFD_CLOEXEC, 0);
}

}  // namespace pomona::servers
