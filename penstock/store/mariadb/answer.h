#pragma once

#include <mysql.h>

#include <string>
#include <vector>

#include "penstock/store/store.h"

namespace penstock::mariadb {

/// The columns of one answer, bound so that any cell can be read. Integers come as integers, also
/// what SUM makes of them (DECIMAL without a fraction that fits); other DECIMALs as real; dates and
/// times as their text; a blob is what has no character set.
class Answer {
public:
    /// `statement` was executed and has an answer.
    explicit Answer(MYSQL_STMT* statement);
    std::vector<std::string> names() const { return names_; }

    enum class Step { row, end, failed };
    Step fetch();
    /// A value of the row that was fetched; texts and blobs live until the next.
    Value value(std::size_t column) const;
    std::size_t columns() const { return cells_.size(); }

private:
    enum class Kind { integer, real, decimal, text, blob };
    struct Cell {
        Kind kind = Kind::text;
        bool is_unsigned = false;
        std::int64_t integer = 0;
        double real = 0;
        std::string buffer;
        unsigned long size = 0;
        my_bool null = 0;
        my_bool cut = 0;
    };

    void bind();
    bool widen();

    MYSQL_STMT* const statement_;
    std::vector<Cell> cells_;
    std::vector<MYSQL_BIND> binds_;
    std::vector<std::string> names_;
};

void add(Table& table, const Value& value);

}  // namespace penstock::mariadb
