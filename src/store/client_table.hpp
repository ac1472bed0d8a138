// ClientTable: all remembered clients in memory, bounded, and what of them the store does not have yet. Knows
// no thread, no clock and no disk; ClientRegistry adds those.
#pragma once

#include "store/client_store.hpp"

#include <pomona/model/client.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace pomona::store {

class ClientTable {
  public:
    ClientTable(std::size_t max_clients, std::string machine_name_prefix);

    /// Takes over what a store remembered. Numbers that occur twice are given anew. Records above the bound
    /// go, those seen longest ago first, but never those that were chosen by hand.
    void load(std::vector<model::Client> clients);

    [[nodiscard]] const model::Client* find(const model::ClientKey& key) const;
    [[nodiscard]] std::vector<model::Client> find(base::MacAddress mac) const;
    [[nodiscard]] std::vector<model::Client> list() const;
    [[nodiscard]] std::size_t size() const { return records_.size(); }

    struct Outcome {
        /// The record after the change.
        std::optional<model::Client> client;
        /// There was no room: every record was chosen by hand.
        bool refused = false;
    };
    Outcome apply(const model::ClientChange& change);

    /// Deletes records that were neither seen nor chosen since `before`, except those chosen by hand.
    std::size_t expire(model::TimePoint before);

    [[nodiscard]] bool has_unsaved() const { return !unsaved_.empty(); }
    struct Batch {
        std::vector<StoreUpdate> updates;
        /// Those among them that the store never had before.
        std::vector<model::ClientKey> first_saves;
    };
    /// At most one row per client, as it is now.
    Batch take_unsaved();
    /// The batch failed. Everything is unsaved from now on, since the store may have lost older rows too.
    void give_back(const Batch& batch);

    /// Models longer than this are cut off wherever they come in.
    static constexpr std::size_t longest_model = 64;

  private:
    struct Record {
        model::Client client;
        bool stored = false;
    };
    using Records = std::map<model::ClientKey, Record>;
    /// When it was seen or chosen last, and its number, which no other record has.
    using Age = std::pair<model::TimePoint, std::uint32_t>;

    Outcome remember(const model::RememberChoice& choice);
    Outcome forget(const model::ForgetClient& change);
    Outcome note(const model::NoteAddress& change);
    void erase(Records::iterator at);
    /// Deletes the oldest record; false when there is none that may go.
    bool make_room();
    void give_number(model::Client& client);
    void enter_age(Records::iterator at);
    void leave_age(Records::iterator at);

    std::size_t max_clients_;
    std::string machine_name_prefix_;
    // Ordered, not hashed: the keys come from the network, and a chosen set of MACs must not make it slow.
    Records records_;
    /// The records that may be pushed out, oldest first.
    std::map<Age, Records::iterator> by_age_;
    std::set<std::uint32_t> numbers_;
    std::uint32_t next_number_ = 1;
    std::set<model::ClientKey> unsaved_;
};

}  // namespace pomona::store
