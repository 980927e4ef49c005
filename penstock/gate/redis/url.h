#pragma once

#include <string>

#include "penstock/base/url.h"

namespace penstock {

/// Where a Redis is and as whom to speak to it.
struct RedisUrl {
    Url at;
    int database = 0;

    /// host:port/database, for messages: without user and password.
    std::string shown() const;
};

/// redis://[[user]:password@]host[:port][/database], an IPv6 host in brackets. Else invalid; the
/// text of the error shows nothing of a password.
Result<RedisUrl> parse_redis_url(std::string_view url);

}  // namespace penstock
