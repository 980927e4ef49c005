#pragma once

#include <string>

#include "penstock/base/result.h"

namespace penstock {

/// Where a Redis is and as whom to speak to it.
struct RedisUrl {
    std::string host;
    int port = 6379;
    int database = 0;
    std::string user, password;  ///< percent-decoded; empty: none

    /// host:port/database, for messages: without user and password.
    std::string shown() const;
};

/// redis://[[user]:password@]host[:port][/database], an IPv6 host in brackets. Else invalid; the
/// text of the error shows nothing of a password.
Result<RedisUrl> parse_redis_url(std::string_view url);

}  // namespace penstock
