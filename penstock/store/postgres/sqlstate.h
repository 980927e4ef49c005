#pragma once

#include <libpq-fe.h>

#include <string_view>

#include "penstock/base/result.h"

namespace penstock::postgres {

/// What an error of the server means (PostgreSQL's documentation, appendix A). `lost` is the least
/// that it takes; without a savepoint every error takes the transaction.
Error error_of(const PGresult* failed, std::string_view what);

/// By the five characters. `ends_session`: its severity is FATAL or PANIC.
Error classify(std::string_view sqlstate, bool ends_session);

bool ends_session(const PGresult* failed);

/// libpq's words without the line breaks.
std::string one_line(std::string_view message);

}  // namespace penstock::postgres
