#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "penstock/base/env.h"
#include "penstock/base/guarded.h"
#include "penstock/log/log.h"

/// What adapters that keep the whole log in this process share to serve subscriptions.
namespace penstock {

/// The Wakes of everybody who waits for something to become durable. Threads: any.
class WakeSet {
public:
    void add(Wake& wake);
    void remove(Wake& wake);
    void notify() noexcept;

private:
    Mutex mutex_;
    std::vector<Wake*> wakes_ GUARDED_BY(mutex_);
};

struct OffsetRange {
    Offset start;
    Offset end;
};

/// Reads one partition forward. Threads: one.
class PartitionReader {
public:
    virtual ~PartitionReader() = default;
    /// What can be read now, or the error that stopped the partition.
    virtual Result<OffsetRange> range() = 0;
    /// As Log::read(); cheap where `from` continues the read before.
    virtual Result<std::unique_ptr<ReadBatch>> read(Offset from, const ReadLimits& limits) = 0;
};

/// A subscription over the readers of an adapter. The log outlives it.
/// Threads: its lane; wake() any.
class Follower final : public Subscription {
public:
    using OpenReader =
        std::function<Result<std::unique_ptr<PartitionReader>>(const TopicPartition&)>;

    /// `appended` is notified whenever a durable end moves or a partition stops.
    Follower(Env& env, WakeSet& appended, OpenReader open_reader);
    ~Follower() override;

    Result<Polled> poll(const ReadLimits& limits, MonoTime until) override;
    Result<void> start(const TopicPartition& at, Offset from) override;
    void pause(const TopicPartition& at, bool paused) override;
    Result<void> assign(const TopicPartition& at) override;
    void release(const TopicPartition& at) override;
    void report(const TopicPartition& at, Offset next) override;
    void wake() noexcept override;

private:
    struct Followed {
        std::unique_ptr<PartitionReader> reader;
        Offset next;
        bool started = false;
        bool paused = false;
    };

    Result<void> fill(const ReadLimits& limits);
    Result<bool> fill_from(const TopicPartition& at, Followed& followed, ReadLimits& left);

    Env& env_;
    WakeSet& appended_;
    const OpenReader open_reader_;
    const std::unique_ptr<Wake> wake_;
    std::atomic<bool> woken_ = false;

    std::map<TopicPartition, Followed> followed_;
    std::vector<TopicPartition> granted_;
    std::optional<TopicPartition> served_last_;  ///< the next poll begins behind it
    std::vector<std::unique_ptr<ReadBatch>> batches_;
    std::vector<Slice> slices_;
};

}  // namespace penstock
