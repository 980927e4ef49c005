#include "penstock/store/sqlite/schema.h"

#include <fmt/format.h>

#include <cctype>
#include <map>
#include <optional>

namespace penstock::sqlite {
namespace {

constexpr const char* kCreate =
    "CREATE TABLE penstock_schema (component TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL) "
    "WITHOUT ROWID";

using Versions = std::map<std::string, std::uint32_t>;

/// The next word of an SQL text, without quotes; empty at its end.
std::string next_word(std::string_view& text) {
    const auto blank = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
    while (!text.empty() && blank(text.front())) text.remove_prefix(1);
    std::string word;
    while (!text.empty() && !blank(text.front()) && text.front() != '(') {
        if (text.front() != '"' && text.front() != '`') word += text.front();
        text.remove_prefix(1);
    }
    return word;
}

bool is_word(const std::string& word, const char* expected) {
    return sqlite3_stricmp(word.c_str(), expected) == 0;
}

/// The name in "CREATE TABLE name (…": empty for any other statement.
std::string created_table(std::string_view sql) {
    if (!is_word(next_word(sql), "CREATE") || !is_word(next_word(sql), "TABLE")) return {};
    return next_word(sql);
}

Result<bool> has_table(Connection& connection, const std::string& name) {
    char* const sql = sqlite3_mprintf(
        "SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND name = %Q COLLATE NOCASE",
        name.c_str());
    const auto found = connection.query_text(sql);
    sqlite3_free(sql);
    if (!found) return found.error();
    return !found->empty();
}

Error foreign(const std::string& table) {
    return error(Code::constraint,
                 fmt::format("the database has a table {} that Penstock did not make: give it "
                             "another name or use another database",
                             table));
}

Result<Versions> read_versions(Connection& connection) {
    const auto columns = connection.query_text(
        "SELECT group_concat(name, ',') FROM (SELECT name FROM pragma_table_info('penstock_schema')"
        " ORDER BY cid)");
    if (!columns) return columns.error();
    if (*columns != "component,version") return foreign("penstock_schema");
    auto statement = connection.prepare("SELECT component, version FROM penstock_schema");
    if (!statement) return statement.error();
    Versions versions;
    int result;
    while ((result = sqlite3_step(statement->get())) == SQLITE_ROW) {
        const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement->get(), 0));
        versions[text] = static_cast<std::uint32_t>(sqlite3_column_int64(statement->get(), 1));
    }
    if (result != SQLITE_DONE) return error_of(connection.get(), result, "cannot read the schema");
    return versions;
}

/// Versions of a component stand in order, without a gap: a bug of ours otherwise.
Versions last_versions(std::span<const Migration> migrations) {
    Versions last;
    for (const Migration& migration : migrations) {
        std::uint32_t& version = last[migration.component];
        PENSTOCK_CHECK(migration.version == version + 1);
        version = migration.version;
    }
    return last;
}

Result<void> check_not_newer(const Versions& present, const Versions& known) {
    for (const auto& [component, version] : known) {
        const auto found = present.find(component);
        if (found == present.end() || found->second <= version) continue;
        return error(Code::too_new,
                     fmt::format("the tables of {} are of version {}, this program knows {}: use a "
                                 "newer program",
                                 component, found->second, version));
    }
    return {};
}

Result<void> apply(Connection& connection, const Migration& migration) {
    for (const std::string& sql : migration.statements) {
        if (const std::string table = created_table(sql); !table.empty()) {
            const auto present = has_table(connection, table);
            if (!present) return present.error();
            if (*present) return foreign(table);
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
    const Versions known = last_versions(migrations);
    const auto present = has_table(connection, "penstock_schema");
    if (!present) return present.error();
    Versions versions;
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
