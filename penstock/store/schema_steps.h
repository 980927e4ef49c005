#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "penstock/store/store.h"

/// What prepare_schema() is made of on every engine. Values, no I/O.
namespace penstock {

/// By component.
using SchemaVersions = std::map<std::string, std::uint32_t>;

/// The table that says which migrations were run, and its columns in order.
inline constexpr std::string_view kSchemaTable = "penstock_schema";
inline constexpr std::string_view kSchemaColumns = "component,version";

/// The name in "CREATE TABLE name (…": empty for any other statement.
std::string created_table(std::string_view sql);

/// A table of our name that we did not make.
Error foreign_table(std::string_view table);

/// The last version of each component. Versions of one stand in order, without a gap: a bug of ours
/// otherwise.
SchemaVersions last_versions(std::span<const Migration> migrations);

/// too_new if the tables are newer than the program.
Result<void> check_not_newer(const SchemaVersions& present, const SchemaVersions& known);

}  // namespace penstock
