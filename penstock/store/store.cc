#include "penstock/store/store.h"

namespace penstock {

const Table::Cell& Table::cell(std::size_t row, std::size_t column) const {
    PENSTOCK_CHECK(column < columns_ && row < rows());
    return cells_[row * columns_ + column];
}

bool Table::is_null(std::size_t row, std::size_t column) const {
    return std::holds_alternative<std::monostate>(cell(row, column));
}

std::int64_t Table::integer(std::size_t row, std::size_t column) const {
    const auto* value = std::get_if<std::int64_t>(&cell(row, column));
    return value == nullptr ? 0 : *value;
}

double Table::real(std::size_t row, std::size_t column) const {
    const Cell& found = cell(row, column);
    if (const auto* value = std::get_if<double>(&found)) return *value;
    return static_cast<double>(integer(row, column));
}

std::string_view Table::text(std::size_t row, std::size_t column) const {
    const auto* slot = std::get_if<Slot>(&cell(row, column));
    if (slot == nullptr) return {};
    return std::string_view(heap_).substr(slot->at, slot->size);
}

Value Table::value(std::size_t row, std::size_t column) const {
    const Cell& found = cell(row, column);
    if (const auto* integer = std::get_if<std::int64_t>(&found)) return *integer;
    if (const auto* real = std::get_if<double>(&found)) return *real;
    if (const auto* slot = std::get_if<Slot>(&found)) {
        if (slot->blob) return blob(row, column);
        return text(row, column);
    }
    return std::monostate{};
}

void Table::set_names(std::vector<std::string> names) {
    columns_ = names.size();
    names_ = std::move(names);
}

void Table::add_text(std::string_view value) {
    cells_.emplace_back(Slot{heap_.size(), value.size(), false});
    heap_.append(value);
}

void Table::add_blob(Bytes value) {
    cells_.emplace_back(Slot{heap_.size(), value.size(), true});
    heap_.append(as_text(value));
}

Result<Rows> run_one(Session& session, StatementId statement, std::span<const Value> parameters) {
    const Call call{statement, parameters};
    Result<Rows> rows{Rows{}};
    session.run({&call, 1}, {&rows, 1});
    return rows;
}

}  // namespace penstock
