#pragma once

#include <span>

#include "penstock/store/mariadb/connection.h"

namespace penstock::mariadb {

/// Brings the tables of each component to its last migration. Every statement of DDL commits by
/// itself, so a row of penstock_schema says, before it is run, which one it is: `step` of the
/// migration to version + 1, counted from 1; those before it are done. One that was begun and may
/// be done is told by its own trace, a table by our mark in its comment. Statements that write rows
/// commit together with their step. The connection is open, and nobody else uses it.
Result<void> migrate(Connection& connection, const Endpoint& endpoint,
                     std::span<const Migration> migrations);

}  // namespace penstock::mariadb
