#include "penstock/store/postgres/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "penstock/store/postgres/sqlstate.h"
#include "penstock/store/schema_steps.h"

namespace penstock::postgres {
namespace {

// The lock's number means nothing; no other program should have the same.
constexpr const char* kLock = "SELECT pg_advisory_xact_lock(7093850571183421201)";

struct FreeText {
    void operator()(char* text) const { PQfreemem(text); }
};

std::string literal(Connection& connection, std::string_view text) {
    const std::unique_ptr<char, FreeText> quoted(
        PQescapeLiteral(connection.get(), text.data(), text.size()));
    PENSTOCK_CHECK(quoted != nullptr);
    return quoted.get();
}

std::string text_at(const Answer& answer, int row, int column) {
    return std::string(PQgetvalue(answer.get(), row, column),
                       static_cast<std::size_t>(PQgetlength(answer.get(), row, column)));
}

/// Where our tables are made, and whether we may.
struct Place {
    std::string schema, user;
    bool may_create = false;
};

Error no_right(const Place& place) {
    return error(Code::unsafe,
                 fmt::format("the user {0} may not make tables in the schema {1}: as its owner run "
                             "GRANT CREATE, USAGE ON SCHEMA {1} TO {0}",
                             place.user, place.schema));
}

Result<Place> find_place(Connection& connection) {
    auto found = connection.query(
        "SELECT coalesce(current_schema(), '')::text, current_user::text, "
        "coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)::text");
    if (!found) return found.error();
    Place place{text_at(*found, 0, 0), text_at(*found, 0, 1), text_at(*found, 0, 2) == "true"};
    if (place.schema.empty()) {
        return error(Code::unsafe,
                     "no schema of the search_path exists or may be used: create one "
                     "or set search_path");
    }
    return place;
}

/// The columns of a table or view in our schema, with commas; empty if there is none.
Result<std::string> columns_of(Connection& connection, std::string table) {
    for (char& c : table) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const std::string sql = fmt::format(
        "SELECT coalesce(string_agg(a.attname::text, ',' ORDER BY a.attnum), '')::text "
        "FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND "
        "NOT a.attisdropped WHERE c.relnamespace = current_schema()::regnamespace AND "
        "lower(c.relname) = {}",
        literal(connection, table));
    auto found = connection.query(sql.c_str());
    if (!found) return found.error();
    return text_at(*found, 0, 0);
}

Result<SchemaVersions> read_versions(Connection& connection) {
    auto rows = connection.query(
        "SELECT component::text, version::bigint::text "
        "FROM penstock_schema");
    if (!rows) return rows.error();
    SchemaVersions versions;
    for (int row = 0; row < PQntuples(rows->get()); ++row) {
        versions[text_at(*rows, row, 0)] =
            static_cast<std::uint32_t>(std::stoul(text_at(*rows, row, 1)));
    }
    return versions;
}

Result<void> execute(Connection& connection, const std::string& sql) {
    auto done = connection.query(sql.c_str());
    if (!done) return done.error();
    return {};
}

Result<void> apply(Connection& connection, const Migration& migration) {
    for (const std::string& sql : migration.statements) {
        if (const std::string table = created_table(sql); !table.empty()) {
            const auto present = columns_of(connection, table);
            if (!present) return present.error();
            if (!present->empty()) return foreign_table(table);
        }
        PENSTOCK_TRY(execute(connection, sql));
    }
    return execute(connection,
                   fmt::format("INSERT INTO penstock_schema (component, version) VALUES ({}, {}) "
                               "ON CONFLICT (component) DO UPDATE SET version = excluded.version",
                               literal(connection, migration.component), migration.version));
}

Result<void> migrate_inside(Connection& connection, std::span<const Migration> migrations) {
    const SchemaVersions known = last_versions(migrations);
    PENSTOCK_TRY(execute(connection, kLock));
    const auto place = find_place(connection);
    if (!place) return place.error();
    const auto columns = columns_of(connection, std::string(kSchemaTable));
    if (!columns) return columns.error();
    SchemaVersions versions;
    if (!columns->empty()) {
        if (*columns != kSchemaColumns) return foreign_table(kSchemaTable);
        auto read = read_versions(connection);
        if (!read) return read.error();
        versions = *std::move(read);
        PENSTOCK_TRY(check_not_newer(versions, known));
    }
    const auto missing = [&](const Migration& migration) {
        return migration.version > versions[migration.component];
    };
    if (std::none_of(migrations.begin(), migrations.end(), missing)) return {};
    if (!place->may_create) return no_right(*place);
    if (columns->empty()) {
        PENSTOCK_TRY(execute(connection,
                             "CREATE TABLE penstock_schema (component text NOT NULL PRIMARY KEY, "
                             "version bigint NOT NULL)"));
    }
    for (const Migration& migration : migrations) {
        if (missing(migration)) PENSTOCK_TRY(apply(connection, migration));
    }
    return {};
}

}  // namespace

Result<void> migrate(Connection& connection, std::span<const Migration> migrations) {
    PENSTOCK_TRY(execute(connection, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"));
    auto done = migrate_inside(connection, migrations);
    if (done) return execute(connection, "COMMIT");
    // What failed is what is told; the connection is closed next, and with it the transaction.
    return done;
}

}  // namespace penstock::postgres
