#include "store/sqlite_store.hpp"

#include "store/client_row.hpp"
#include "store/memory_store.hpp"
#include "store/sqlite_database.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <optional>
#include <utility>

namespace pomona::store {

namespace {

constexpr std::int64_t schema_version = 1;
constexpr std::array side_files = {"-wal", "-shm"};

/// The file is no database of ours that could be used; it should make room for a new one.
class Damaged : public StoreError {
  public:
    using StoreError::StoreError;
};

/// Tells a file from another one of the same name.
struct FileIdentity {
    dev_t device = 0;
    ino_t inode = 0;

    static std::optional<FileIdentity> of(const std::string& path) {
        struct stat info{};
        if (::stat(path.c_str(), &info) != 0) return std::nullopt;
        return FileIdentity{info.st_dev, info.st_ino};
    }
    friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};

std::string utc_stamp() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    std::array<char, 32> text{};
    const std::size_t length = std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &parts);
    return {text.data(), length};
}

std::string parent_of(const std::filesystem::path& path) {
    const std::filesystem::path parent = path.parent_path();
    return parent.empty() ? "." : parent.string();
}

/// SQLite would create the file readable for everybody, and for root alone when root calls.
void create_if_missing(const std::filesystem::path& path) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (descriptor < 0) {
        if (errno == EEXIST) return;
        const int error = errno;
        std::string text = path.string() + " cannot be created: " + std::strerror(error);
        if (error == ENOENT) text += "; create the directory " + parent_of(path);
        throw StoreError(text);
    }
    ::fchmod(descriptor, 0640);
    struct stat directory{};
    if (::geteuid() == 0 && ::stat(parent_of(path).c_str(), &directory) == 0) {
        // An administrator's command may come before the server's first start as another user.
        [[maybe_unused]] const int ignored = ::fchown(descriptor, directory.st_uid, directory.st_gid);
    }
    ::close(descriptor);
}

}  // namespace

struct SqliteStore::Connection {
    SqliteDatabase database;
    SqliteStatement upsert;
    SqliteStatement erase;
    FileIdentity file;
    std::optional<FileIdentity> log;
};

SqliteStore::SqliteStore(Options options, Report report)
    : options_(std::move(options)), report_(std::move(report)) {}

SqliteStore::~SqliteStore() = default;

std::unique_ptr<SqliteStore> SqliteStore::open(Options options, Report report) {
    std::unique_ptr<SqliteStore> store(new SqliteStore(std::move(options), std::move(report)));
    store->connect();
    return store;
}

void SqliteStore::tell(const std::string& sentence) const {
    if (report_) report_(sentence);
}

void SqliteStore::connect() {
    try {
        connection_ = try_connect();
    } catch (const Damaged& damage) {
        if (!options_.move_damaged_aside) throw;
        move_aside(damage.what());
        connection_ = try_connect();
    }
}

std::unique_ptr<SqliteStore::Connection> SqliteStore::try_connect() const {
    const std::string name = options_.path.string();
    create_if_missing(options_.path);
    try {
        SqliteDatabase database(options_.path);
        database.set_busy_timeout(static_cast<int>(options_.busy_timeout.count()));
        try {
            const std::int64_t version = database.number("PRAGMA user_version");
            if (version > schema_version) {
                throw StoreError(name + " was written by a newer version of this program (schema " +
                                 std::to_string(version) + ", this one knows " +
                                 std::to_string(schema_version) +
                                 "); update the program or name another file");
            }
            if (database.text("PRAGMA quick_check(1)") != "ok")
                throw Damaged("its pages do not fit together");
            // A new file holds nothing that a power cut could take: the server need not wait for the disk.
            if (version == 0) database.run("PRAGMA synchronous = OFF");
            if (database.text("PRAGMA journal_mode = WAL") != "wal") {
                throw StoreError(name + ": this file system offers no write-ahead log; use a local disk");
            }
            // tidy() copies the log into the file when nobody waits; this is only the end of its patience: 64
            // MiB, which 20,000 choices in a row stay below.
            database.run("PRAGMA wal_autocheckpoint = 16384");
            database.run("PRAGMA journal_size_limit = 1048576");
            database.run("PRAGMA cache_size = -2048");
            if (version == 0) {
                if (database.number("SELECT count(*) FROM sqlite_schema") != 0) {
                    throw Damaged("it is a database of another program");
                }
                database.run("BEGIN IMMEDIATE");
                // Another process may have been quicker.
                if (database.number("PRAGMA user_version") == 0) database.run(client_row::create_table);
                database.run("COMMIT");
            }
            // The log is synced when it is copied into the file, not at every commit.
            database.run("PRAGMA synchronous = NORMAL");
            std::optional<SqliteStatement> upsert;
            std::optional<SqliteStatement> erase;
            try {
                upsert = database.prepare(client_row::upsert_sql);
                erase = database.prepare(client_row::erase_sql);
                (void)database.prepare(client_row::select_all);
            } catch (const SqliteError& error) {
                if (error.is_damage()) throw;
                throw Damaged(std::string("its tables are not ours: ") + error.what());
            }
            const auto file = FileIdentity::of(name);
            if (!file) throw StoreError(name + " disappeared while it was opened");
            return std::make_unique<Connection>(Connection{std::move(database), *std::move(upsert),
                                                           *std::move(erase), *file,
                                                           FileIdentity::of(name + "-wal")});
        } catch (const Damaged&) {
            database.keep_log_on_close();
            throw;
        } catch (const SqliteError& error) {
            if (error.is_damage()) database.keep_log_on_close();
            throw;
        }
    } catch (const SqliteError& error) {
        if (error.is_damage()) throw Damaged(error.what());
        throw StoreError(name + " cannot be used: " + error.what());
    }
}

