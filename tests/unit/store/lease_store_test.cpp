#include "store/lease_store.hpp"

#include "support/temporary_folder.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace pomona::store {
namespace {

using model::PoolLease;

PoolLease lease(std::uint8_t machine, std::uint8_t last, std::int64_t when = 1'700'000'000) {
    return {.mac = base::MacAddress({2, 0, 0, 0, 0, machine}),
            .address = base::Ipv4Address(10, 0, 1, last),
            .given = model::TimePoint(std::chrono::seconds(when))};
}

class LeaseStoreTest : public testing::Test {
  protected:
    std::unique_ptr<LeaseStore> open() {
        return std::make_unique<LeaseStore>(
            folder_ / "leases.db", [this](const std::string& sentence) { said_.push_back(sentence); });
    }
    tests::TemporaryFolder folder_;
    std::vector<std::string> said_;
};

TEST_F(LeaseStoreTest, KeepsOneLeasePerMachineAndAddress) {
    EXPECT_TRUE(open()->loaded().empty());
    {
        const auto store = open();
        store->save(lease(1, 10));
        store->save(lease(2, 11));
        store->save(lease(1, 12, 1'700'000'001));
        store->save(lease(3, 11, 1'700'000'002));
    }
    EXPECT_EQ(open()->loaded(), (std::vector{lease(3, 11, 1'700'000'002), lease(1, 12, 1'700'000'001)}));
    EXPECT_TRUE(said_.empty());
}

TEST_F(LeaseStoreTest, ADamagedFileMakesRoom) {
    std::ofstream(folder_ / "leases.db") << std::string(5'000, 'x');
    {
        const auto store = open();
        ASSERT_EQ(said_.size(), 1U);
        EXPECT_TRUE(said_[0].contains("is moved to")) << said_[0];
        store->save(lease(1, 10));
    }
    EXPECT_EQ(open()->loaded(), std::vector{lease(1, 10)});
    EXPECT_TRUE(std::filesystem::exists(folder_ / "leases.db.damaged"));
}

TEST_F(LeaseStoreTest, WithoutAFolderItIsMemoryOnly) {
    const LeaseStore store(folder_ / "none/leases.db",
                           [this](const std::string& sentence) { said_.push_back(sentence); });
    EXPECT_FALSE(said_.empty());
    EXPECT_TRUE(said_.back().ends_with("leases of the pool are kept in memory only")) << said_.back();
}

}  // namespace
}  // namespace pomona::store
