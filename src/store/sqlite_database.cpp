#include "store/sqlite_database.hpp"

#include <sqlite3.h>

namespace pomona::store {

namespace {

[[noreturn]] void raise(sqlite3* handle, const char* doing) {
    const int code = handle == nullptr ? SQLITE_NOMEM : sqlite3_errcode(handle) & 0xff;
    std::string text = doing;
    text += ": ";
    text += handle == nullptr ? "out of memory" : sqlite3_errmsg(handle);
    throw SqliteError(code, text);
}

}  // namespace

bool SqliteError::is_damage() const {
    return code_ == SQLITE_CORRUPT || code_ == SQLITE_NOTADB;
}

void SqliteDatabase::Close::operator()(sqlite3* handle) const noexcept {
    sqlite3_close_v2(handle);
}

SqliteDatabase::SqliteDatabase(const std::filesystem::path& path) {
    sqlite3* handle = nullptr;
    const int result = sqlite3_open_v2(
        path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
    handle_.reset(handle);
    if (result != SQLITE_OK) raise(handle, "opening");
}

void SqliteDatabase::run(const char* sql) {
    if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) raise(handle_.get(), sql);
}

SqliteStatement SqliteDatabase::prepare(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v3(handle_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) !=
        SQLITE_OK) {
        raise(handle_.get(), "preparing");
    }
    return SqliteStatement(statement);
}

std::int64_t SqliteDatabase::number(const char* sql) {
    SqliteStatement statement = prepare(sql);
    return statement.step() ? statement.number(0) : 0;
}

std::string SqliteDatabase::text(const char* sql) {
    SqliteStatement statement = prepare(sql);
    return statement.step() ? statement.text(0) : std::string();
}

bool SqliteDatabase::in_transaction() const {
    return sqlite3_get_autocommit(handle_.get()) == 0;
}

void SqliteDatabase::set_busy_timeout(int milliseconds) {
    sqlite3_busy_timeout(handle_.get(), milliseconds);
}

void SqliteDatabase::checkpoint() noexcept {
    sqlite3_wal_checkpoint_v2(handle_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
}

void SqliteDatabase::keep_log_on_close() noexcept {
    sqlite3_db_config(handle_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

void SqliteStatement::Finalize::operator()(sqlite3_stmt* statement) const noexcept {
    sqlite3_finalize(statement);
}

void SqliteStatement::bind(int parameter, std::string_view text) {
    // A view of no characters may have no address, and SQLite would take that for NULL.
    const char* data = text.empty() ? "" : text.data();
    if (sqlite3_bind_text(statement_.get(), parameter, data, static_cast<int>(text.size()),
                          SQLITE_TRANSIENT) != SQLITE_OK) {
        raise(sqlite3_db_handle(statement_.get()), "binding");
    }
}

void SqliteStatement::bind(int parameter, std::int64_t number) {
    if (sqlite3_bind_int64(statement_.get(), parameter, number) != SQLITE_OK) {
        raise(sqlite3_db_handle(statement_.get()), "binding");
    }
}

bool SqliteStatement::step() {
    const int result = sqlite3_step(statement_.get());
    if (result == SQLITE_ROW) return true;
    if (result == SQLITE_DONE) return false;
    raise(sqlite3_db_handle(statement_.get()), sqlite3_sql(statement_.get()));
}

void SqliteStatement::reset() noexcept {
    sqlite3_reset(statement_.get());
}

std::string SqliteStatement::text(int column) const {
    const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
    if (data == nullptr) return {};
    return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

std::int64_t SqliteStatement::number(int column) const {
    return sqlite3_column_int64(statement_.get(), column);
}

bool SqliteStatement::is_number(int column) const {
    return sqlite3_column_type(statement_.get(), column) == SQLITE_INTEGER;
}

}  // namespace pomona::store
