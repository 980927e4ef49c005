#include "penstock/store/postgres/postgres_dialect.h"

#include <fmt/format.h>

#include "penstock/store/statement_text.h"

namespace penstock {

std::string_view PostgresDialect::type(std::string_view kind) const {
    if (kind == "id16") return "uuid";
    if (kind == "blob") return "bytea";
    if (kind == "int") return "bigint";
    if (kind == "real") return "double precision";
    if (kind == "text") return "text";
    PENSTOCK_CHECK(kind == "key");
    // Bytes decide its order, as they do above the port; a library's new collation cannot break the
    // index.
    return "text COLLATE \"C\"";
}

std::string PostgresDialect::insert_or_nothing(std::string_view table, std::string_view columns,
                                               std::string_view key) const {
    return fmt::format("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT ({}) DO NOTHING", table,
                       columns, parameters_of(columns), key);
}

}  // namespace penstock
