#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "penstock/store/mariadb/answer.h"
#include "penstock/store/mariadb/connection.h"
#include "penstock/store/mariadb/lookup.h"
#include "penstock/store/mariadb/parameters.h"
#include "penstock/store/statement_text.h"

namespace penstock::mariadb {

/// A Session on one connection. run() makes a trip for each call: the library has no pipeline.
/// run_many() of a writing statement is one trip for up to Parameters::kMostRows rows (array
/// binding), of a Lookup one for kWidest; other statements make a trip for each row. Threads: one.
class MariadbSession final : public Session {
public:
    MariadbSession(const MariadbOptions& options, const Endpoint& endpoint, Env& env, Role role,
                   const SessionLimits& limits);
    Result<void> open();

    Result<StatementId> prepare(std::string_view sql) override;
    Result<void> begin() override;
    std::size_t run(std::span<const Call> calls, std::span<Result<Rows>> out) override;
    Result<Rows> run_many(StatementId id, std::span<const Value> rows) override;
    Result<void> savepoint() override;
    Result<void> rollback_to_savepoint() override;
    Result<void> commit() override;
    void rollback() noexcept override;
    Result<void> reconnect() override;
    std::string server_id() const override { return name_; }

private:
    /// How `matched` is read from what the server says.
    enum class Count : std::uint8_t {
        affected,  ///< rows found or written
        rows,      ///< an upsert counts two where it changes a row
        new_rows,  ///< insert-or-nothing
    };
    struct Prepared {
        StatementText text;
        Count count = Count::affected;
        bool whole = true;  ///< the server may take many rows in one trip
        std::optional<Lookup> lookup;
        Statement statement;
        std::map<std::size_t, Statement> lookups;  ///< by how many rows they ask for
    };

    Result<void> compile(Prepared& prepared);
    Error closed() const;
    Error not_in_transaction() const;
    Error failed(Error failure);
    Result<void> still_inside();

    Result<void> run_row(Prepared& prepared, std::span<const Value> values, Rows& into);
    Result<void> run_rows(Prepared& prepared, std::span<const Value> rows, Rows& into);
    Result<std::size_t> run_piece(Prepared& prepared, std::span<const Value> rows, Rows& into);
    Result<void> execute(MYSQL_STMT* statement, MYSQL_BIND* binds, std::size_t rows);
    Result<void> read_answer(MYSQL_STMT* statement, Table& table);
    std::uint64_t matched(const Prepared& prepared, MYSQL_STMT* statement, std::size_t rows) const;

    Result<bool> look_up(Prepared& prepared, std::span<const Value> rows, Rows& into);
    Result<bool> look_up_piece(Prepared& prepared, std::span<const Value> rows, Table& into);
    Result<MYSQL_STMT*> lookup_statement(Prepared& prepared, std::size_t rows);

    Env& env_;
    const Role role_;
    Connection connection_;
    std::string name_;     // of an owner's connection of now
    bool open_ = false;    // between begin() and commit() or rollback()
    bool broken_ = false;  // an error took the transaction
    bool savepoint_ = false;
    std::vector<Prepared> prepared_;  // by StatementId; go before the connection
    std::map<std::string, StatementId, std::less<>> ids_;
    Parameters parameters_;
    std::vector<Value> padded_;
};

}  // namespace penstock::mariadb
