#pragma once

#include <memory>
#include <string>

#include "penstock/base/env.h"
#include "penstock/store/sqlite/sqlite_dialect.h"
#include "penstock/store/store.h"

namespace penstock {

namespace sqlite {
class Checkpointer;
}

struct SqliteOptions {
    std::string path;
    std::string vfs;         ///< a registered VFS; empty: the system's
    bool read_only = false;  ///< must exist; reader sessions only, no schema, no checkpoints
    /// WAL pages (of 4 KiB) after which what they hold is copied to the database beside the
    /// commits.
    std::uint32_t checkpoint_pages = 1000;
    /// WAL pages after which the next commits start at its front again: waits for the writer's
    /// transaction in hand. The file is made that long when the store opens.
    std::uint32_t restart_pages = 4000;
    /// WAL pages after which the file is cut to nothing as soon as no reader holds it.
    std::uint32_t truncate_pages = 65'536;
    std::uint32_t owner_cache_kib = 32'768;
    std::uint32_t reader_cache_kib = 4'096;
    /// FULL. False only for a test that must fail: commits are then lost with the power.
    bool durable = true;
};

/// One SQLite file: WAL, synchronous=FULL, so a commit is durable when it returns; checkpoints
/// happen on a thread of their own ("sqlite-ckpt"), never on a commit.
/// No server watches idle transactions here: two processes never own one file (the data
/// directory's lock), so `idle_transaction` has nothing to guard and is not used.
/// Outlives its sessions. Threads: any.
class SqliteStore final : public Store {
public:
    /// damaged: not a database; read_only, no_space, io: the disk's; unsafe: names a setting of
    /// the file or of the SQLite library in use.
    static Result<std::unique_ptr<SqliteStore>> open(SqliteOptions options, Env& env);
    ~SqliteStore() override;

    const Dialect& dialect() const override { return dialect_; }
    Result<void> prepare_schema(std::span<const Migration> migrations) override;
    Result<std::unique_ptr<Session>> open(Role role, const SessionLimits& limits) override;
    std::uint32_t writers() const override { return 1; }

private:
    SqliteStore(SqliteOptions options, Env& env);

    const SqliteOptions options_;
    Env& env_;
    const SqliteDialect dialect_;
    std::unique_ptr<sqlite::Checkpointer> checkpointer_;
};

}  // namespace penstock
