#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "penstock/base/result.h"

namespace penstock::mariadb {

/// Where a database is, and who asks. Only place() may be shown: it has no password.
struct Endpoint {
    std::string user, password, host, database;
    std::uint16_t port = 3306;

    std::string place() const;  ///< host:port/database
};

/// mariadb://user:password@host:port/database; user and password percent-encoded where needed,
/// an IPv6 host in brackets. Errors (invalid) never repeat the text: it may hold a password.
Result<Endpoint> parse_url(std::string_view url);

}  // namespace penstock::mariadb
