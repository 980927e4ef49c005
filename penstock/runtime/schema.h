#pragma once

#include <memory>
#include <span>
#include <vector>

#include "penstock/core/handler.h"
#include "penstock/store/store.h"

namespace penstock {

/// The runtime's own tables, component "penstock".
std::vector<Migration> runtime_migrations(const Dialect& dialect);

/// Makes the tables of the runtime and of the apps where there are none; all of them are looked at
/// first, so that a foreign one of these names leaves the database as it is.
Result<void> prepare_tables(Store& store, std::span<const std::unique_ptr<App>> apps);

}  // namespace penstock
