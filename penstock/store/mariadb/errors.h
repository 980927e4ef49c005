#pragma once

#include <string_view>

#include "penstock/base/result.h"

namespace penstock::mariadb {

/// What the server or the client library said.
struct Said {
    unsigned number = 0;        ///< of the server (1000-1999, 3000-4999) or the library
    std::string_view sqlstate;  ///< five characters
    std::string_view text;
};

/// The connection is of no more use: lost, or about to be closed by the server.
bool ends_connection(unsigned number);
/// The account lacks a right.
bool is_denied(unsigned number);

/// Code and Lost for what was said about a statement; the effect is none. InnoDB rolls the whole
/// transaction back for a deadlock and a few more, and leaves no trace of it in the server's
/// status, so the number must tell. `timeout_takes_all`: the server's innodb_rollback_on_timeout.
Error statement_error(const Said& said, std::string_view what, bool timeout_takes_all);

}  // namespace penstock::mariadb
