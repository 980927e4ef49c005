// The part of a session that asks for many rows of parameters in one trip.
#include <algorithm>
#include <array>

#include "penstock/store/mariadb/mariadb_session.h"

namespace penstock::mariadb {
namespace {

// Statements of a few widths are kept; a piece is filled up with its last row.
constexpr std::array<std::size_t, 4> kWidths = {4, 32, 128, 512};
constexpr std::size_t kWidest = kWidths.back();

/// A value as bytes that are equal only for equal values. None where MariaDB may find another
/// value equal to it, or nothing.
std::optional<std::string> key_of(const Value& value) {
    if (const auto* integer = std::get_if<std::int64_t>(&value)) {
        return "i" + std::to_string(*integer) + ";";
    }
    std::string_view data;
    if (const auto* text = std::get_if<std::string_view>(&value)) {
        if (text->ends_with(' ')) return std::nullopt;  // a column may be padded
        data = *text;
    } else if (const auto* blob = std::get_if<Bytes>(&value)) {
        data = as_text(*blob);
    } else {
        return std::nullopt;
    }
    return std::to_string(data.size()) + ":" + std::string(data);
}

std::optional<std::string> key_of(std::span<const Value> row) {
    std::string key;
    for (const Value& value : row) {
        auto part = key_of(value);
        if (!part) return std::nullopt;
        key += *part;
    }
    return key;
}

/// Rows found, with the key that each was found by.
struct Found {
    Table table;
    std::vector<std::pair<std::string, std::size_t>> by_key;
    bool exact = true;  ///< every row has a key

    void sort() {
        std::stable_sort(by_key.begin(), by_key.end(),
                         [](const auto& a, const auto& b) { return a.first < b.first; });
    }
    std::span<const std::pair<std::string, std::size_t>> of(const std::string& key) const {
        const auto below = [](const auto& entry, const std::string& k) { return entry.first < k; };
        const auto begin = std::lower_bound(by_key.begin(), by_key.end(), key, below);
        auto end = begin;
        while (end != by_key.end() && end->first == key) ++end;
        return {begin, end};
    }
};

Found found_of(Table table, std::size_t keys) {
    Found found;
    const std::size_t columns = table.columns() - keys;
    for (std::size_t row = 0; row < table.rows(); ++row) {
        std::string all;
        for (std::size_t i = 0; i < keys; ++i) {
            const auto part = key_of(table.value(row, columns + i));
            if (!part) found.exact = false;
            all += part.value_or("");
        }
        found.by_key.emplace_back(std::move(all), row);
    }
    found.sort();
    found.table = std::move(table);
    return found;
}

bool last_columns_are_binary(MYSQL_STMT* statement, std::size_t columns) {
    const std::unique_ptr<MYSQL_RES, FreeResult> result(mysql_stmt_result_metadata(statement));
    PENSTOCK_CHECK(result != nullptr);
    const MYSQL_FIELD* const fields = mysql_fetch_fields(result.get());
    const std::size_t count = mysql_num_fields(result.get());
    return std::all_of(fields + count - columns, fields + count, [](const MYSQL_FIELD& field) {
        return (field.flags & (BINARY_FLAG | NUM_FLAG)) != 0;
    });
}

}  // namespace

/// False: not to be had in this way, run it row by row.
Result<bool> MariadbSession::look_up(Prepared& prepared, std::span<const Value> rows, Rows& into) {
    const std::size_t width = prepared.text.names().size();
    const std::size_t room = std::min<std::size_t>(1 << 20, connection_.max_packet() / 2);
    while (!rows.empty()) {
        std::size_t count = 0;
        std::size_t bytes = 0;
        while (count < kWidest && count * width < rows.size()) {
            bytes += bytes_of(rows.subspan(count * width, width));
            if (count != 0 && bytes > room) break;
            ++count;
        }
        if (bytes > room) return false;
        auto found = look_up_piece(prepared, rows.first(count * width), into.table);
        if (!found || !*found) return found;
        rows = rows.subspan(count * width);
    }
    return true;
}

Result<bool> MariadbSession::look_up_piece(Prepared& prepared, std::span<const Value> rows,
                                           Table& into) {
    const std::size_t width = prepared.text.names().size();
    const std::size_t count = rows.size() / width;
    std::vector<std::string> wanted;
    for (std::size_t row = 0; row < count; ++row) {
        auto key = key_of(rows.subspan(row * width, width));
        if (!key) return false;
        wanted.push_back(*std::move(key));
    }
    const std::size_t wide = *std::lower_bound(kWidths.begin(), kWidths.end(), count);
    padded_.assign(rows.begin(), rows.end());
    const std::vector<Value> last(rows.end() - static_cast<std::ptrdiff_t>(width), rows.end());
    while (padded_.size() < wide * width) padded_.insert(padded_.end(), last.begin(), last.end());
    const auto statement = lookup_statement(prepared, wide);
    if (!statement) return statement.error();
    if (*statement == nullptr) return false;
    std::vector<std::size_t> places(padded_.size());
    for (std::size_t i = 0; i < places.size(); ++i) places[i] = i;
    PENSTOCK_TRY(execute(*statement, parameters_.bind_row(padded_, places), 0));
    Table table;
    PENSTOCK_TRY(read_answer(*statement, table));
    PENSTOCK_TRY(still_inside());
    const Found found = found_of(std::move(table), width);
    std::vector<bool> given(found.table.rows());
    const std::size_t columns = found.table.columns() - width;
    if (into.columns() == 0) {
        const auto& names = found.table.names();
        into.set_names({names.begin(), names.end() - static_cast<std::ptrdiff_t>(width)});
    }
    for (const std::string& key : wanted) {
        for (const auto& [same, row] : found.of(key)) {
            given[row] = true;
            for (std::size_t i = 0; i < columns; ++i) add(into, found.table.value(row, i));
        }
    }
    // A row that answers no key byte for byte: a column compares in a way of its own.
    return found.exact && std::find(given.begin(), given.end(), false) == given.end();
}

/// Null: a key column does not compare byte for byte, so rows cannot be told apart here.
Result<MYSQL_STMT*> MariadbSession::lookup_statement(Prepared& prepared, std::size_t rows) {
    Statement& statement = prepared.lookups[rows];
    if (statement) return statement.get();
    auto made = connection_.prepare(prepared.lookup->sql(rows));
    if (!made) return failed(std::move(made).error());
    if (!last_columns_are_binary(made->get(), prepared.lookup->keys.size())) {
        prepared.lookup.reset();
        return nullptr;
    }
    statement = *std::move(made);
    return statement.get();
}

}  // namespace penstock::mariadb
