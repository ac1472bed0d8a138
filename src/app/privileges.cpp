#include "app/privileges.hpp"

#include "app/flag.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

namespace pomona::app {

namespace {

using base::fail;
using base::Result;

constexpr std::array<cap_value_t, 2> kept{CAP_NET_RAW, CAP_NET_BIND_SERVICE};

struct FreeCapabilities {
    void operator()(cap_t capabilities) const { cap_free(capabilities); }
};
using CapabilitySet = std::unique_ptr<_cap_struct, FreeCapabilities>;

bool is_permitted(const CapabilitySet& set, cap_value_t capability) {
    cap_flag_value_t value = CAP_CLEAR;
    return set && cap_get_flag(set.get(), capability, CAP_PERMITTED, &value) == 0 && value == CAP_SET;
}

std::unexpected<base::Error> system_failure(const std::string& what) {
    const std::string reason = std::strerror(errno);
    return fail(what + " failed (" + reason + ")", "privileges",
                "start as root, or with CAP_SETUID and CAP_SETGID");
}

/// The set that may ever be had again. Needs CAP_SETPCAP, and is a second lock on a closed door: where that
/// is missing, as in some containers, the first one holds.
void narrow_bounding_set() {
    for (cap_value_t capability = 0; cap_get_bound(capability) >= 0; ++capability) {
        bool keep = false;
        for (const cap_value_t one : kept) keep = keep || one == capability;
        if (!keep) (void)cap_drop_bound(capability);
    }
}

/// Permitted and effective become those of the two that are permitted now; nothing is inheritable.
Result<void> keep_two_capabilities() {
    const CapabilitySet now(cap_get_proc());
    const CapabilitySet next(cap_init());
    if (!now || !next) return system_failure("reading capabilities");
    for (const cap_value_t capability : kept) {
        if (!is_permitted(now, capability)) continue;
        cap_set_flag(next.get(), CAP_PERMITTED, 1, &capability, CAP_SET);
        cap_set_flag(next.get(), CAP_EFFECTIVE, 1, &capability, CAP_SET);
    }
    if (cap_set_proc(next.get()) != 0) return system_failure("giving up capabilities");
    if (cap_reset_ambient() != 0) return system_failure("giving up ambient capabilities");
    return {};
}

Result<void> become(const Account& account) {
    if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return system_failure("keeping capabilities");
    if (::setgroups(0, nullptr) != 0) return system_failure("leaving groups");
    if (::setresgid(account.gid, account.gid, account.gid) != 0) {
        return system_failure("joining the group of " + account.name);
    }
    if (::setresuid(account.uid, account.uid, account.uid) != 0) {
        return system_failure("becoming " + account.name);
    }
    if (::prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0)
        return system_failure("ending the keeping of capabilities");
    return {};
}

}  // namespace

Result<Account> find_account(const std::string& user) {
    constexpr std::size_t largest_entry = 1 << 16;
    std::vector<char> buffer(largest_entry);
    passwd entry{};
    passwd* found = nullptr;
    if (user.empty()) {
        const uid_t self = ::geteuid();
        ::getpwuid_r(self, &entry, buffer.data(), buffer.size(), &found);
        if (found == nullptr) return Account{"uid " + std::to_string(self), self, ::getegid()};
        return Account{found->pw_name, self, ::getegid()};
    }
    ::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (found == nullptr) {
        return fail("there is no user " + in_quotes(user), "user",
                    "make one: useradd --system " + user + "; or name another, or none: --user \"\"");
    }
    return Account{found->pw_name, found->pw_uid, found->pw_gid};
}

bool must_switch_to(const Account& account) {
    return account.uid != ::geteuid();
}

Capabilities current_capabilities() {
    const CapabilitySet now(cap_get_proc());
    return {.net_raw = is_permitted(now, CAP_NET_RAW),
            .net_bind_service = is_permitted(now, CAP_NET_BIND_SERVICE)};
}

Result<void> drop_privileges(const Account& account) {
    const bool switches = must_switch_to(account);
    if (switches && ::geteuid() != 0) {
        return fail("only root can become " + in_quotes(account.name), "user",
                    "start as root, or stay who you are: --user \"\"");
    }
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return system_failure("renouncing new privileges");
    // Root without capabilities could not even read the folders of others.
    if (account.uid == 0) return {};

    if (switches) {
        narrow_bounding_set();
        if (Result<void> became = become(account); !became) return became;
    }
    if (Result<void> reduced = keep_two_capabilities(); !reduced) return reduced;
    if (::setresuid(0, 0, 0) == 0) return fail("root could be had again", "privileges", "report this");
    return {};
}

Result<void> prepare_folder(const std::string& path, const Account& account) {
    constexpr mode_t for_owner_and_group = 0750;
    if (::mkdir(path.c_str(), for_owner_and_group) != 0) {
        const int error = errno;
        struct stat status{};
        if (error == EEXIST) {
            if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return {};
            return fail("it is no folder", path, "name a folder");
        }
        return fail("it cannot be made (" + std::string(std::strerror(error)) + ")", path,
                    "make it: install -d -o " + account.name + " " + path);
    }
    if (must_switch_to(account) && ::chown(path.c_str(), account.uid, account.gid) != 0) {
        const std::string reason = std::strerror(errno);
        return fail("it cannot be given to " + account.name + " (" + reason + ")", path,
                    "chown " + account.name + " " + path);
    }
    return {};
}

bool account_may(const Account& account, const std::string& path, int ways) {
    if (!must_switch_to(account)) return ::faccessat(AT_FDCWD, path.c_str(), ways, AT_EACCESS) == 0;
    const pid_t child = ::fork();
    if (child < 0) return false;
    if (child == 0) {
        const bool became = ::setgroups(0, nullptr) == 0 &&
                            ::setresgid(account.gid, account.gid, account.gid) == 0 &&
                            ::setresuid(account.uid, account.uid, account.uid) == 0;
        ::_exit(became && ::access(path.c_str(), ways) == 0 ? 0 : 1);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace pomona::app
