#include "penstock/store/mariadb/parameters.h"

namespace penstock::mariadb {
namespace {

// The library takes pointers to changeable memory and does not change it.
template <class T>
void* changeable(const T* data) {
    return const_cast<void*>(static_cast<const void*>(data));  // NOLINT
}

/// Text or blob as it lies in memory; never null, also where it is empty.
std::string_view data_of(const Value& value) {
    std::string_view data;
    if (const auto* text = std::get_if<std::string_view>(&value)) data = *text;
    if (const auto* blob = std::get_if<Bytes>(&value)) data = as_text(*blob);
    return data.data() == nullptr ? std::string_view("") : data;
}

}  // namespace

std::size_t bytes_of(std::span<const Value> row) {
    constexpr std::size_t kEach = 9;  // a number, or the length of what follows
    std::size_t bytes = row.size() * kEach;
    for (const Value& value : row) bytes += data_of(value).size();
    return bytes;
}

Parameters::Column::Kind Parameters::kind_of(const Value& value) {
    switch (value.index()) {
        case 1:
            return Column::Kind::integer;
        case 2:
            return Column::Kind::real;
        case 3:
            return Column::Kind::text;
        case 4:
            return Column::Kind::blob;
        default:
            return Column::Kind::null;
    }
}

void Parameters::Column::clear() {
    kind = Kind::null;
    has_null = false;
    integers.clear();
    reals.clear();
    data.clear();
    sizes.clear();
    indicators.clear();
}

/// Every row has an entry in the vectors of its column's kind, nulls too; rows before the first
/// that is not null are filled in with it.
void Parameters::Column::add(const Value& value) {
    const std::size_t row = indicators.size();
    const bool null = std::holds_alternative<std::monostate>(value);
    indicators.push_back(null ? STMT_INDICATOR_NULL : STMT_INDICATOR_NONE);
    has_null = has_null || null;
    if (!null) kind = kind_of(value);
    if (kind == Kind::null) return;
    if (kind == Kind::integer) {
        integers.resize(row + 1);
        if (!null) integers[row] = std::get<std::int64_t>(value);
    } else if (kind == Kind::real) {
        reals.resize(row + 1);
        if (!null) reals[row] = std::get<double>(value);
    } else {
        const std::string_view bytes = data_of(value);
        data.resize(row + 1, bytes.data());
        sizes.resize(row + 1);
        data[row] = bytes.data();
        sizes[row] = bytes.size();
    }
}

MYSQL_BIND Parameters::Column::bind() {
    MYSQL_BIND bind{};
    if (has_null) bind.u.indicator = indicators.data();
    switch (kind) {
        case Kind::integer:
            bind.buffer_type = MYSQL_TYPE_LONGLONG;
            bind.buffer = integers.data();
            break;
        case Kind::real:
            bind.buffer_type = MYSQL_TYPE_DOUBLE;
            bind.buffer = reals.data();
            break;
        case Kind::null:  // a buffer has to be there, and is not read
            data.resize(indicators.size(), "");
            sizes.resize(indicators.size());
            [[fallthrough]];
        default:
            bind.buffer_type = kind == Kind::blob ? MYSQL_TYPE_BLOB : MYSQL_TYPE_STRING;
            bind.buffer = data.data();
            bind.length = sizes.data();
    }
    return bind;
}

MYSQL_BIND* Parameters::spread(std::span<const std::size_t> places) {
    binds_.resize(places.size());
    for (std::size_t i = 0; i < places.size(); ++i) binds_[i] = named_[places[i]];
    return binds_.data();
}

MYSQL_BIND* Parameters::bind_row(std::span<const Value> values,
                                 std::span<const std::size_t> places) {
    named_.assign(values.size(), MYSQL_BIND{});
    sizes_.assign(values.size(), 0);
    for (std::size_t i = 0; i < values.size(); ++i) {
        MYSQL_BIND& bind = named_[i];
        if (const auto* integer = std::get_if<std::int64_t>(&values[i])) {
            bind.buffer_type = MYSQL_TYPE_LONGLONG;
            bind.buffer = changeable(integer);
        } else if (const auto* real = std::get_if<double>(&values[i])) {
            bind.buffer_type = MYSQL_TYPE_DOUBLE;
            bind.buffer = changeable(real);
        } else if (std::holds_alternative<std::monostate>(values[i])) {
            bind.buffer_type = MYSQL_TYPE_NULL;
        } else {
            const std::string_view data = data_of(values[i]);
            sizes_[i] = data.size();
            bind.buffer_type =
                std::holds_alternative<Bytes>(values[i]) ? MYSQL_TYPE_BLOB : MYSQL_TYPE_STRING;
            bind.buffer = changeable(data.data());
            bind.buffer_length = data.size();
            bind.length = &sizes_[i];
        }
    }
    return spread(places);
}

bool Parameters::fits(std::span<const Value> row) const {
    for (std::size_t i = 0; i < row.size(); ++i) {
        const Column::Kind kind = kind_of(row[i]);
        if (kind != Column::Kind::null && columns_[i].kind != Column::Kind::null &&
            columns_[i].kind != kind) {
            return false;
        }
    }
    return true;
}

std::size_t Parameters::take_rows(std::span<const Value> rows, std::size_t width,
                                  std::size_t max_bytes) {
    if (columns_.size() < width) columns_.resize(width);
    for (std::size_t i = 0; i < width; ++i) columns_[i].clear();
    std::size_t bytes = 0;
    std::size_t taken = 0;
    while (taken < kMostRows && taken * width < rows.size()) {
        const auto row = rows.subspan(taken * width, width);
        bytes += bytes_of(row);
        if (taken != 0 && (bytes > max_bytes || !fits(row))) break;
        for (std::size_t i = 0; i < width; ++i) columns_[i].add(row[i]);
        ++taken;
    }
    named_.resize(width);
    for (std::size_t i = 0; i < width; ++i) named_[i] = columns_[i].bind();
    return taken;
}

MYSQL_BIND* Parameters::bind_rows(std::span<const std::size_t> places) {
    return spread(places);
}

}  // namespace penstock::mariadb
