#pragma once

#include <sqlite3.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "penstock/base/env.h"
#include "penstock/base/result.h"
#include "penstock/store/sqlite/sqlite_store.h"

/// The C library behind types that close themselves. Internal to this folder.
namespace penstock::sqlite {

struct CloseDatabase {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
};
struct FinalizeStatement {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

/// The code for what SQLite said last on this connection; `lost` is filled in by the caller, who
/// knows which call it was.
Error error_of(sqlite3* database, int result, std::string_view what);

/// One open connection with our settings. Threads: one.
class Connection {
public:
    Connection(const SqliteOptions& options, Env& env, std::chrono::milliseconds busy);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Opens (again). Statements of an earlier opening must be gone.
    Result<void> open(Role role);
    void close() { database_.reset(); }

    sqlite3* get() const { return database_.get(); }
    bool is_open() const { return database_ != nullptr; }
    /// SQLite has a transaction open. It may end one by itself, after an error.
    bool in_transaction() const { return sqlite3_get_autocommit(database_.get()) == 0; }

    /// Waits for something that another connection does: a moment, as between two tries for a lock.
    void pause();

    Result<Statement> prepare(std::string_view sql);  ///< trusted text of ours
    /// Statements of ours without result, separated by `;`.
    Result<void> execute(const char* sql);
    /// The first column of the first row as text; empty without one.
    Result<std::string> query_text(std::string_view sql);

private:
    static int wait_for_lock(void* self, int count);
    Result<void> configure(Role role);

    const SqliteOptions& options_;
    Env& env_;
    const std::chrono::milliseconds busy_;
    const std::unique_ptr<Wake> wake_;  // nobody notifies it: sleeps between tries for a lock
    MonoTime give_up_{};
    std::unique_ptr<sqlite3, CloseDatabase> database_;
};

}  // namespace penstock::sqlite
