#pragma once

#include <mysql.h>

#include <span>
#include <vector>

#include "penstock/store/store.h"

namespace penstock::mariadb {

/// Values as the library binds them; kept and used again from call to call. Borrows the texts and
/// blobs of the values that were given last. Threads: one.
class Parameters {
public:
    /// One row. `places`: for each ? the value's index.
    MYSQL_BIND* bind_row(std::span<const Value> values, std::span<const std::size_t> places);

    /// As many of the leading rows as go to the server in one trip: alike in type (null aside),
    /// `max_bytes` together and `kMostRows` at most, one at least. Returns how many.
    std::size_t take_rows(std::span<const Value> rows, std::size_t width, std::size_t max_bytes);
    /// What take_rows() took, column by column, for STMT_ATTR_ARRAY_SIZE.
    MYSQL_BIND* bind_rows(std::span<const std::size_t> places);

    static constexpr std::size_t kMostRows = 10'000;

private:
    struct Column {
        enum class Kind { null, integer, real, text, blob };
        Kind kind = Kind::null;
        bool has_null = false;
        std::vector<std::int64_t> integers;
        std::vector<double> reals;
        std::vector<const char*> data;
        std::vector<unsigned long> sizes;
        std::vector<char> indicators;

        void clear();
        void add(const Value& value);
        MYSQL_BIND bind();
    };

    static Column::Kind kind_of(const Value& value);
    bool fits(std::span<const Value> row) const;
    MYSQL_BIND* spread(std::span<const std::size_t> places);

    std::vector<Column> columns_;    // by name
    std::vector<MYSQL_BIND> named_;  // by name
    std::vector<MYSQL_BIND> binds_;  // by place
    std::vector<unsigned long> sizes_;
};

/// Bytes that the row takes in a packet, at least.
std::size_t bytes_of(std::span<const Value> row);

}  // namespace penstock::mariadb
