#pragma once

#include <string>
#include <string_view>

#include "penstock/base/url.h"

namespace penstock::mariadb {

/// Where a database is, and who asks. Only place() may be shown: it has no password.
struct Endpoint {
    Url at;
    std::string database;

    std::string place() const;  ///< host:port/database
};

/// mariadb://user:password@host:port/database; user and password percent-encoded where needed,
/// an IPv6 host in brackets. Else invalid; the text of the error shows nothing of a password.
Result<Endpoint> parse_endpoint(std::string_view url);

}  // namespace penstock::mariadb
