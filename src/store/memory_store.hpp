// MemoryStore: a ClientStore that forgets everything at the end of the process; for tests, and for serving
// when no disk can be written.
#pragma once

#include "store/client_store.hpp"

#include <map>

namespace pomona::store {

class MemoryStore final : public ClientStore {
  public:
    std::vector<model::Client> load() override;
    void save(std::span<const StoreUpdate> updates) override;

  private:
    std::map<model::ClientKey, model::Client> clients_;
};

}  // namespace pomona::store
