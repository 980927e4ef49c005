#pragma once

#include <string>

#include "penstock/store/postgres/connection.h"

namespace penstock::postgres {

/// Sets the limits of a session that was just connected and checks the server it came to: an
/// owner's must keep what it commits. unsafe names the setting; read_only: a standby. Returns what
/// end_session() takes.
Result<std::string> configure(Connection& connection, Role role, const SessionLimits& limits);

}  // namespace penstock::postgres
