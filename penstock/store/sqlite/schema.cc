#include "penstock/store/sqlite/schema.h"

#include <fmt/format.h>

#include "penstock/store/schema_steps.h"

namespace penstock::sqlite {
namespace {

constexpr const char* kCreate =
    "CREATE TABLE penstock_schema (component TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL) "
    "WITHOUT ROWID";

Result<bool> has_table(Connection& connection, const std::string& name) {
    char* const sql = sqlite3_mprintf(
        "SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND name = %Q COLLATE NOCASE",
        name.c_str());
    const auto found = connection.query_text(sql);
    sqlite3_free(sql);
    if (!found) return found.error();
    return !found->empty();
}

Result<SchemaVersions> read_versions(Connection& connection) {
    const auto columns = connection.query_text(
        "SELECT group_concat(name, ',') FROM (SELECT name FROM pragma_table_info('penstock_schema')"
        " ORDER BY cid)");
    if (!columns) return columns.error();
    if (*columns != "component,version") return foreign_table("penstock_schema");
    auto statement = connection.prepare("SELECT component, version FROM penstock_schema");
    if (!statement) return statement.error();
    SchemaVersions versions;
    int result;
    while ((result = sqlite3_step(statement->get())) == SQLITE_ROW) {
        const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement->get(), 0));
        if (text == nullptr) {
            return error(Code::damaged,
                         "the database is damaged: penstock_schema has a row without "
                         "a name; restore the database from a backup");
        }
        versions[text] = static_cast<std::uint32_t>(sqlite3_column_int64(statement->get(), 1));
    }
    if (result != SQLITE_DONE) return error_of(connection.get(), result, "cannot read the schema");
    return versions;
}

Result<void> apply(Connection& connection, const Migration& migration) {
    for (const std::string& sql : migration.statements) {
        if (const std::string table = created_table(sql); !table.empty()) {
            const auto present = has_table(connection, table);
            if (!present) return present.error();
            if (*present) return foreign_table(table);
        }
        PENSTOCK_TRY(connection.execute(sql.c_str()));
    }
    char* const record = sqlite3_mprintf(
        "INSERT INTO penstock_schema (component, version) VALUES (%Q, %u) "
        "ON CONFLICT (component) DO UPDATE SET version = excluded.version",
        migration.component.c_str(), migration.version);
    auto done = connection.execute(record);
    sqlite3_free(record);
    return done;
}

Result<void> migrate_inside(Connection& connection, std::span<const Migration> migrations) {
    const SchemaVersions known = last_versions(migrations);
    const auto present = has_table(connection, "penstock_schema");
    if (!present) return present.error();
    SchemaVersions versions;
    if (*present) {
        auto read = read_versions(connection);
        if (!read) return read.error();
        versions = *std::move(read);
        PENSTOCK_TRY(check_not_newer(versions, known));
    } else {
        PENSTOCK_TRY(connection.execute(kCreate));
    }
    for (const Migration& migration : migrations) {
        if (migration.version > versions[migration.component]) {
            PENSTOCK_TRY(apply(connection, migration));
        }
    }
    return {};
}

}  // namespace

Result<void> migrate(Connection& connection, std::span<const Migration> migrations) {
    const auto encoding = connection.query_text("PRAGMA encoding");
    if (!encoding) return encoding.error();
    if (*encoding != "UTF-8") {
        return error(Code::unsafe, fmt::format("the database's encoding is {}: UTF-8 is needed, "
                                               "make the database anew",
                                               *encoding));
    }
    PENSTOCK_TRY(connection.execute("BEGIN IMMEDIATE"));
    auto done = migrate_inside(connection, migrations);
    if (done) done = connection.execute("COMMIT");
    if (!done && connection.in_transaction()) {
        if (const auto undone = connection.execute("ROLLBACK"); !undone) return undone.error();
    }
    return done;
}

}  // namespace penstock::sqlite
