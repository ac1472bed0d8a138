// How one remembered client lies in a table of SQLite: the schema, version 1, and the checks of what is read.
// Addresses, ids and models are text, so that a person with the sqlite3 shell can read them.
#pragma once

#include "store/sqlite_database.hpp"

#include <pomona/base/error.hpp>
#include <pomona/model/client.hpp>

namespace pomona::store::client_row {

/// Times are seconds since 1970 UTC.
inline constexpr const char* create_table = R"(
CREATE TABLE clients (
    mac            TEXT    NOT NULL,
    model          TEXT    NOT NULL,
    architecture   TEXT    NOT NULL,
    image          TEXT    NOT NULL,
    address        TEXT    NOT NULL,
    machine_name   TEXT    NOT NULL,
    number         INTEGER NOT NULL,
    first_seen     INTEGER NOT NULL,
    last_seen      INTEGER NOT NULL,
    last_selected  INTEGER NOT NULL,
    chosen_by_hand INTEGER NOT NULL,
    PRIMARY KEY (mac, model)
) WITHOUT ROWID;
PRAGMA application_id = 1349479777; -- "Poma"
PRAGMA user_version = 1;
)";

inline constexpr const char* select_all =
    "SELECT mac, model, architecture, image, address, machine_name, number, first_seen, last_seen, "
    "last_selected,"
    " chosen_by_hand FROM clients";
inline constexpr const char* upsert_sql =
    "INSERT OR REPLACE INTO clients VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
inline constexpr const char* erase_sql = "DELETE FROM clients WHERE mac = ?1 AND model = ?2";

/// The current row of `select_all`; the error names the row and the column.
base::Result<model::Client> read(const SqliteStatement& row);

/// The parameters of `upsert_sql` and `erase_sql`.
void bind(SqliteStatement& upsert, const model::Client& client);
void bind(SqliteStatement& erase, const model::ClientKey& key);

}  // namespace pomona::store::client_row
