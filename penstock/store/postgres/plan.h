#pragma once

#include <optional>
#include <string>
#include <vector>

#include "penstock/store/postgres/connection.h"
#include "penstock/store/statement_text.h"

namespace penstock::postgres {

/// A statement of the port on the server: for one row of values, and, where the engine can take
/// many rows as one statement, with an array for each parameter.
/// Each place of a parameter in the text is a parameter of the server's: one name may stand where
/// two types are wanted.
class Plan {
public:
    /// Prepares on the server as `name`; two trips. `may_fail`: no transaction is open on the
    /// server, so a form for many rows that it does not take costs nothing.
    static Result<Plan> make(Connection& connection, const std::string& name, std::string_view sql,
                             bool may_fail);
    /// The same on a new connection.
    Result<void> make_again(Connection& connection);

    const std::string& sql() const { return sql_; }
    std::size_t width() const { return text_.names().size(); }
    bool takes_many() const { return many_; }

    /// Lists values for one row.
    Result<void> ask_one(Connection& connection, std::span<const Value> row,
                         Parameters& parameters) const;
    /// All rows in one statement: only if takes_many().
    Result<void> ask_many(Connection& connection, std::span<const Value> rows,
                          Parameters& parameters) const;

private:
    Plan() = default;
    Result<void> prepare(Connection& connection, bool may_fail);
    Result<void> learn_types(const PGresult* description);
    std::optional<std::string> many_rows_text() const;
    std::optional<std::string> many_rows_insert(const std::string& source) const;
    std::optional<std::string> many_rows_select(const std::string& source) const;
    std::string unnest() const;
    Error at_parameter(Error failure, std::size_t place) const;

    std::string name_, sql_;
    StatementText text_;
    std::vector<Oid> types_;  // of the places
    bool many_ = false;
};

}  // namespace penstock::postgres
