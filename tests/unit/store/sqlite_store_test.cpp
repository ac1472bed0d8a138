#include "store/sqlite_store.hpp"

#include "store/memory_store.hpp"
#include "store/sqlite_database.hpp"
#include "support/client_stores.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <regex>

namespace pomona::store {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using tests::client_of;

struct SqliteStoreTest : testing::Test {
    tests::TemporaryFolder directory;
    const std::filesystem::path path{directory / "clients.db"};
    std::vector<std::string> reports;

    std::unique_ptr<SqliteStore> open() {
        return SqliteStore::open({.path = path},
                                 [this](const std::string& text) { reports.push_back(text); });
    }
    /// A sound file with `count` clients, closed again.
    void fill(std::uint32_t count) {
        std::vector<StoreUpdate> updates;
        for (std::uint32_t n = 1; n <= count; ++n) updates.emplace_back(SaveClient{client_of(n, n)});
        open()->save(updates);
    }
    void run(const char* sql) { SqliteDatabase(path).run(sql); }
    std::vector<std::string> damaged_files() {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
            const std::string name = entry.path().filename().string();
            if (name.find(".damaged-") != std::string::npos) names.push_back(name);
        }
        return names;
    }
    void expect_moved_aside() {
        const auto store = open();
        EXPECT_THAT(store->load(), IsEmpty());
        ASSERT_EQ(reports.size(), 1U);
        EXPECT_THAT(reports[0], HasSubstr("clients.db was damaged ("));
        const std::vector<std::string> names = damaged_files();
        ASSERT_FALSE(names.empty());
        EXPECT_TRUE(
            std::regex_match(names[0], std::regex(R"(clients\.db\.damaged-\d{8}T\d{6}Z(-wal|-shm)?)")))
            << names[0];
        store->save(std::vector<StoreUpdate>{SaveClient{client_of(1, 1)}});
        EXPECT_EQ(store->load().size(), 1U);
    }
};

TEST_F(SqliteStoreTest, CreatesAFileForItsOwnerAndGroup) {
    const mode_t old = ::umask(0077);
    open();
    ::umask(old);
    struct stat info{};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0640U);
    EXPECT_THAT(reports, IsEmpty());
}

TEST_F(SqliteStoreTest, FindsEverythingAgain) {
    fill(100);
    EXPECT_EQ(open()->load().size(), 100U);
    EXPECT_THAT(reports, IsEmpty());
}

TEST_F(SqliteStoreTest, TakesAnEmptyFileForANewOne) {
    std::ofstream(path).close();
    EXPECT_THAT(open()->load(), IsEmpty());
    EXPECT_THAT(reports, IsEmpty());
}

TEST_F(SqliteStoreTest, NeedsTheDirectory) {
    try {
        SqliteStore::open({.path = directory / "missing/clients.db"});
        FAIL();
    } catch (const StoreError& error) {
        EXPECT_THAT(error.what(), HasSubstr("create the directory"));
    }
}

