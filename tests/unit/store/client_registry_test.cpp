#include "store/client_registry.hpp"

#include "store/memory_store.hpp"
#include "store/sqlite_store.hpp"
#include "support/client_stores.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <future>
#include <thread>

namespace pomona::store {
namespace {

using namespace std::chrono_literals;
using tests::at_second;
using tests::choice_of;
using tests::mac_number;

constexpr auto patience = 20s;

ClientRegistry::Options quick() {
    return {.note_delay = 20ms, .first_retry = 5ms, .longest_retry = 20ms};
}

/// A Done whose answer can be waited for.
struct Answer {
    std::shared_ptr<std::promise<bool>> promise = std::make_shared<std::promise<bool>>();
    std::future<bool> future = promise->get_future();

    ClientRegistry::Done done() {
        return [to = promise](bool durable) { to->set_value(durable); };
    }
    bool get() {
        if (future.wait_for(patience) != std::future_status::ready) throw std::runtime_error("no answer");
        return future.get();
    }
};

template <typename Condition>
bool eventually(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(1ms);
    }
    return true;
}

struct RegistryOverBroken : testing::Test {
    std::shared_ptr<tests::BrokenStoreState> disk = std::make_shared<tests::BrokenStoreState>();
    base::Guarded<std::vector<std::string>> troubles;

