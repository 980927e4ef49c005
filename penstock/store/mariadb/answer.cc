#include "penstock/store/mariadb/answer.h"

#include <charconv>
#include <cstdlib>
#include <limits>
#include <memory>

#include "penstock/store/mariadb/connection.h"

namespace penstock::mariadb {
namespace {

constexpr unsigned kNoCharacterSet = 63;
constexpr std::size_t kFirstBuffer = 256;

}  // namespace

Answer::Answer(MYSQL_STMT* statement) : statement_(statement) {
    const std::unique_ptr<MYSQL_RES, FreeResult> result(mysql_stmt_result_metadata(statement));
    PENSTOCK_CHECK(result != nullptr);
    const unsigned count = mysql_num_fields(result.get());
    const MYSQL_FIELD* const fields = mysql_fetch_fields(result.get());
    cells_.resize(count);
    for (unsigned i = 0; i < count; ++i) {
        names_.emplace_back(fields[i].name, fields[i].name_length);
        Cell& cell = cells_[i];
        cell.is_unsigned = (fields[i].flags & UNSIGNED_FLAG) != 0;
        switch (fields[i].type) {
            case MYSQL_TYPE_TINY:
            case MYSQL_TYPE_SHORT:
            case MYSQL_TYPE_INT24:
            case MYSQL_TYPE_LONG:
            case MYSQL_TYPE_LONGLONG:
            case MYSQL_TYPE_YEAR:
                cell.kind = Kind::integer;
                break;
            case MYSQL_TYPE_FLOAT:
            case MYSQL_TYPE_DOUBLE:
                cell.kind = Kind::real;
                break;
            case MYSQL_TYPE_DECIMAL:
            case MYSQL_TYPE_NEWDECIMAL:
                cell.kind = Kind::decimal;
                break;
            case MYSQL_TYPE_DATE:
            case MYSQL_TYPE_TIME:
            case MYSQL_TYPE_DATETIME:
            case MYSQL_TYPE_TIMESTAMP:
                cell.kind = Kind::text;
                break;
            default:
                cell.kind = fields[i].charsetnr == kNoCharacterSet ? Kind::blob : Kind::text;
        }
    }
    bind();
}

void Answer::bind() {
    binds_.assign(cells_.size(), MYSQL_BIND{});
    for (std::size_t i = 0; i < cells_.size(); ++i) {
        Cell& cell = cells_[i];
        MYSQL_BIND& bind = binds_[i];
        bind.is_null = &cell.null;
        bind.length = &cell.size;
        bind.error = &cell.cut;
        if (cell.kind == Kind::integer) {
            bind.buffer_type = MYSQL_TYPE_LONGLONG;
            bind.is_unsigned = cell.is_unsigned;
            bind.buffer = &cell.integer;
        } else if (cell.kind == Kind::real) {
            bind.buffer_type = MYSQL_TYPE_DOUBLE;
            bind.buffer = &cell.real;
        } else {
            if (cell.buffer.empty()) cell.buffer.resize(kFirstBuffer);
            bind.buffer_type = cell.kind == Kind::blob ? MYSQL_TYPE_BLOB : MYSQL_TYPE_STRING;
            bind.buffer = cell.buffer.data();
            bind.buffer_length = cell.buffer.size();
        }
    }
    mysql_stmt_bind_result(statement_, binds_.data());
}

Answer::Step Answer::fetch() {
    switch (mysql_stmt_fetch(statement_)) {
        case 0:
        case MYSQL_DATA_TRUNCATED:
            return widen() ? Step::row : Step::failed;
        case MYSQL_NO_DATA:
            return Step::end;
        default:
            return Step::failed;
    }
}

/// Buffers that were too small for this row grow, and their cells are read again.
bool Answer::widen() {
    bool grown = false;
    for (std::size_t i = 0; i < cells_.size(); ++i) {
        Cell& cell = cells_[i];
        if (cell.kind == Kind::integer || cell.kind == Kind::real || cell.null != 0 ||
            cell.size <= cell.buffer.size()) {
            continue;
        }
        cell.buffer.resize(cell.size * 2);
        binds_[i].buffer = cell.buffer.data();
        binds_[i].buffer_length = cell.buffer.size();
        const auto column = static_cast<unsigned>(i);
        if (mysql_stmt_fetch_column(statement_, &binds_[i], column, 0) != 0) return false;
        grown = true;
    }
    if (grown) mysql_stmt_bind_result(statement_, binds_.data());
    return true;
}

Value Answer::value(std::size_t column) const {
    const Cell& cell = cells_[column];
    if (cell.null != 0) return std::monostate{};
    const std::string_view data = std::string_view(cell.buffer).substr(0, cell.size);
    switch (cell.kind) {
        case Kind::integer:
            // Above the range of our integers only.
            if (cell.is_unsigned && cell.integer < 0) {
                return static_cast<double>(static_cast<std::uint64_t>(cell.integer));
            }
            return cell.integer;
        case Kind::real:
            return cell.real;
        case Kind::decimal: {
            std::int64_t whole = 0;
            const char* const end = data.data() + data.size();
            const auto read = std::from_chars(data.data(), end, whole);
            if (read.ec == std::errc() && read.ptr == end) return whole;
            return std::strtod(std::string(data).c_str(), nullptr);
        }
        case Kind::blob:
            return as_bytes(data);
        default:
            return data;
    }
}

void add(Table& table, const Value& value) {
    struct Visitor {
        Table& table;
        void operator()(std::monostate) const { table.add_null(); }
        void operator()(std::int64_t v) const { table.add(v); }
        void operator()(double v) const { table.add(v); }
        void operator()(std::string_view v) const { table.add_text(v); }
        void operator()(Bytes v) const { table.add_blob(v); }
    };
    std::visit(Visitor{table}, value);
}

}  // namespace penstock::mariadb
