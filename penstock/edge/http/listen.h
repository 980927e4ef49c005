#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "penstock/base/result.h"

namespace penstock::http {

struct ListenAddress {
    std::string host;  ///< 127.0.0.1 or ::1
    std::uint16_t port = 0;
};

/// `host:port`. invalid: not of that form. unsafe: reachable from beyond this host.
Result<ListenAddress> parse_listen(std::string_view text);

}  // namespace penstock::http
