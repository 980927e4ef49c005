#include "penstock/store/sqlite/checkpointer.h"

namespace penstock::sqlite {

// Restarting the WAL waits for the writer's transaction in hand, not for readers that stay.
constexpr std::chrono::milliseconds kWaitForWriter{20};

Checkpointer::Checkpointer(const SqliteOptions& options, Env& env)
    : options_(options),
      env_(env),
      wake_(env.executor.make_wake()),
      connection_(options, env, kWaitForWriter) {}

Result<void> Checkpointer::start() {
    PENSTOCK_TRY(connection_.open(Role::owner));
    task_ = env_.executor.spawn("sqlite-ckpt", [this] { work(); });
    return {};
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
    // The long part first, beside the writer; what the second call has left to do is short.
    const int result = sqlite3_wal_checkpoint_v2(connection_.get(), nullptr,
                                                 SQLITE_CHECKPOINT_PASSIVE, &in_wal, &copied);
    if (result != SQLITE_OK || wal_pages < options_.restart_pages) return;
    const int mode = wal_pages >= options_.truncate_pages ? SQLITE_CHECKPOINT_TRUNCATE
                                                          : SQLITE_CHECKPOINT_RESTART;
    restarting_ = true;
    sqlite3_wal_checkpoint_v2(connection_.get(), nullptr, mode, &in_wal, &copied);
    restarting_ = false;
}

}  // namespace penstock::sqlite
