// LeaseStore: the leases of the pool in a small database of their own, written behind on a thread of its own.
// What is lost when the process ends in the middle of it is found again by ARP.
#pragma once

#include <pomona/model/bootp_pool.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace pomona::store {

class LeaseStore {
  public:
    /// Told in words about a file that cannot be used, which then is not: leases live in memory. On any
    /// thread.
    using Report = std::function<void(const std::string& sentence)>;

    /// A damaged file is moved aside. Never throws for the file's sake.
    LeaseStore(const std::string& path, Report report);
    LeaseStore(const LeaseStore&) = delete;
    LeaseStore& operator=(const LeaseStore&) = delete;
    /// Writes what is still unwritten.
    ~LeaseStore();

    /// What was there at the start.
    [[nodiscard]] const std::vector<model::PoolLease>& loaded() const;
    /// Soon on disk; in place of whatever was known of this machine and of this address.
    void save(const model::PoolLease& lease);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace pomona::store