void SqliteStore::move_aside(const std::string& why) {
    const std::string name = options_.path.string();
    const std::string base = name + ".damaged-" + utc_stamp();
    std::string target = base;
    for (int n = 2; FileIdentity::of(target) && n < 1000; ++n) target = base + "-" + std::to_string(n);
    // The log goes first: SQLite must never meet it beside a new file of the old name.
    for (const char* suffix : side_files) {
        std::error_code ignored;
        std::filesystem::rename(name + suffix, target + suffix, ignored);
    }
    std::error_code error;
    std::filesystem::rename(options_.path, target, error);
    if (error)
        throw StoreError(name + " is damaged (" + why + ") and cannot be moved aside: " + error.message());
    tell(name + " was damaged (" + why + "); it is now " + target + " and a new, empty one takes its place");
}

std::vector<model::Client> SqliteStore::load() {
    if (!connection_) connect();
    std::vector<model::Client> clients;
    try {
        SqliteStatement rows = connection_->database.prepare(client_row::select_all);
        while (rows.step()) {
            base::Result<model::Client> client = client_row::read(rows);
            if (client) {
                clients.push_back(*std::move(client));
            } else {
                tell(options_.path.string() + ": " + client.error().text() + "; the row is left out");
            }
        }
        return clients;
    } catch (const SqliteError& error) {
        if (!error.is_damage()) throw StoreError(options_.path.string() + " cannot be read: " + error.what());
        connection_->database.keep_log_on_close();
        connection_.reset();
        if (!options_.move_damaged_aside)
            throw StoreError(options_.path.string() + " is damaged: " + error.what());
        move_aside(error.what());
        connect();
    }
    // What could be read is worth keeping.
    std::vector<StoreUpdate> updates;
    updates.reserve(clients.size());
    for (const model::Client& client : clients) updates.emplace_back(SaveClient{client});
    save(updates);
    return clients;
}

void SqliteStore::save(std::span<const StoreUpdate> updates) {
    const std::string name = options_.path.string();
    if (!connection_) connect();
    try {
        Connection& to = *connection_;
        to.database.run("BEGIN IMMEDIATE");
        for (const StoreUpdate& update : updates) {
            if (const auto* saved = std::get_if<SaveClient>(&update)) {
                client_row::bind(to.upsert, saved->client);
                to.upsert.step();
                to.upsert.reset();
            } else {
                client_row::bind(to.erase, std::get<DeleteClient>(update).key);
                to.erase.step();
                to.erase.reset();
            }
        }
        to.database.run("COMMIT");
        // A commit into a file that somebody deleted succeeds and is worth nothing.
        if (FileIdentity::of(name) != to.file || FileIdentity::of(name + "-wal") != to.log) {
            throw StoreError(name + " was deleted or replaced while it was in use");
        }
    } catch (const SqliteError& error) {
        if (error.is_damage()) connection_->database.keep_log_on_close();
        connection_.reset();
        throw StoreError(name + " cannot be written: " + error.what());
    } catch (const StoreError&) {
        connection_->database.keep_log_on_close();
        connection_.reset();
        throw;
    }
}

void SqliteStore::tidy() noexcept {
    if (connection_) connection_->database.checkpoint();
}

std::unique_ptr<ClientStore> open_or_use_memory(const std::filesystem::path& path,
                                                const SqliteStore::Report& report) {
    try {
        return SqliteStore::open({.path = path}, report);
    } catch (const StoreError& error) {
        if (report) report(std::string(error.what()) + "; machines are remembered until the server ends");
        return std::make_unique<MemoryStore>();
    }
}

}  // namespace pomona::store
