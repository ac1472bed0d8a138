#include "support/client_stores.hpp"

#include "store/memory_store.hpp"
#include "store/sqlite_store.hpp"
#include "support/temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

namespace pomona::store {
namespace {

using tests::client_of;

/// What every store has to do, over each of them.
struct StoreCase {
    const char* name;
    std::function<std::unique_ptr<ClientStore>(const tests::TemporaryFolder&)> open;
};

class EveryStore : public testing::TestWithParam<StoreCase> {
  protected:
    EveryStore() : store_(GetParam().open(directory_)) {}

    std::vector<model::Client> loaded() const {
        std::vector<model::Client> clients = store_->load();
        std::sort(clients.begin(), clients.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
        return clients;
    }

    tests::TemporaryFolder directory_;
    std::unique_ptr<ClientStore> store_;
};

TEST_P(EveryStore, IsEmptyAtFirst) {
    EXPECT_TRUE(store_->load().empty());
}

TEST_P(EveryStore, KeepsEveryField) {
    model::Client client = client_of(1, 7, 1'763'000'000);
    client.last_seen = tests::at_second(1'763'000'100);
    client.last_selected = tests::at_second(1'763'000'200);
    client.architecture = "ppc";
    client.chosen_by_hand = true;
    store_->save(std::vector<StoreUpdate>{SaveClient{client}});
    EXPECT_EQ(loaded(), std::vector{client});
}

TEST_P(EveryStore, KeepsStrangeModels) {
    std::vector<StoreUpdate> updates;
    std::vector<model::Client> expected;
    for (const std::string& model :
         {std::string(), std::string("a/b"), std::string("\xff\x1b[31m'; DROP"), std::string(64, 'x')}) {
        model::Client client = client_of(1, static_cast<std::uint32_t>(expected.size()) + 1);
        client.key.model = model;
        expected.push_back(client);
        updates.emplace_back(SaveClient{client});
    }
    store_->save(updates);
    EXPECT_THAT(store_->load(), testing::UnorderedElementsAreArray(expected));
}

TEST_P(EveryStore, ReplacesAndDeletes) {
    store_->save(std::vector<StoreUpdate>{SaveClient{client_of(1, 1)}, SaveClient{client_of(2, 2)},
                                          SaveClient{client_of(3, 3)}});
    model::Client changed = client_of(2, 2);
    changed.image = base::BootImageId(0x01000005);
    store_->save(std::vector<StoreUpdate>{SaveClient{changed}, DeleteClient{client_of(3, 3).key},
                                          DeleteClient{client_of(9, 9).key}});
    EXPECT_EQ(loaded(), (std::vector{client_of(1, 1), changed}));
}

TEST_P(EveryStore, TakesTheLastOfSeveralUpdates) {
    store_->save(std::vector<StoreUpdate>{SaveClient{client_of(1, 1)}, DeleteClient{client_of(1, 1).key},
                                          SaveClient{client_of(1, 4)}});
    EXPECT_EQ(loaded(), std::vector{client_of(1, 4)});
}

TEST_P(EveryStore, TakesNothingAtAll) {
    store_->save({});
    store_->tidy();
    EXPECT_TRUE(store_->load().empty());
}

INSTANTIATE_TEST_SUITE_P(
    Stores, EveryStore,
    testing::Values(StoreCase{"Memory",
                              [](const tests::TemporaryFolder&) { return std::make_unique<MemoryStore>(); }},
                    StoreCase{"Sqlite",
                              [](const tests::TemporaryFolder& directory) {
                                  return SqliteStore::open({.path = directory / "clients.db"});
                              }}),
    [](const testing::TestParamInfo<StoreCase>& instance) { return instance.param.name; });

}  // namespace
}  // namespace pomona::store
