#include "penstock/store/sqlite/checkpointer.h"

#include <algorithm>

namespace penstock::sqlite {

// Restarting the WAL waits for the writer's transaction in hand, not for readers that stay.
constexpr std::chrono::milliseconds kWaitForWriter{20};
constexpr int kMostPasses = 8;
constexpr int kFewPages = 24;
// https://www.sqlite.org/fileformat2.html#the_write_ahead_log
constexpr sqlite3_int64 kWalHeaderBytes = 32;
constexpr sqlite3_int64 kWalFrameBytes = 24 + 4096;

Checkpointer::Checkpointer(const SqliteOptions& options, Env& env)
    : options_(options),
      env_(env),
      wake_(env.executor.make_wake()),
      connection_(options, env, kWaitForWriter) {}

Result<void> Checkpointer::start() {
    PENSTOCK_TRY(connection_.open(Role::owner));
    lengthen_wal();
    task_ = env_.executor.spawn("sqlite-ckpt", [this] { work(); });
    return {};
}

/// Zeros, written and synced, up to where the WAL starts again: a commit that writes over them is
/// one trip to the device, one that makes the file longer is two. SQLite takes no zeros for frames.
/// Where that cannot be done (the disk is full, somebody writes) the file stays as it is.
void Checkpointer::lengthen_wal() {
    if (!connection_.execute("BEGIN IMMEDIATE")) return;  // nobody appends meanwhile
    sqlite3_file* wal = nullptr;
    sqlite3_file_control(connection_.get(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
    const std::uint32_t pages = options_.restart_pages + options_.checkpoint_pages;
    const sqlite3_int64 wanted = kWalHeaderBytes + pages * kWalFrameBytes;
    sqlite3_int64 size = 0;
    if (wal != nullptr && wal->pMethods != nullptr &&
        wal->pMethods->xFileSize(wal, &size) == SQLITE_OK && size < wanted) {
        static constexpr char kZeros[64 * 1024] = {};
        int result = SQLITE_OK;
        for (sqlite3_int64 at = size; at < wanted && result == SQLITE_OK; at += sizeof kZeros) {
            const auto piece = std::min<sqlite3_int64>(wanted - at, sizeof kZeros);
            result = wal->pMethods->xWrite(wal, kZeros, static_cast<int>(piece), at);
        }
        if (result == SQLITE_OK) result = wal->pMethods->xSync(wal, SQLITE_SYNC_NORMAL);
        if (result != SQLITE_OK) wal->pMethods->xTruncate(wal, size);
    }
    (void)connection_.execute("COMMIT");
}

Checkpointer::~Checkpointer() {
    stopping_ = true;
    wake_->notify();
}

void Checkpointer::committed(std::uint32_t wal_pages) noexcept {
    const std::uint32_t before = wal_pages_.exchange(wal_pages, std::memory_order_relaxed);
    // Crossing a multiple of the limit, or a WAL that began anew: one wake per checkpoint, not one
    // per commit.
    if (wal_pages / options_.checkpoint_pages != before / options_.checkpoint_pages) {
        wake_->notify();
    }
}

void Checkpointer::work() {
    while (!stopping_) {
        wake_->wait_until(kNever);
        const std::uint32_t pages = wal_pages_.load(std::memory_order_relaxed);
        if (!stopping_ && pages >= options_.checkpoint_pages) checkpoint(pages);
    }
}

void Checkpointer::checkpoint(std::uint32_t wal_pages) {
    int in_wal = 0;
    int copied = 0;
    const auto run = [&](int mode) {
        return sqlite3_wal_checkpoint_v2(connection_.get(), nullptr, mode, &in_wal, &copied) ==
               SQLITE_OK;
    };
    if (!run(SQLITE_CHECKPOINT_PASSIVE) || wal_pages < options_.restart_pages) return;
    // Beside the writer, each pass what came during the one before, until little is left: for the
    // last pass commits wait.
    for (int i = 1; i < kMostPasses && in_wal - copied > kFewPages; ++i) {
        if (!run(SQLITE_CHECKPOINT_PASSIVE)) return;
    }
    restarting_ = true;
    run(wal_pages >= options_.truncate_pages ? SQLITE_CHECKPOINT_TRUNCATE
                                             : SQLITE_CHECKPOINT_RESTART);
    restarting_ = false;
}

}  // namespace penstock::sqlite
