#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "penstock/base/env.h"
#include "penstock/base/guarded.h"
#include "penstock/log/follower.h"
#include "penstock/log/log.h"

/// The line without a disk: for unit tests, simulation, and programs that want no durability.
namespace penstock {

class MemoryLogState;

/// What survives a MemoryLog. Threads: any.
class MemoryLogDisk {
public:
    MemoryLogDisk();
    ~MemoryLogDisk();
    MemoryLogDisk(const MemoryLogDisk&) = delete;
    MemoryLogDisk& operator=(const MemoryLogDisk&) = delete;

    /// The power fails: what is durable stays, the log in use makes nothing durable any more and
    /// answers what it has in hand as unknown. A new MemoryLog sees what was durable.
    void crash();

private:
    friend class MemoryLog;
    const std::unique_ptr<MemoryLogState> state_;
};

struct MemoryLogOptions {
    std::size_t max_pending_records = 1 << 20;         ///< per partition
    std::size_t max_pending_bytes = 64 * 1024 * 1024;  ///< per partition
    std::size_t max_batch_records = 1 << 16;           ///< made durable at once
    std::size_t segment_records = 1024;                ///< unit of trim()
    std::chrono::nanoseconds sync_time{0};             ///< how long a batch takes
};

/// Threads: any. A body of its own makes appends durable, so that there is a gap in between.
class MemoryLog final : public Log {
public:
    /// With a disk of its own.
    explicit MemoryLog(Env& env, const MemoryLogOptions& options = {});
    /// `disk` outlives the log; one log at a time, unless crash() came between.
    MemoryLog(Env& env, MemoryLogDisk& disk, const MemoryLogOptions& options = {});
    ~MemoryLog() override;

    Result<void> create(const TopicSpec& spec) override;
    Result<void> alter(const TopicSpec& spec) override;
    Result<void> remove(const TopicId& topic) override;
    Result<std::vector<TopicInfo>> describe(const std::optional<TopicId>& topic) override;
    void append(const TopicPartition& at, std::span<const Record> records, std::uint64_t first_tag,
                AppendSink& sink) override;
    Result<std::unique_ptr<ReadBatch>> read(const TopicPartition& at, Offset from,
                                            const ReadLimits& limits) override;
    Result<Offset> offset_at(const TopicPartition& at, LogTime time) override;
    Result<std::unique_ptr<Subscription>> subscribe(const GroupSpec& group) override;
    Result<Offset> trim(const TopicPartition& at, Offset before, LogTime now) override;
    void stop(MonoTime by) override;

private:
    struct Pending;
    struct Queue;

    void run();
    bool write_round();
    bool sync();
    void answer(const Pending& batch, const Result<Offset>& base);
    void answer_all(std::vector<Pending> batches, const Error& why);
    bool idle();

    Env& env_;
    const MemoryLogOptions options_;
    const std::unique_ptr<MemoryLogDisk> own_disk_;
    MemoryLogState& state_;
    const std::uint64_t life_;  ///< the disk takes writes of its latest life only
    WakeSet appended_;
    WakeSet drained_;
    const std::unique_ptr<Wake> wake_;
    const std::unique_ptr<Wake> sync_wake_;  ///< ends a sync that takes its time

    Mutex mutex_;
    std::map<TopicPartition, Queue> queues_ GUARDED_BY(mutex_);
    bool stopping_ GUARDED_BY(mutex_) = false;
    bool closing_ GUARDED_BY(mutex_) = false;

    std::unique_ptr<Task> task_;
};

}  // namespace penstock
