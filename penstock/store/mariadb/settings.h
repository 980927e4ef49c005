#pragma once

#include "penstock/store/mariadb/connection.h"

namespace penstock::mariadb {

/// unsafe, with the setting's name: a commit that was answered could be lost with the power.
Result<void> check_settings(Connection& connection);

}  // namespace penstock::mariadb
