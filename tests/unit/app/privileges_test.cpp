#include "app/privileges.hpp"

#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>

namespace pomona::app {
namespace {

using testing::HasSubstr;

bool is_root() {
    return ::geteuid() == 0;
}

/// What `action` returned and /proc/self/status after it, in a process of its own.
struct Outcome {
    std::string result;
    std::map<std::string, std::string> status;
};

Outcome in_child(const std::function<std::string()>& action) {
    int ends[2];
    if (::pipe(ends) != 0) return {"no pipe", {}};
    const pid_t child = ::fork();
    if (child == 0) {
        std::ostringstream text;
        text << action() << "\n" << std::ifstream("/proc/self/status").rdbuf();
        const std::string all = text.str();
        (void)!::write(ends[1], all.data(), all.size());
        ::_exit(0);
    }
    ::close(ends[1]);
    std::string all;
    char part[4096];
    for (ssize_t got = 0; (got = ::read(ends[0], part, sizeof part)) > 0;)
        all.append(part, static_cast<std::size_t>(got));
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);

    Outcome outcome;
    std::istringstream lines(all);
    std::getline(lines, outcome.result);
    for (std::string line; std::getline(lines, line);) {
        const std::size_t colon = line.find(':');
        if (colon == std::string::npos) continue;
        std::istringstream words(line.substr(colon + 1));
        std::string value;
        for (std::string word; words >> word;) value += (value.empty() ? "" : " ") + word;
        outcome.status[line.substr(0, colon)] = value;
    }
    return outcome;
}

std::string drop_to(const std::string& user) {
    const auto account = find_account(user);
    if (!account) return account.error().text();
    const auto dropped = drop_privileges(*account);
    return dropped ? "done" : dropped.error().text();
}

/// CAP_NET_BIND_SERVICE is bit 10, CAP_NET_RAW bit 13.
constexpr const char* the_two = "0000000000002400";
constexpr const char* none = "0000000000000000";

TEST(Privileges, RootBecomesAnUnprivilegedUserWithTwoCapabilities) {
    const Outcome outcome = in_child([] { return drop_to("nobody"); });
    if (!is_root()) {
        EXPECT_THAT(outcome.result, HasSubstr("only root can become 'nobody'"));
        return;
    }
    ASSERT_EQ(outcome.result, "done");
    const auto account = find_account("nobody");
    const std::string uid = std::to_string(account->uid);
    const std::string gid = std::to_string(account->gid);
    EXPECT_EQ(outcome.status.at("Uid"), uid + " " + uid + " " + uid + " " + uid);
    EXPECT_EQ(outcome.status.at("Gid"), gid + " " + gid + " " + gid + " " + gid);
    EXPECT_EQ(outcome.status.at("Groups"), "");
    EXPECT_EQ(outcome.status.at("CapPrm"), the_two);
    EXPECT_EQ(outcome.status.at("CapEff"), the_two);
    EXPECT_EQ(outcome.status.at("CapBnd"), the_two);
    EXPECT_EQ(outcome.status.at("CapInh"), none);
    EXPECT_EQ(outcome.status.at("CapAmb"), none);
    EXPECT_EQ(outcome.status.at("NoNewPrivs"), "1");
}

TEST(Privileges, AnUnprivilegedUserWithAmbientCapabilitiesKeepsTheTwo) {
    if (!is_root()) return;  // Nobody could set the stage.
    const Outcome outcome = in_child([]() -> std::string {
        // As a service manager does it, with one capability too many.
        const auto nobody = find_account("nobody");
        ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
        if (::setresgid(nobody->gid, nobody->gid, nobody->gid) != 0) return "no gid";
        if (::setresuid(nobody->uid, nobody->uid, nobody->uid) != 0) return "no uid";
        const cap_value_t given[] = {CAP_NET_RAW, CAP_NET_BIND_SERVICE, CAP_CHOWN};
        cap_t set = cap_init();
        for (const cap_flag_t flag : {CAP_PERMITTED, CAP_EFFECTIVE, CAP_INHERITABLE}) {
            cap_set_flag(set, flag, 3, given, CAP_SET);
        }
        if (cap_set_proc(set) != 0) return "no capabilities";
        cap_free(set);
        for (const cap_value_t one : given) {
            if (cap_set_ambient(one, CAP_SET) != 0) return "no ambient capability";
        }
        const std::string dropped = drop_to("nobody");
        const Capabilities now = current_capabilities();
        return dropped + (now.net_raw ? " raw" : "") + (now.net_bind_service ? " bind" : "");
    });
    ASSERT_EQ(outcome.result, "done raw bind");
    EXPECT_EQ(outcome.status.at("CapPrm"), the_two);
    EXPECT_EQ(outcome.status.at("CapEff"), the_two);
    EXPECT_EQ(outcome.status.at("CapInh"), none);
    EXPECT_EQ(outcome.status.at("CapAmb"), none);
    EXPECT_EQ(outcome.status.at("NoNewPrivs"), "1");
}

TEST(Privileges, NobodyCannotBecomeAnother) {
    if (!is_root()) return;
    const Outcome outcome = in_child([]() -> std::string {
        if (drop_to("nobody") != "done") return "not dropped";
        return drop_to("daemon");
    });
    EXPECT_EQ(outcome.result,
              "user: only root can become 'daemon'; start as root, or stay who you are: --user \"\"");
}

TEST(Privileges, StayingChangesNoUser) {
    const Outcome outcome = in_child([] { return drop_to(""); });
    EXPECT_EQ(outcome.result, "done");
    const std::string uid = std::to_string(::geteuid());
    EXPECT_EQ(outcome.status.at("Uid"), uid + " " + uid + " " + uid + " " + uid);
    EXPECT_EQ(outcome.status.at("NoNewPrivs"), "1");
}

TEST(Privileges, UnknownUsersAreNamed) {
    const auto account = find_account("no-such-user");
    ASSERT_FALSE(account);
    EXPECT_EQ(
        account.error().text(),
        "user: there is no user 'no-such-user'; make one: useradd --system no-such-user; or name another, or "
        "none: --user \"\"");
}

TEST(Privileges, FoldersAreMadeForTheAccount) {
    const tests::TemporaryFolder folder;
    const auto account = find_account(is_root() ? "nobody" : "");
    ASSERT_TRUE(account);
    ASSERT_TRUE(prepare_folder(folder / "state", *account));
    struct stat status{};
    ASSERT_EQ(::stat((folder / "state").c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, account->uid);
    EXPECT_EQ(status.st_mode & 07777U, 0750U);
    EXPECT_TRUE(prepare_folder(folder / "state", *account)) << "the second time it is there";

    const auto deep = prepare_folder(folder / "a/b", *account);
    ASSERT_FALSE(deep);
    EXPECT_THAT(deep.error().text(),
                HasSubstr("it cannot be made (No such file or directory); make it: install -d"));
    (void)folder.write("file", "");
    const auto file = prepare_folder(folder / "file", *account);
    ASSERT_FALSE(file);
    EXPECT_THAT(file.error().text(), HasSubstr("file: it is no folder; name a folder"));
}

TEST(Privileges, WhatAnAccountMayIsAskedOfTheKernel) {
    const tests::TemporaryFolder folder;
    const auto self = find_account("");
    EXPECT_TRUE(account_may(*self, folder.path(), R_OK | W_OK | X_OK));
    EXPECT_FALSE(account_may(*self, folder / "none", R_OK));
    if (!is_root()) return;
    const auto nobody = find_account("nobody");
    EXPECT_FALSE(account_may(*nobody, folder.path(), R_OK)) << "the folder is for root alone";
    ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
    EXPECT_TRUE(account_may(*nobody, folder.path(), R_OK | X_OK));
    EXPECT_FALSE(account_may(*nobody, folder.path(), W_OK));
}

}  // namespace
}  // namespace pomona::app
