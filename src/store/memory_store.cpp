#include "store/memory_store.hpp"

namespace pomona::store {

std::vector<model::Client> MemoryStore::load() {
    std::vector<model::Client> all;
    all.reserve(clients_.size());
    for (const auto& [key, client] : clients_) all.push_back(client);
    return all;
}

void MemoryStore::save(std::span<const StoreUpdate> updates) {
    for (const StoreUpdate& update : updates) {
        if (const auto* saved = std::get_if<SaveClient>(&update)) {
            clients_.insert_or_assign(saved->client.key, saved->client);
        } else {
            clients_.erase(std::get<DeleteClient>(update).key);
        }
    }
}

}  // namespace pomona::store
