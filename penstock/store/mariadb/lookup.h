#pragma once

#include <optional>
#include <string>
#include <vector>

#include "penstock/store/statement_text.h"

namespace penstock::mariadb {

/// SELECT columns FROM table WHERE key = :a AND other = :b AND part = 0 [FOR UPDATE]: what may be
/// asked for many rows of parameters at once, with (key, other) IN ((…), (…)). The server has no
/// array binding for SELECT, and a trip for each row costs twenty times as much.
struct Lookup {
    std::string columns;            ///< "SELECT a, b"
    std::string from;               ///< "FROM t WHERE part = 0 AND "
    std::vector<std::string> keys;  ///< in the order of the parameters
    std::string tail;               ///< " FOR UPDATE" or empty

    /// For `rows` rows of parameters; the keys stand behind the columns.
    std::string sql(std::size_t rows) const;
};

/// None: another form, to be run row by row.
std::optional<Lookup> lookup_of(const StatementText& text);

}  // namespace penstock::mariadb
