#include "penstock/store/sqlite/sqlite_dialect.h"

#include <fmt/format.h>

namespace penstock {
namespace {

/// "a, b" becomes ":a, :b".
std::string parameters_of(std::string_view columns) {
    std::string all;
    while (!columns.empty()) {
        const auto comma = std::min(columns.find(','), columns.size());
        std::string_view name = columns.substr(0, comma);
        columns.remove_prefix(std::min(comma + 1, columns.size()));
        while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
        while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
        all += all.empty() ? ":" : ", :";
        all += name;
    }
    return all;
}

}  // namespace

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
