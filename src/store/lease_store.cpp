#include "store/lease_store.hpp"

#include "store/sqlite_database.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

namespace pomona::store {

namespace {

constexpr const char* create_table = R"(
CREATE TABLE IF NOT EXISTS leases (
    address TEXT    NOT NULL PRIMARY KEY,
    mac     TEXT    NOT NULL UNIQUE,
    given   INTEGER NOT NULL
) WITHOUT ROWID;
)";

struct Connection {
    SqliteDatabase database;
    SqliteStatement upsert;

    explicit Connection(const std::string& path) : database(path), upsert(prepare()) {}

  private:
    SqliteStatement prepare() {
        database.set_busy_timeout(1'000);
        if (database.text("PRAGMA quick_check(1)") != "ok") throw StoreError("its pages do not fit together");
        database.run("PRAGMA journal_mode = WAL");
        database.run("PRAGMA cache_size = -256");
        database.run(create_table);
        // Both the machine's old row and the address's: each stands for one lease.
        return database.prepare("INSERT OR REPLACE INTO leases VALUES (?1, ?2, ?3)");
    }
};

void create_if_missing(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (descriptor < 0) throw StoreError(path + " cannot be opened: " + std::strerror(errno));
    ::close(descriptor);
}

std::vector<model::PoolLease> read_all(SqliteDatabase& database) {
    std::vector<model::PoolLease> leases;
    auto rows = database.prepare("SELECT address, mac, given FROM leases");
    while (rows.step()) {
        const auto address = base::Ipv4Address::parse(rows.text(0));
        const auto mac = base::MacAddress::parse(rows.text(1));
        if (!address || !mac || !rows.is_number(2)) continue;
        leases.push_back({.mac = *mac,
                          .address = *address,
                          .given = model::TimePoint(std::chrono::seconds(rows.number(2)))});
    }
    return leases;
}

}  // namespace

struct LeaseStore::State {
    Report report;
    std::optional<Connection> connection;
    std::vector<model::PoolLease> loaded;
    std::mutex mutex;
    std::condition_variable_any changed;
    /// No more than the pool has addresses, however often each is asked for while the disk is slow.
    std::map<base::Ipv4Address, model::PoolLease> unwritten;
    std::map<base::MacAddress, base::Ipv4Address> unwritten_of;
    bool failing = false;
    std::jthread thread;

    void open(const std::string& path) {
        create_if_missing(path);
        connection.emplace(path);
        loaded = read_all(connection->database);
    }

    void run(const std::stop_token& stop) {
        for (;;) {
            std::map<base::Ipv4Address, model::PoolLease> batch;
            {
                std::unique_lock lock(mutex);
                changed.wait(lock, stop, [this] { return !unwritten.empty(); });
                batch.swap(unwritten);
                unwritten_of.clear();
            }
            if (batch.empty()) return;
            write(batch);
        }
    }

    void write(const std::map<base::Ipv4Address, model::PoolLease>& batch) {
        SqliteDatabase& database = connection->database;
        try {
            database.run("BEGIN IMMEDIATE");
            for (const auto& [address, lease] : batch) {
                connection->upsert.bind(1, lease.address.text());
                connection->upsert.bind(2, lease.mac.text());
                connection->upsert.bind(3, lease.given.time_since_epoch().count());
                (void)connection->upsert.step();
                connection->upsert.reset();
            }
            database.run("COMMIT");
            failing = false;
        } catch (const StoreError& error) {
            connection->upsert.reset();
            roll_back();
            if (!std::exchange(failing, true)) {
                report(std::string("leases of the pool are not stored: ") + error.what());
            }
        }
    }

    void roll_back() {
        try {
            if (connection->database.in_transaction()) connection->database.run("ROLLBACK");
        } catch (const StoreError& error) {
            report(std::string("leases of the pool: ") + error.what());
        }
    }

    /// In place of what waits for this machine and for this address.
    void queue(const model::PoolLease& lease) {
        if (const auto other = unwritten_of.find(lease.mac); other != unwritten_of.end()) {
            unwritten.erase(other->second);
        }
        if (const auto other = unwritten.find(lease.address); other != unwritten.end()) {
            unwritten_of.erase(other->second.mac);
        }
        unwritten.insert_or_assign(lease.address, lease);
        unwritten_of.insert_or_assign(lease.mac, lease.address);
    }
};

LeaseStore::LeaseStore(const std::string& path, Report report) : state_(std::make_unique<State>()) {
    State& state = *state_;
    state.report = std::move(report);
    try {
        try {
            state.open(path);
        } catch (const StoreError& error) {
            const std::string aside = path + ".damaged";
            state.connection.reset();
            state.report(path + ": " + error.what() + "; it is moved to " + aside + " and a new one begun");
            if (std::rename(path.c_str(), aside.c_str()) != 0) throw;
            for (const char* const side : {"-wal", "-shm"}) (void)::unlink((path + side).c_str());
            state.open(path);
        }
    } catch (const StoreError& error) {
        state.connection.reset();
        state.report(path + ": " + error.what() + "; leases of the pool are kept in memory only");
        return;
    }
    state.thread = std::jthread([&state](const std::stop_token& stop) { state.run(stop); });
}

LeaseStore::~LeaseStore() = default;

const std::vector<model::PoolLease>& LeaseStore::loaded() const {
    return state_->loaded;
}

void LeaseStore::save(const model::PoolLease& lease) {
    if (!state_->connection) return;
    {
        const std::scoped_lock lock(state_->mutex);
        state_->queue(lease);
    }
    state_->changed.notify_one();
}

}  // namespace pomona::store
