// A child process applies choices and reports each that is durable; it is killed without warning, and every
// reported choice must be in the file.
#include "store/client_registry.hpp"
#include "store/sqlite_store.hpp"
#include "support/client_stores.hpp"
#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <map>
#include <random>

namespace pomona::store {
namespace {

/// One line of the child's report; smaller than PIPE_BUF, so it is written whole.
struct Acknowledged {
    std::uint32_t machine = 0;
    std::uint32_t image = 0;
};

[[noreturn]] void apply_until_killed(const std::filesystem::path& path, int report,
                                     std::uint32_t first_image) {
    ClientRegistry registry(SqliteStore::open({.path = path}), {});
    // Bounded, in case nobody kills us.
    for (std::uint32_t i = 0; i < 200'000; ++i) {
        const Acknowledged line{i % 500, 2 * (first_image + i) + 1};  // an index is never 0
        registry.apply(tests::choice_of(line.machine, i, line.image), [report, line](bool durable) {
            if (durable && ::write(report, &line, sizeof line) != sizeof line) ::_exit(3);
        });
        if (i % 64 == 63) std::this_thread::yield();
    }
    ::_exit(4);
}

TEST(KillNine, EveryAcknowledgedChoiceIsFoundAgain) {
    const tests::TemporaryFolder directory;
    const std::filesystem::path path = directory / "clients.db";
    std::mt19937 random(20'231'121);
    std::map<std::uint32_t, std::uint32_t> acknowledged;
    std::uint32_t reports = 0;
    for (std::uint32_t round = 0; round < 15; ++round) {
        int ends[2];
        ASSERT_EQ(::pipe(ends), 0);
        const std::uint32_t first_image = 1'000'000 * (round + 1);
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            ::close(ends[0]);
            apply_until_killed(path, ends[1], first_image);
        }
        ::close(ends[1]);
        // At least one report, then death after a random number of further ones.
        const std::uint32_t wanted = 1 + static_cast<std::uint32_t>(random() % 3'000);
        std::uint32_t seen = 0;
        bool killed = false;
        Acknowledged line;
        while (::read(ends[0], &line, sizeof line) == sizeof line) {
            acknowledged[line.machine] = std::max(acknowledged[line.machine], line.image);
            if (++seen == wanted) {
                ::kill(child, SIGKILL);
                killed = true;
                // What stands in the pipe was acknowledged too and is read to the end.
            }
        }
        ::close(ends[0]);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(killed) << "status " << status;
        ASSERT_TRUE(WIFSIGNALED(status));
        reports += seen;

        std::vector<std::string> problems;
        const auto store =
            SqliteStore::open({.path = path}, [&](const std::string& text) { problems.push_back(text); });
        std::map<base::MacAddress, std::uint32_t> found;
        for (const model::Client& client : store->load()) found[client.key.mac] = client.image.value();
        EXPECT_TRUE(problems.empty()) << problems.at(0);
        for (const auto& [machine, image] : acknowledged) {
            // A later choice may have been written without its report getting out.
            ASSERT_GE(found[tests::mac_number(machine)], image)
                << "round " << round << " machine " << machine;
        }
    }
    EXPECT_GT(reports, 1'000U);
}

}  // namespace
}  // namespace pomona::store
