#pragma once

#include <span>

#include "penstock/store/sqlite/connection.h"

namespace penstock::sqlite {

/// Brings the tables of each component to its last migration, in one transaction.
/// The connection is open, and nobody else uses it.
Result<void> migrate(Connection& connection, std::span<const Migration> migrations);

}  // namespace penstock::sqlite