TEST_F(SqliteStoreTest, AFileOfOtherKindIsMovedAside) {
    std::ofstream(path) << std::string(5'000, 'x');
    expect_moved_aside();
}

TEST_F(SqliteStoreTest, ACutFileIsMovedAside) {
    fill(2'000);
    std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
    expect_moved_aside();
}

TEST_F(SqliteStoreTest, ABadPageIsMovedAside) {
    fill(2'000);
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(5 * 4096);
    file << std::string(4096, '\xee');
    file.close();
    expect_moved_aside();
}

TEST_F(SqliteStoreTest, ADatabaseOfAnotherProgramIsMovedAside) {
    std::ofstream(path).close();
    run("CREATE TABLE songs (title TEXT)");
    expect_moved_aside();
}

TEST_F(SqliteStoreTest, TablesThatAreNotOursAreMovedAside) {
    fill(1);
    run("ALTER TABLE clients RENAME COLUMN image TO picture");
    expect_moved_aside();
}

TEST_F(SqliteStoreTest, TheLogMovesAlong) {
    fill(1);
    std::ofstream(path) << std::string(5'000, 'x');
    std::ofstream(path.string() + "-wal") << "log";
    open();
    EXPECT_THAT(damaged_files(), testing::Contains(testing::EndsWith("Z")));
    EXPECT_THAT(damaged_files(), testing::Contains(testing::EndsWith("Z-wal")));
}

TEST_F(SqliteStoreTest, TwoDamagesInOneSecondKeepBothFiles) {
    for (int i = 0; i < 2; ++i) {
        std::ofstream(path) << std::string(5'000, 'x');
        open();
    }
    EXPECT_EQ(damaged_files().size(), 2U);
}

TEST_F(SqliteStoreTest, MovesNothingWhenItMayNot) {
    std::ofstream(path) << std::string(5'000, 'x');
    EXPECT_THROW(SqliteStore::open({.path = path, .move_damaged_aside = false}), StoreError);
    EXPECT_THAT(damaged_files(), IsEmpty());
}

TEST_F(SqliteStoreTest, RefusesANewerSchema) {
    fill(3);
    run("PRAGMA user_version = 2");
    try {
        open();
        FAIL();
    } catch (const StoreError& error) {
        EXPECT_THAT(error.what(), HasSubstr("newer version of this program (schema 2, this one knows 1)"));
    }
    EXPECT_THAT(damaged_files(), IsEmpty());
}

TEST_F(SqliteStoreTest, AServerGoesOnInMemory) {
    fill(3);
    run("PRAGMA user_version = 2");
    const auto store = open_or_use_memory(path, [this](const std::string& text) { reports.push_back(text); });
    EXPECT_TRUE(dynamic_cast<MemoryStore*>(store.get()));
    ASSERT_EQ(reports.size(), 1U);
    EXPECT_THAT(reports[0], HasSubstr("remembered until the server ends"));
    EXPECT_THAT(store->load(), IsEmpty());

    const auto sound = open_or_use_memory(directory / "other.db", {});
    EXPECT_TRUE(dynamic_cast<SqliteStore*>(sound.get()));
}

TEST_F(SqliteStoreTest, RowsWithBadValuesAreLeftOutAndReported) {
    struct Case {
        const char* column;
        const char* sql;
    };
    for (const Case& bad :
         {Case{"mac", "UPDATE clients SET mac = 'nonsense' WHERE number = 2"},
          Case{"mac", "UPDATE clients SET mac = '02-00-00-00-00-02' WHERE number = 2"},
          Case{"model", "UPDATE clients SET model = hex(zeroblob(40)) WHERE number = 2"},
          Case{"architecture", "UPDATE clients SET architecture = char(10) WHERE number = 2"},
          Case{"image", "UPDATE clients SET image = '0x8100' WHERE number = 2"},
          Case{"image", "UPDATE clients SET image = '0x81000000' WHERE number = 2"},
          Case{"address", "UPDATE clients SET address = '10.0.0.256' WHERE number = 2"},
          Case{"machine_name", "UPDATE clients SET machine_name = '' WHERE number = 2"},
          Case{"number", "UPDATE clients SET number = 0 WHERE number = 2"},
          Case{"number", "UPDATE clients SET number = 4294967296 WHERE number = 2"},
          Case{"first_seen", "UPDATE clients SET first_seen = -1 WHERE number = 2"},
          Case{"last_seen", "UPDATE clients SET last_seen = 'today' WHERE number = 2"},
          Case{"last_selected", "UPDATE clients SET last_selected = 1e15 WHERE number = 2"},
          Case{"chosen_by_hand", "UPDATE clients SET chosen_by_hand = 2 WHERE number = 2"}}) {
        std::filesystem::remove(path);
        reports.clear();
        fill(3);
        run(bad.sql);
        EXPECT_EQ(open()->load().size(), 2U) << bad.sql;
        ASSERT_EQ(reports.size(), 1U) << bad.sql;
        EXPECT_THAT(reports[0], HasSubstr(std::string("the value of ") + bad.column + " makes no sense"))
            << bad.sql;
        EXPECT_THAT(reports[0], HasSubstr("the row is left out"));
    }
}

TEST_F(SqliteStoreTest, SavesAllOrNothing) {
    const auto store = open();
    run("CREATE TRIGGER no BEFORE INSERT ON clients WHEN NEW.number = 2 BEGIN SELECT RAISE(ABORT, 'no'); "
        "END");
    EXPECT_THROW(
        store->save(std::vector<StoreUpdate>{SaveClient{client_of(1, 1)}, SaveClient{client_of(2, 2)}}),
        StoreError);
    EXPECT_THAT(store->load(), IsEmpty());
    run("DROP TRIGGER no");
    store->save(std::vector<StoreUpdate>{SaveClient{client_of(2, 2)}});
    EXPECT_EQ(store->load().size(), 1U);
}

TEST_F(SqliteStoreTest, NoticesThatItsFileIsGone) {
    const auto store = open();
    store->save(std::vector<StoreUpdate>{SaveClient{client_of(1, 1)}});
    std::filesystem::remove(path);
    EXPECT_THROW(store->save(std::vector<StoreUpdate>{SaveClient{client_of(2, 2)}}), StoreError);
    store->save(std::vector<StoreUpdate>{SaveClient{client_of(3, 3)}});
    EXPECT_EQ(open()->load(), std::vector{client_of(3, 3)});
}

TEST_F(SqliteStoreTest, NoticesThatItsLogIsGone) {
    const auto store = open();
    store->save(std::vector<StoreUpdate>{SaveClient{client_of(1, 1)}});
    std::filesystem::remove(path.string() + "-wal");
    EXPECT_THROW(store->save(std::vector<StoreUpdate>{SaveClient{client_of(2, 2)}}), StoreError);
    store->save(std::vector<StoreUpdate>{SaveClient{client_of(1, 1)}, SaveClient{client_of(2, 2)}});
    EXPECT_EQ(open()->load().size(), 2U);
}

TEST_F(SqliteStoreTest, OvercomesDamageWhileRunning) {
    fill(2'000);
    const auto store = open();
    ASSERT_EQ(store->load().size(), 2'000U);
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file << std::string(8 * 4096, '\xee');
    file.close();
    // The pages in memory may carry a few more commits; what counts is that it ends well.
    std::vector<StoreUpdate> everything;
    for (std::uint32_t n = 1; n <= 3'000; ++n) everything.emplace_back(SaveClient{client_of(n, n)});
    bool saved = false;
    for (int i = 0; i < 3 && !saved; ++i) {
        try {
            store->save(everything);
            saved = true;
        } catch (const StoreError&) {
        }
    }
    EXPECT_TRUE(saved);
    EXPECT_EQ(store->load().size(), 3'000U);
}

TEST_F(SqliteStoreTest, ATidyLogGrowsNoFurther) {
    const auto store = open();
    const std::string log = path.string() + "-wal";
    std::uintmax_t largest = 0;
    for (std::uint32_t round = 0; round < 50; ++round) {
        std::vector<StoreUpdate> updates;
        for (std::uint32_t n = 0; n < 200; ++n) updates.emplace_back(SaveClient{client_of(n, n + 1, round)});
        store->save(updates);
        store->tidy();
        largest = std::max(largest, std::filesystem::file_size(log));
    }
    EXPECT_LT(largest, 200'000U);
    EXPECT_EQ(store->load().size(), 200U);
}

}  // namespace
}  // namespace pomona::store
