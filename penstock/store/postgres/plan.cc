#include "penstock/store/postgres/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "penstock/store/postgres/sqlstate.h"

namespace penstock::postgres {
namespace {

constexpr SqlSyntax kSyntax{.dollar_quotes = true, .nested_comments = true};
// The server takes up to 1 GiB in one message.
constexpr std::size_t kMostParameterBytes = 256 * 1024 * 1024;
constexpr std::size_t kMostParameters = 65'535;

std::string dollar(std::size_t place) {
    return fmt::format("${}", place + 1);
}

std::string column(std::size_t place) {
    return fmt::format("u.p{}", place);
}

Result<void> check_size(const Parameters& parameters) {
    if (parameters.bytes() <= kMostParameterBytes) return {};
    return error(Code::too_large, fmt::format("{} bytes of parameters in one statement: at most {}",
                                              parameters.bytes(), kMostParameterBytes));
}

}  // namespace

Result<Plan> Plan::make(Connection& connection, const std::string& name, std::string_view sql,
                        bool may_fail) {
    Plan plan;
    plan.name_ = name;
    plan.sql_ = sql;
    auto text = StatementText::parse(sql, kSyntax);
    if (!text) return text.error();
    plan.text_ = *std::move(text);
    if (plan.text_.places().size() > kMostParameters) {
        return error(Code::too_large,
                     fmt::format("over {} parameters in {}", kMostParameters, sql));
    }
    PENSTOCK_TRY(plan.prepare(connection, may_fail));
    return plan;
}

Result<void> Plan::make_again(Connection& connection) {
    return prepare(connection, true);
}

Result<void> Plan::prepare(Connection& connection, bool may_fail) {
    many_ = false;
    connection.ask_to_prepare(name_, text_.rewritten(text_.all(), dollar), {});
    connection.ask_to_describe(name_);
    PENSTOCK_TRY(connection.trip());
    for (const Answer& answer : connection.answers()) {
        if (!succeeded(answer)) return error_of(answer.get(), sql_);
    }
    PENSTOCK_TRY(learn_types(connection.answers()[1].get()));
    const auto many = may_fail ? many_rows_text() : std::nullopt;
    if (!many) return {};
    std::vector<Oid> arrays;
    for (const Oid type : types_) arrays.push_back(array_of(type));
    connection.ask_to_prepare(name_ + "_many", *many, arrays);
    PENSTOCK_TRY(connection.trip());
    many_ = succeeded(connection.answers().front());
    return {};
}

Result<void> Plan::learn_types(const PGresult* description) {
    types_.clear();
    for (int i = 0; i < PQnparams(description); ++i) {
        types_.push_back(PQparamtype(description, i));
    }
    PENSTOCK_CHECK(types_.size() == text_.places().size());
    for (int i = 0; i < PQnfields(description); ++i) {
        if (is_readable(PQftype(description, i))) continue;
        return error(Code::invalid,
                     fmt::format("column {} of '{}' has a type that is not read (number {}): cast "
                                 "it to text, bigint or double precision",
                                 PQfname(description, i), sql_, PQftype(description, i)));
    }
    return {};
}

/// What runs as one statement and does the same as one after the other. Nothing else is rewritten:
/// a row that must see what the one before it did has to come after it.
std::optional<std::string> Plan::many_rows_text() const {
    if (types_.empty()) return std::nullopt;
    const bool known =
        std::all_of(types_.begin(), types_.end(), [](Oid type) { return array_of(type) != 0; });
    if (!known) return std::nullopt;
    const std::string source = unnest();
    return text_.verb() == "INSERT" ? many_rows_insert(source) : many_rows_select(source);
}

std::string Plan::unnest() const {
    std::string arrays, columns;
    for (std::size_t place = 0; place < types_.size(); ++place) {
        arrays += fmt::format("{}${}", place == 0 ? "" : ", ", place + 1);
        columns += fmt::format("p{}, ", place);
    }
    return fmt::format("unnest({}) WITH ORDINALITY AS u({}row_number)", arrays, columns);
}

std::optional<std::string> Plan::many_rows_insert(const std::string& source) const {
    const auto parts = text_.one_row_insert();
    if (!parts) return std::nullopt;
    // A row that is updated twice in one statement is an error, and a SELECT would see no other
    // row.
    if (text_.has_word(parts->tail, "UPDATE") || text_.has_word(parts->row, "SELECT") ||
        text_.has_word(parts->row, "DEFAULT")) {
        return std::nullopt;
    }
    return fmt::format("{}SELECT {} FROM {} ORDER BY u.row_number {}", text_.text(parts->head),
                       text_.rewritten(parts->row, column), source, text_.text(parts->tail));
}

/// OFFSET 0 keeps the planner from joining: each row is looked up on its own, in order.
std::optional<std::string> Plan::many_rows_select(const std::string& source) const {
    if (text_.verb() != "SELECT" || text_.writes() || text_.has_word(text_.all(), "FOR")) {
        return std::nullopt;
    }
    return fmt::format(
        "SELECT q.* FROM {} CROSS JOIN LATERAL (SELECT * FROM ({}) AS s OFFSET 0) "
        "AS q ORDER BY u.row_number",
        source, text_.rewritten(text_.all(), column));
}

Result<void> Plan::ask_one(Connection& connection, std::span<const Value> row,
                           Parameters& parameters) const {
    parameters.clear();
    for (std::size_t place = 0; place < types_.size(); ++place) {
        auto added = parameters.add(types_[place], row[text_.places()[place]]);
        if (!added) return at_parameter(added.error(), place);
    }
    PENSTOCK_TRY(check_size(parameters));
    connection.ask(name_, parameters);
    return {};
}

Result<void> Plan::ask_many(Connection& connection, std::span<const Value> rows,
                            Parameters& parameters) const {
    parameters.clear();
    for (std::size_t place = 0; place < types_.size(); ++place) {
        auto added = parameters.add_array(types_[place], rows, width(), text_.places()[place]);
        if (!added) return at_parameter(added.error(), place);
    }
    PENSTOCK_TRY(check_size(parameters));
    connection.ask(name_ + "_many", parameters);
    return {};
}

Error Plan::at_parameter(Error failure, std::size_t place) const {
    failure.text = fmt::format("parameter :{} of '{}': {}", text_.names()[text_.places()[place]],
                               sql_, failure.text);
    return failure;
}

}  // namespace penstock::postgres
