#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "penstock/log/file/partition.h"

namespace penstock::logfile {

/// The bodies that work for all partitions of a log: one writes batches, one makes segments ahead
/// of use, one reads closed segments again. Threads: any.
class LogBodies final : public PartitionHost {
public:
    using Partitions = std::function<std::vector<std::shared_ptr<Partition>>()>;

    /// `partitions`: all there are now, for the scrub.
    LogBodies(Env& env, const FileLogOptions& options, Partitions partitions);
    /// Joins them; partitions stay blocked and nothing more is written.
    ~LogBodies() override;

    /// If the options ask for it; when all partitions are there.
    void start_scrub();

    void ready(const std::shared_ptr<Partition>& partition) override;
    void want_spare(const std::shared_ptr<Partition>& partition, std::uint64_t bytes) override;
    void durable_end_moved() override { appended_.notify(); }
    void fatal(const TopicPartition& at, const Error& why) override;

    WakeSet& appended() { return appended_; }
    /// Notified whenever the writer has nothing to do, or a partition is blocked.
    WakeSet& rested() { return rested_; }

private:
    struct Wanted {
        std::shared_ptr<Partition> partition;
        std::uint64_t bytes;
    };

    void write();
    void prepare();
    void scrub();
    Result<void> scrub_segment(Partition& partition, const Segment& segment);
    void pause_scrub(std::uint64_t bytes);

    Env& env_;
    const FileLogOptions& options_;
    const Partitions partitions_;
    WakeSet appended_;
    WakeSet rested_;
    std::atomic<bool> closing_ = false;

    const std::unique_ptr<Wake> write_wake_;
    const std::unique_ptr<Wake> prepare_wake_;
    const std::unique_ptr<Wake> scrub_wake_;
    // Shared: a removed topic's partitions leave the table before they leave these queues.
    Guarded<std::vector<std::shared_ptr<Partition>>> ready_;
    Guarded<std::vector<Wanted>> wanted_;

    std::vector<std::unique_ptr<Task>> tasks_;
};

}  // namespace penstock::logfile
