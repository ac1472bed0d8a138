// The listening UNIX socket of one daemon at a time: a lock file tells a living daemon's socket file from one
// that was left behind.
#pragma once

#include "io/descriptor.hpp"

#include <pomona/base/error.hpp>

#include <sys/types.h>

#include <string>

namespace pomona::servers {

class ControlSocket {
  public:
    static base::Result<ControlSocket> listen(const std::string& path, unsigned mode);
    ControlSocket(const ControlSocket&) = delete;
    ControlSocket& operator=(const ControlSocket&) = delete;
    ControlSocket(ControlSocket&&) noexcept = default;
    ControlSocket& operator=(ControlSocket&&) = delete;
    /// Removes the socket file if it still is ours. The lock ends with the descriptor.
    ~ControlSocket();

    /// Another descriptor of the same socket, for the caller to close.
    [[nodiscard]] int duplicate() const;

  private:
    ControlSocket() = default;

    std::string path_;
    ino_t inode_ = 0;
    io::Descriptor lock_;
    io::Descriptor socket_;
};

}  // namespace pomona::servers
