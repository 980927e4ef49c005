#pragma once

#include <map>
#include <string>
#include <vector>

#include "penstock/store/sqlite/checkpointer.h"
#include "penstock/store/sqlite/connection.h"

namespace penstock::sqlite {

/// A Session on one connection. Threads: one.
class SqliteSession final : public Session {
public:
    SqliteSession(const SqliteOptions& options, Env& env, Role role, const SessionLimits& limits,
                  Checkpointer* checkpointer);
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

private:
    struct Prepared {
        std::string sql;
        Statement statement;
        Statement wide;  ///< an INSERT for kWideRows rows at once; null: there is no such form
        int width = 0;   ///< values of one row
        bool writes = false;
    };

    static int authorize(void* self, int action, const char*, const char*, const char*,
                         const char*);
    static int after_commit(void* self, sqlite3*, const char*, int wal_pages);

    Result<Prepared> compile(std::string_view sql);
    void compile_wide(Prepared& prepared);
    Result<void> check_tail(const char* tail, const char* end);
    Result<void> prepare_own();
    void let_checkpoint_pass();
    Error failed(int result, std::string_view what);
    Error not_in_transaction() const;
    Result<void> step_own(const Statement& statement, std::string_view what);
    /// Binds the values, one place each, and runs it.
    Result<void> run_once(const Prepared& prepared, const Statement& statement,
                          std::span<const Value> values, Rows& into);

    const Role role_;
    Checkpointer* const checkpointer_;  // null: read-only store
    Connection connection_;
    bool checking_ = false;  // prepare() of a caller's text is running: the authorizer decides
    bool open_ = false;      // between begin() and commit() or rollback()
    bool savepoint_ = false;
    std::vector<Prepared> prepared_;  // by StatementId
    std::map<std::string, StatementId, std::less<>> ids_;
    Statement begin_, snapshot_, commit_, rollback_, savepoint_sql_, rollback_to_, release_;
};

}  // namespace penstock::sqlite
