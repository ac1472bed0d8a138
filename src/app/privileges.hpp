// Privileges: from root, or from what the service manager gave, down to an unprivileged user with the two
// capabilities that serving needs: CAP_NET_RAW and CAP_NET_BIND_SERVICE.
#pragma once

#include <pomona/base/error.hpp>

#include <sys/types.h>

#include <optional>
#include <string>

namespace pomona::app {

struct Account {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
};

/// The account of that name, or of this process for an empty name. The error says how to make it.
base::Result<Account> find_account(const std::string& user);

/// True when serving under this account means another user than the one of this process.
bool must_switch_to(const Account& account);

struct Capabilities {
    bool net_raw = false;           ///< open capture ports
    bool net_bind_service = false;  ///< open ports below 1024
};

/// What this process can do now.
Capabilities current_capabilities();

/// Becomes `account` for good: without supplementary groups, without any capability but the two (those of
/// them that it has), with an empty ambient and inheritable set, never to gain more by executing something. A
/// process that is that account already keeps its user and loses the rest; only root that is to stay root
/// keeps its capabilities. Call it before any thread starts. An error leaves the process unfit to go on.
base::Result<void> drop_privileges(const Account& account);

/// Makes a folder that is missing, for the account alone; the folder above must exist. Does nothing to one
/// that is there.
base::Result<void> prepare_folder(const std::string& path, const Account& account);

/// Whether the account may use the path in these ways (R_OK, W_OK, X_OK of access(2)). Asked of the kernel,
/// in a child process where that takes another user.
bool account_may(const Account& account, const std::string& path, int ways);

}  // namespace pomona::app
