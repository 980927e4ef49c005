#pragma once

#include <vector>

#include "penstock/store/store.h"

namespace penstock {

/// The runtime's own tables, component "penstock".
std::vector<Migration> runtime_migrations(const Dialect& dialect);

}  // namespace penstock
