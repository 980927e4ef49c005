#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "penstock/base/bytes.h"
#include "penstock/base/result.h"
#include "penstock/base/strong_id.h"
#include "penstock/base/time.h"

/// Where effects land: the user's own database.
namespace penstock {

using StatementId = StrongId<std::uint32_t, struct StatementTag>;

/// A borrowed SQL value: null, integer, real, text (UTF-8) or blob. Text with a zero byte is stored
/// whole or refused (invalid), as the engine can.
using Value = std::variant<std::monostate, std::int64_t, double, std::string_view, Bytes>;

/// One row's values in the order of the names' first appearance in the statement's text.
struct Call {
    StatementId statement;
    std::span<const Value> parameters;
};

/// Rows of a result, owned. Cells are read by row and column; text and blobs are borrowed from it.
class Table {
public:
    std::size_t rows() const { return columns_ == 0 ? 0 : cells_.size() / columns_; }
    std::size_t columns() const { return columns_; }
    bool is_null(std::size_t row, std::size_t column) const;
    std::int64_t integer(std::size_t row, std::size_t column) const;  ///< 0 if null
    double real(std::size_t row, std::size_t column) const;           ///< 0 if null
    std::string_view text(std::size_t row,
                          std::size_t column) const;  ///< text or blob; empty if null
    Bytes blob(std::size_t row, std::size_t column) const { return as_bytes(text(row, column)); }
    const std::vector<std::string>& names() const { return names_; }
    Value value(std::size_t row, std::size_t column) const;

    // For adapters: names first, then the cells row by row.
    void set_names(std::vector<std::string> names);
    void add_null() { cells_.emplace_back(); }
    void add(std::int64_t value) { cells_.emplace_back(value); }
    void add(double value) { cells_.emplace_back(value); }
    void add_text(std::string_view value);
    void add_blob(Bytes value);

private:
    struct Slot {
        std::size_t at, size;
        bool blob;
    };
    using Cell = std::variant<std::monostate, std::int64_t, double, Slot>;
    const Cell& cell(std::size_t row, std::size_t column) const;

    std::size_t columns_ = 0;
    std::vector<std::string> names_;
    std::vector<Cell> cells_;
    std::string heap_;
};

struct Rows {
    std::uint64_t matched =
        0;  ///< rows matched by the condition, on every engine (not changed ones)
    Table table;
};

struct SessionLimits {
    std::chrono::milliseconds idle_transaction{2000};  ///< the server ends a session idle so long
    std::chrono::milliseconds busy{5000};              ///< wait for a lock at most so long
};

enum class Role : std::uint8_t {
    owner,   ///< writes, durable commits
    reader,  ///< begin() gives one snapshot; writes are refused
};

/// One connection. Threads: one; blocks. READ COMMITTED or stricter. Exactly one open transaction
/// between begin() and commit()/rollback(); run() outside one is a bug of ours.
/// Every error says in `lost` how much it took: the statement (go on; where a savepoint stands,
/// roll back to it first), the transaction (roll back, run again), the session (reconnect).
class Session {
public:
    virtual ~Session() = default;
    /// `sql` with :name parameters, one statement. Refuses (invalid) DDL, transaction and session
    /// statements. Lives as long as the session, through reconnect(). The same text: the same id.
    virtual Result<StatementId> prepare(std::string_view sql) = 0;
    virtual Result<void> begin() = 0;
    /// In order, in one trip; stops after a failure. Returns how many were run (the failed one
    /// included); their results stand in `out`.
    virtual std::size_t run(std::span<const Call>, std::span<Result<Rows>> out) = 0;
    /// One statement for many rows, each of the statement's width, in row order; `matched` is the
    /// sum, `table` holds the rows of all. An error says nothing about which row; what other rows
    /// did is undone with the transaction (or savepoint).
    virtual Result<Rows> run_many(StatementId, std::span<const Value> rows) = 0;
    virtual Result<void> savepoint() = 0;  ///< one level
    virtual Result<void> rollback_to_savepoint() = 0;
    /// Error effect none: not done. unknown: read back under a lock before anything else.
    virtual Result<void> commit() = 0;
    virtual void rollback() noexcept = 0;
    virtual Result<void> reconnect() = 0;  ///< after Lost::session
    /// Names the connection of now to Store::end_session() of any process; empty if there is no
    /// server.
    virtual std::string server_id() const { return {}; }
};

/// run() of a single call.
Result<Rows> run_one(Session& session, StatementId statement, std::span<const Value> parameters);

/// What body() says, in a transaction of its own that is rolled back: for what only reads.
template <class Body>
auto read_in_transaction(Session& session, Body&& body) -> std::invoke_result_t<Body> {
    PENSTOCK_TRY(session.begin());
    auto read = body();
    session.rollback();
    return read;
}

/// What differs between engines in the text of statements. Values, no I/O.
class Dialect {
public:
    virtual ~Dialect() = default;
    virtual std::string_view name() const = 0;  ///< "sqlite", "postgres", "mariadb"
    /// Column types: "id16" (16 bytes), "int", "text", "key" (text that can be a primary key),
    /// "blob", "real".
    virtual std::string_view type(std::string_view kind) const = 0;
    /// Appended to a SELECT that must lock its row; empty where the transaction already does.
    virtual std::string_view for_update() const = 0;
    /// INSERT of `columns` as :column, doing nothing where `key` (comma list) exists already.
    virtual std::string insert_or_nothing(std::string_view table, std::string_view columns,
                                          std::string_view key) const = 0;
    /// Expression: the engine's clock at this statement, in ms since the Unix epoch. Leases hang on
    /// it.
    virtual std::string_view now_ms() const = 0;
    /// Appended to CREATE TABLE of a table that is only reached by its primary key.
    virtual std::string_view clustered() const = 0;
};

/// One step of a schema: statements that take a component's tables from version - 1 to version.
struct Migration {
    std::string component;  ///< "penstock", "sale"
    std::uint32_t version;  ///< 1, 2, …
    std::vector<std::string> statements;
};

/// Threads: any.
class Store {
public:
    virtual ~Store() = default;
    /// Server and library with their versions, for people; empty: nothing runs beside this process.
    virtual std::string about() const { return {}; }
    virtual const Dialect& dialect() const = 0;
    /// Runs the migrations that are missing, all in one transaction where the engine can, and
    /// checks the engine's settings. too_new if the schema is newer than these; unsafe names the
    /// setting; constraint if foreign tables have our names.
    virtual Result<void> prepare_schema(std::span<const Migration>) = 0;
    virtual Result<std::unique_ptr<Session>> open(Role, const SessionLimits&) = 0;
    /// How many owner sessions write side by side without standing in each other's way.
    virtual std::uint32_t writers() const = 0;
    /// Ends the connection that had this server_id(), so that what a stopped owner holds open does
    /// not block its successor. Ok if it is gone already; its locks go soon after, not before.
    virtual Result<void> end_session(std::string_view server_id) {
        (void)server_id;
        return {};
    }
};

}  // namespace penstock
