// SqliteDatabase and SqliteStatement: the few calls of SQLite's C interface that the stores need, with owners
// and with errors as exceptions that keep the result code.
#pragma once

#include "store/client_store.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace pomona::store {

/// A call of SQLite failed; code() is its primary result code.
class SqliteError : public StoreError {
  public:
    SqliteError(int code, const std::string& text) : StoreError(text), code_(code) {}
    [[nodiscard]] int code() const { return code_; }
    /// The file itself is not a sound database (in contrast to: full disk, no permission, locked).
    [[nodiscard]] bool is_damage() const;

  private:
    int code_;
};

class SqliteStatement;

/// One connection, used by one thread at a time. Every function throws SqliteError.
class SqliteDatabase {
  public:
    /// The file must exist; it may be empty.
    explicit SqliteDatabase(const std::filesystem::path& path);

    void run(const char* sql);
    SqliteStatement prepare(const char* sql);
    /// The first column of the first row of a pragma or a query; 0 without a row.
    std::int64_t number(const char* sql);
    std::string text(const char* sql);

    [[nodiscard]] bool in_transaction() const;
    void set_busy_timeout(int milliseconds);
    /// Copies what the write-ahead log holds into the file, as far as nobody is in the way. Never throws.
    void checkpoint() noexcept;
    /// Closing then leaves file and log exactly as they are.
    void keep_log_on_close() noexcept;

  private:
    struct Close {
        void operator()(sqlite3* handle) const noexcept;
    };
    std::unique_ptr<sqlite3, Close> handle_;
};

class SqliteStatement {
  public:
    /// Parameters count from 1.
    void bind(int parameter, std::string_view text);
    void bind(int parameter, std::int64_t number);

    /// True while there is a row to read.
    bool step();
    /// Ready for new parameters.
    void reset() noexcept;

    /// Columns count from 0.
    [[nodiscard]] std::string text(int column) const;
    [[nodiscard]] std::int64_t number(int column) const;
    /// The stored value is an integer, not a text that looks like one.
    [[nodiscard]] bool is_number(int column) const;

  private:
    friend class SqliteDatabase;
    explicit SqliteStatement(sqlite3_stmt* statement) : statement_(statement) {}
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const noexcept;
    };
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

}  // namespace pomona::store
