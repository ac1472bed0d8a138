// SqliteStore: the remembered clients in one SQLite file with a write-ahead log. A commit survives the sudden
// end of the process; see docs/decisions for what a power failure may take.
#pragma once

#include "store/client_store.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace pomona::store {

class SqliteStore final : public ClientStore {
  public:
    struct Options {
        /// The directory must exist. "-wal" and "-shm" files appear beside it.
        std::filesystem::path path;
        /// A damaged file is renamed to "<name>.damaged-<UTC time>" and a new one made. Otherwise open
        /// throws.
        bool move_damaged_aside = true;
        /// How long to wait for another program that writes to the same file.
        std::chrono::milliseconds busy_timeout{2000};
    };
    /// Told in a sentence, on the thread that called, about everything that was repaired or left out.
    using Report = std::function<void(const std::string& sentence)>;

    /// Creates a missing file (mode 0640, owner of the directory if we are root). Throws StoreError when the
    /// file cannot be used: no directory, no permission, or a schema newer than this program's.
    static std::unique_ptr<SqliteStore> open(Options options, Report report = {});
    ~SqliteStore() override;

    /// Rows with values that make no sense are reported and left out (and stay in the file).
    std::vector<model::Client> load() override;
    /// One transaction. After a failure the next call opens the file anew, which replaces a file that is gone
    /// or damaged by an empty one; so after a StoreError save everything again, not only what failed.
    void save(std::span<const StoreUpdate> updates) override;
    void tidy() noexcept override;

  private:
    struct Connection;
    SqliteStore(Options options, Report report);
    void connect();
    std::unique_ptr<Connection> try_connect() const;
    void move_aside(const std::string& why);
    void tell(const std::string& sentence) const;

    Options options_;
    Report report_;
    std::unique_ptr<Connection> connection_;
};

/// What a server uses: the SQLite store, or, when that cannot be opened, a report and a store in memory.
std::unique_ptr<ClientStore> open_or_use_memory(const std::filesystem::path& path,
                                                const SqliteStore::Report& report);

}  // namespace pomona::store
