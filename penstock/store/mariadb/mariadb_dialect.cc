#include "penstock/store/mariadb/mariadb_dialect.h"

#include <fmt/format.h>

#include "penstock/store/statement_text.h"

namespace penstock {

std::string_view MariadbDialect::type(std::string_view kind) const {
    if (kind == "id16") return "BINARY(16)";
    if (kind == "int") return "BIGINT";
    if (kind == "real") return "DOUBLE";
    if (kind == "blob") return "LONGBLOB";
    if (kind == "key") return "VARBINARY(512)";
    PENSTOCK_CHECK(kind == "text");
    return "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin";
}

std::string MariadbDialect::insert_or_nothing(std::string_view table, std::string_view columns,
                                              std::string_view key) const {
    const std::string_view first = key.substr(0, std::min(key.find_first_of(", "), key.size()));
    return fmt::format("INSERT INTO {} ({}) VALUES ({}) ON DUPLICATE KEY UPDATE {} = {}", table,
                       columns, parameters_of(columns), first, first);
}

}  // namespace penstock
