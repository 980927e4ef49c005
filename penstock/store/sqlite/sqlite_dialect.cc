#include "penstock/store/sqlite/sqlite_dialect.h"

#include <fmt/format.h>

#include "penstock/store/statement_text.h"

namespace penstock {

std::string_view SqliteDialect::type(std::string_view kind) const {
    if (kind == "id16" || kind == "blob") return "BLOB";
    if (kind == "int") return "INTEGER";
    if (kind == "real") return "REAL";
    PENSTOCK_CHECK(kind == "text" || kind == "key");
    return "TEXT";
}

std::string SqliteDialect::insert_or_nothing(std::string_view table, std::string_view columns,
                                             std::string_view key) const {
    return fmt::format("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT ({}) DO NOTHING", table,
                       columns, parameters_of(columns), key);
}

}  // namespace penstock