    std::unique_ptr<ClientRegistry> open(ClientRegistry::Options options) {
        return std::make_unique<ClientRegistry>(
            std::make_unique<tests::BrokenStore>(disk), std::move(options),
            [this](const std::string& reason) {
                troubles.with([&](auto& list) { list.push_back(reason); });
            });
    }
    std::size_t saves() {
        return disk->saved.with([](const auto& saved) { return saved.size(); });
    }
};

TEST(ClientRegistry, TakesEffectAtOnce) {
    ClientRegistry registry(std::make_unique<tests::EmptyStore>(), {});
    const auto client = registry.apply(choice_of(1));
    ASSERT_TRUE(client);
    EXPECT_EQ(registry.find(choice_of(1).key), client);
    EXPECT_EQ(registry.find(mac_number(1)).size(), 1U);
    EXPECT_EQ(registry.size(), 1U);
    EXPECT_EQ(registry.list().size(), 1U);
    EXPECT_EQ(registry.apply(model::ForgetClient{mac_number(1), std::nullopt}), std::nullopt);
    EXPECT_EQ(registry.find(choice_of(1).key), std::nullopt);
}

TEST(ClientRegistry, StartsWithWhatTheStoreHolds) {
    ClientRegistry registry(
        std::make_unique<tests::FixedStore>(std::vector{tests::client_of(1, 7), tests::client_of(2, 9)}), {});
    EXPECT_EQ(registry.size(), 2U);
    EXPECT_EQ(registry.find(choice_of(1).key), tests::client_of(1, 7));
    EXPECT_EQ(registry.apply(choice_of(3))->machine_name, "NetBoot010");
}

TEST(ClientRegistry, WithoutAStoreNothingIsDurable) {
    ClientRegistry registry(nullptr, {});
    Answer answer;
    EXPECT_TRUE(registry.apply(choice_of(1), answer.done()));
    EXPECT_FALSE(answer.get());
    registry.flush();
    EXPECT_EQ(registry.size(), 1U);
}

TEST_F(RegistryOverBroken, LoadingFailsLoudly) {
    disk->load_fails = true;
    EXPECT_THROW(open({}), StoreError);
}

TEST_F(RegistryOverBroken, DoneComesAfterTheSaveOnTheOtherThread) {
    disk->save_fails = false;
    disk->hold();
    const auto registry = open(quick());
    Answer answer;
    std::atomic<std::thread::id> thread;
    registry->apply(choice_of(1), [&, done = answer.done()](bool durable) {
        thread = std::this_thread::get_id();
        done(durable);
    });
    disk->wait_until_hanging();
    EXPECT_EQ(answer.future.wait_for(20ms), std::future_status::timeout) << "before the save returned";
    EXPECT_TRUE(registry->find(choice_of(1).key));
    disk->release();
    EXPECT_TRUE(answer.get());
    EXPECT_NE(thread.load(), std::this_thread::get_id());
    EXPECT_EQ(saves(), 1U);
}

TEST_F(RegistryOverBroken, AThousandChoicesAreTwoTransactions) {
    disk->save_fails = false;
    disk->hold();
    const auto registry = open(quick());
    std::atomic<int> durable = 0;
    registry->apply(choice_of(0), [&](bool ok) { durable += ok ? 1 : 0; });
    disk->wait_until_hanging();
    for (std::uint32_t n = 1; n < 1'000; ++n) {
        registry->apply(choice_of(n), [&](bool ok) { durable += ok ? 1 : 0; });
    }
    disk->release();
    registry->flush();
    EXPECT_EQ(durable, 1'000);
    EXPECT_EQ(saves(), 2U);
}

TEST_F(RegistryOverBroken, DonesComeInTheOrderOfTheChanges) {
    disk->save_fails = false;
    const auto registry = open(quick());
    std::vector<std::uint32_t> order;
    for (std::uint32_t n = 0; n < 2'000; ++n) {
        registry->apply(choice_of(n % 50), [&order, n](bool) { order.push_back(n); });
    }
    registry->flush();
    ASSERT_EQ(order.size(), 2'000U);
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST_F(RegistryOverBroken, ForgetOvertakesAWaitingChoice) {
    disk->save_fails = false;
    disk->hold();
    const auto registry = open(quick());
    registry->apply(choice_of(0));
    disk->wait_until_hanging();
    Answer chosen;
    Answer forgotten;
    registry->apply(choice_of(1), chosen.done());
    registry->apply(model::ForgetClient{mac_number(0), std::nullopt}, forgotten.done());
    registry->apply(choice_of(2));
    registry->apply(model::ForgetClient{mac_number(2), std::nullopt});
    disk->release();
    EXPECT_TRUE(chosen.get());
    EXPECT_TRUE(forgotten.get());
    registry->flush();
    disk->saved.with([](const auto& saved) {
        ASSERT_EQ(saved.size(), 2U);
        ASSERT_EQ(saved[1].size(), 2U) << "machine 2 came and went unwritten";
        EXPECT_EQ(std::get<DeleteClient>(saved[1][0]).key.mac, mac_number(0));
        EXPECT_EQ(std::get<SaveClient>(saved[1][1]).client.key.mac, mac_number(1));
    });
}

TEST_F(RegistryOverBroken, NotesAreWrittenBehindAndMerged) {
    disk->save_fails = false;
    ClientRegistry::Options options = quick();
    options.note_delay = 1h;
    const auto registry = open(options);
    registry->apply(choice_of(1));
    registry->flush();
    ASSERT_EQ(saves(), 1U);
    for (int i = 0; i < 100; ++i) {
        registry->apply(
            model::NoteAddress{choice_of(1).key, base::Ipv4Address(10, 0, 0, 77), at_second(2'000 + i)});
    }
    std::this_thread::sleep_for(20ms);
    EXPECT_EQ(saves(), 1U);
    registry->apply(choice_of(2));
    registry->flush();
    disk->saved.with([](const auto& saved) {
        ASSERT_EQ(saved.size(), 2U);
        ASSERT_EQ(saved[1].size(), 2U) << "the note goes with the next choice";
        EXPECT_EQ(std::get<SaveClient>(saved[1][0]).client.last_seen, at_second(2'099));
    });
}

TEST_F(RegistryOverBroken, NotesAreWrittenAfterTheirDelayAndAtTheEnd) {
    disk->save_fails = false;
    const auto note = [](std::int64_t when) {
        return model::NoteAddress{choice_of(1).key, base::Ipv4Address(10, 0, 0, 77), at_second(when)};
    };
    auto registry = open(quick());
    registry->apply(choice_of(1));
    registry->flush();
    registry->apply(note(2'000));
    EXPECT_TRUE(eventually([&] { return saves() == 2; }));
    registry->apply(note(3'000));
    registry.reset();
    EXPECT_EQ(saves(), 3U);
}

TEST_F(RegistryOverBroken, FlushWritesNotesToo) {
    disk->save_fails = false;
    ClientRegistry::Options options = quick();
    options.note_delay = 1h;
    const auto registry = open(options);
    registry->apply(choice_of(1));
    registry->flush();
    registry->apply(model::NoteAddress{choice_of(1).key, base::Ipv4Address(10, 0, 0, 77), at_second(2'000)});
    registry->flush();
    EXPECT_EQ(saves(), 2U);
}

TEST_F(RegistryOverBroken, AFailingStoreIsToldOnceAndRetried) {
    const auto registry = open(quick());
    Answer first;
    registry->apply(choice_of(1), first.done());
    EXPECT_FALSE(first.get());
    EXPECT_TRUE(eventually([&] { return disk->tries >= 4; }));
    Answer second;
    EXPECT_TRUE(registry->apply(choice_of(2), second.done())) << "serving goes on in memory";
    EXPECT_FALSE(second.get());
    registry->apply(model::ForgetClient{mac_number(1), std::nullopt});
    registry->apply(choice_of(3));
    EXPECT_EQ(troubles.with([](auto& list) { return list; }), std::vector<std::string>{"the disk is full"});

    disk->save_fails = false;
    EXPECT_TRUE(eventually([&] { return troubles.with([](auto& list) { return list.size(); }) == 2; }));
    EXPECT_EQ(troubles.with([](auto& list) { return list; }),
              (std::vector<std::string>{"the disk is full", ""}));
    Answer third;
    registry->apply(choice_of(4), third.done());
    EXPECT_TRUE(third.get());
    disk->saved.with([](const auto& saved) {
        MemoryStore replay;
        for (const auto& updates : saved) replay.save(updates);
        std::vector<base::MacAddress> macs;
        for (const model::Client& client : replay.load()) macs.push_back(client.key.mac);
        EXPECT_EQ(macs, (std::vector{mac_number(2), mac_number(3), mac_number(4)}));
    });
}

TEST_F(RegistryOverBroken, AnswersDoNotWaitForTheNextTry) {
    ClientRegistry::Options options = quick();
    options.first_retry = 1h;
    options.longest_retry = 1h;
    const auto registry = open(options);
    for (std::uint32_t n = 0; n < 5; ++n) {
        Answer answer;
        registry->apply(choice_of(n), answer.done());
        EXPECT_FALSE(answer.get());
    }
    EXPECT_EQ(disk->tries, 1);
    disk->save_fails = false;
    registry->flush();
    EXPECT_EQ(disk->saved.with([](const auto& saved) { return saved.at(0).size(); }), 5U);
}

TEST_F(RegistryOverBroken, AHangingDiskFillsNoMemory) {
    disk->save_fails = false;
    disk->hold();
    ClientRegistry::Options options = quick();
    options.max_clients = 10;
    options.max_waiting = 100;
    const auto registry = open(options);
    registry->apply(choice_of(0));
    disk->wait_until_hanging();
    std::atomic<int> called = 0;
    for (std::uint32_t n = 1; n < 5'000; ++n) registry->apply(choice_of(n, n), [&](bool) { ++called; });
    disk->release();
    registry->flush();
    EXPECT_EQ(called, 100);
    EXPECT_LE(disk->saved.with([](const auto& saved) { return saved.back().size(); }), 20U);
}

TEST_F(RegistryOverBroken, ARefusedChoiceIsAnsweredFalse) {
    disk->save_fails = false;
    ClientRegistry::Options options = quick();
    options.max_clients = 1;
    const auto registry = open(options);
    model::RememberChoice hand = choice_of(1);
    hand.by_hand = true;
    registry->apply(hand);
    Answer refused;
    EXPECT_EQ(registry->apply(choice_of(2), refused.done()), std::nullopt);
    EXPECT_FALSE(refused.get());
    Answer known;
    EXPECT_TRUE(registry->apply(choice_of(1), known.done()));
    EXPECT_TRUE(known.get());
}

TEST(ClientRegistry, PushedOutAndExpiredRecordsLeaveTheDiskToo) {
    const tests::TemporaryFolder directory;
    const std::filesystem::path path = directory / "clients.db";
    {
        ClientRegistry registry(SqliteStore::open({.path = path}), {.max_clients = 3});
        for (std::uint32_t n = 1; n <= 3; ++n) registry.apply(choice_of(n, n));
        registry.flush();
        registry.apply(choice_of(4, 4));
        registry.flush();
        EXPECT_EQ(registry.expire(at_second(103), 100s), 1U);
    }
    ClientRegistry registry(SqliteStore::open({.path = path}), {});
    std::vector<base::MacAddress> macs;
    for (const model::Client& client : registry.list()) macs.push_back(client.key.mac);
    EXPECT_EQ(macs, (std::vector{mac_number(3), mac_number(4)}));
}

TEST(ClientRegistry, EverythingIsWrittenAgainWhenTheFileWasDeleted) {
    const tests::TemporaryFolder directory;
    const std::filesystem::path path = directory / "clients.db";
    std::atomic<int> troubles = 0;
    {
        ClientRegistry registry(SqliteStore::open({.path = path}), quick(),
                                [&](const std::string&) { ++troubles; });
        for (std::uint32_t n = 0; n < 100; ++n) registry.apply(choice_of(n));
        registry.flush();
        std::filesystem::remove(path);
        std::filesystem::remove(path.string() + "-wal");
        Answer lost;
        registry.apply(choice_of(100), lost.done());
        EXPECT_FALSE(lost.get()) << "a commit into a deleted file is worth nothing";
        EXPECT_TRUE(eventually([&] { return troubles == 2; }));
        Answer kept;
        registry.apply(choice_of(101), kept.done());
        EXPECT_TRUE(kept.get());
    }
    EXPECT_EQ(SqliteStore::open({.path = path})->load().size(), 102U);
}

TEST(ClientRegistry, ManyThreadsAtOnce) {
    const tests::TemporaryFolder directory;
    const std::filesystem::path path = directory / "clients.db";
    std::atomic<int> answers = 0;
    {
        ClientRegistry registry(SqliteStore::open({.path = path}), quick());
        std::vector<std::thread> threads;
        for (std::uint32_t t = 0; t < 4; ++t) {
            threads.emplace_back([&registry, &answers, t] {
                for (std::uint32_t n = 0; n < 300; ++n) {
                    registry.apply(choice_of(t * 1'000 + n, n), [&](bool ok) { answers += ok ? 1 : 0; });
                    registry.apply(
                        model::NoteAddress{choice_of(n).key, base::Ipv4Address(1, 2, 3, 4), at_second(n)});
                    if (n % 10 == 9)
                        registry.apply(model::ForgetClient{mac_number(t * 1'000 + n), std::nullopt});
                    (void)registry.find(choice_of(n).key);
                    if (n % 100 == 0) (void)registry.list();
                    if (n % 150 == 0) registry.flush();
                }
            });
        }
        for (std::thread& thread : threads) thread.join();
        registry.flush();
        EXPECT_EQ(answers, 4 * 300);
        EXPECT_EQ(registry.size(), 4U * 270);
    }
    EXPECT_EQ(SqliteStore::open({.path = path})->load().size(), 4U * 270);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(ClientRegistry, ARememberedClientTakesLessThanAKilobyte) {
    const auto used = [] { return mallinfo2().uordblks; };
    ClientRegistry registry(std::make_unique<tests::EmptyStore>(), {});
    const std::size_t before = used();
    for (std::uint32_t n = 0; n < 20'000; ++n) {
        // Longer than what a std::string holds inside itself.
        registry.apply(choice_of(n, 1'763'000'000, 0x81001001, "MacBookPro11,3 with a long name"));
    }
    registry.flush();
    const std::size_t each = (used() - before) / 20'000;
    RecordProperty("bytes_per_client", static_cast<int>(each));
    EXPECT_LT(each, 1'024U);
    EXPECT_GT(each, 100U) << "the measurement itself works";
}
#endif

}  // namespace
}  // namespace pomona::store
