#pragma once

#include <span>

#include "penstock/store/postgres/connection.h"

namespace penstock::postgres {

/// Brings the tables of each component to its last migration, in one transaction; processes that
/// start at the same time do it one after the other. unsafe: the rights that are missing.
Result<void> migrate(Connection& connection, std::span<const Migration> migrations);

}  // namespace penstock::postgres
