#pragma once

#include <atomic>
#include <memory>

#include "penstock/store/sqlite/connection.h"

namespace penstock::sqlite {

/// Copies the WAL into the database beside the commits, on a thread and connection of its own.
/// Makes its file long at the start, so that commits need not.
/// A failed checkpoint loses nothing (the WAL stays) and is tried again after the next commit.
/// Threads: committed() from any; the rest from the store's owner.
class Checkpointer {
public:
    Checkpointer(const SqliteOptions& options, Env& env);
    ~Checkpointer();
    Result<void> start();

    /// After a commit: so many pages stand in the WAL now.
    void committed(std::uint32_t wal_pages) noexcept;
    /// The WAL is about to start at its front again: a writer that begins now should wait a little,
    /// or under load the gap between two of its transactions would never be met.
    bool is_restarting() const { return restarting_.load(std::memory_order_relaxed); }

private:
    void lengthen_wal();
    void work();
    void checkpoint(std::uint32_t wal_pages);

    const SqliteOptions& options_;
    Env& env_;
    const std::unique_ptr<Wake> wake_;
    std::atomic<std::uint32_t> wal_pages_{0};
    std::atomic<bool> stopping_{false};
    std::atomic<bool> restarting_{false};
    Connection connection_;       // the body's, once it runs
    std::unique_ptr<Task> task_;  // last: joined before the rest goes
};

}  // namespace penstock::sqlite
