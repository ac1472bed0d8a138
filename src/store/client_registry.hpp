// ClientRegistry: all remembered clients in memory, bounded, with a thread of its own that writes changes to
// a ClientStore in groups. Reading and changing never wait for the disk.
#pragma once

#include "store/client_store.hpp"

#include <pomona/base/addresses.hpp>
#include <pomona/model/client.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace pomona::store {

class ClientRegistry {
  public:
    struct Options {
        /// Records kept at the most. When full, the one that was seen longest ago and was not chosen by hand
        /// goes.
        std::size_t max_clients = 20'000;
        /// Text before the number of a machine name, and the number's smallest count of digits: NetBoot007.
        std::string machine_name_prefix = "NetBoot";
        /// How long a NoteAddress may stay unwritten.
        std::chrono::milliseconds note_delay{5'000};
        /// Pauses before a failing store is tried again: the first one, doubled up to the longest.
        std::chrono::milliseconds first_retry{500};
        std::chrono::milliseconds longest_retry{60'000};
        /// Answers that wait for the disk at the most. While a disk hangs and more come, their `Done` is
        /// dropped without a call: to the client that is a lost packet, and it asks again.
        std::size_t max_waiting = 50'000;
        /// After this many saved rows and a quiet while the store may tidy up.
        std::size_t tidy_after = 256;
        std::chrono::milliseconds tidy_delay{1'000};
    };

    /// How a change ended: `durable` is false when the store failed or there is none (the change lives in
    /// memory only), and when the change was refused. Must not throw.
    using Done = std::function<void(bool durable)>;
    /// Told, on the registry's thread, when the store starts failing (with the reason) and works again
    /// (empty).
    using StoreTrouble = std::function<void(const std::string& reason)>;

    /// Loads every record; the store may be null (memory only). Throws StoreError. A store that fails later
    /// is no reason to throw: records stay in memory and all are written when it works again.
    ClientRegistry(std::unique_ptr<ClientStore> store, Options options, StoreTrouble trouble = {});
    ClientRegistry(const ClientRegistry&) = delete;
    ClientRegistry& operator=(const ClientRegistry&) = delete;
    /// Writes what is still unwritten and joins the thread.
    ~ClientRegistry();

    /// A copy of the record, if there is one.
    [[nodiscard]] std::optional<model::Client> find(const model::ClientKey& key) const;
    /// Every record of this MAC, whatever the model.
    [[nodiscard]] std::vector<model::Client> find(base::MacAddress mac) const;
    [[nodiscard]] std::vector<model::Client> list() const;
    [[nodiscard]] std::size_t size() const;

    /// Takes effect in memory at once; returns the record as it is now (nullopt if there is none after it).
    /// A choice is refused (nullopt, done(false)) only when there is no room and every record was chosen by
    /// hand.
    /// `done` is called on the registry's thread once the change was written (group commit) or could not be.
    /// NoteAddress is written behind without hurry; several notes for one client become one.
    std::optional<model::Client> apply(const model::ClientChange& change, Done done = {});

    /// Deletes the records of clients that were neither seen nor chosen for `age`, except those chosen by
    /// hand; returns how many. Call it at start and once a day.
    std::size_t expire(model::TimePoint now, std::chrono::seconds age = std::chrono::days(400));

    /// Returns when everything applied so far was written or has failed. For tests and orderly ends.
    void flush();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace pomona::store
