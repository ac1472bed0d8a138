// ClientStore: what survives a restart of the server's memory of its clients. Small on purpose; see
// client_registry for everything that does not need a disk.
#pragma once

#include <pomona/model/client.hpp>

#include <span>
#include <stdexcept>
#include <variant>
#include <vector>

namespace pomona::store {

/// The environment failed: disk full, database gone or damaged. The text says which and what was tried.
class StoreError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// One row to write: the record as it is now, or the key of one to delete.
struct SaveClient {
    model::Client client;
};
struct DeleteClient {
    model::ClientKey key;
};
using StoreUpdate = std::variant<SaveClient, DeleteClient>;

class ClientStore {
  public:
    ClientStore() = default;
    ClientStore(const ClientStore&) = delete;
    ClientStore& operator=(const ClientStore&) = delete;
    virtual ~ClientStore() = default;

    /// Every record. Throws StoreError.
    virtual std::vector<model::Client> load() = 0;

    /// All of it or nothing; when it returns, it survives the sudden end of this process. Throws StoreError.
    /// After a throw the store may have lost older rows too: save every record again, not only these.
    virtual void save(std::span<const StoreUpdate> updates) = 0;

    /// Called now and then when there is nothing to save, so that housekeeping delays no answer.
    virtual void tidy() noexcept {}
};

}  // namespace pomona::store
