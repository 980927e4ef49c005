#pragma once

#include <map>
#include <memory>
#include <vector>

#include "penstock/base/env.h"
#include "penstock/base/guarded.h"
#include "penstock/log/file/options.h"
#include "penstock/log/file/topic_meta.h"
#include "penstock/log/log.h"

/// The line on this machine's disk. Bytes: docs/formats.md. Durable means: fdatasync returned for
/// the batch, and before that for its segment's name.
namespace penstock {

namespace logfile {
class BufferPool;
class LogBodies;
class Partition;
}  // namespace logfile

/// Threads: any. Three bodies of its own: writer, preparer of segments, scrub (if asked for).
class FileLog final : public Log {
public:
    /// Checks every batch, mends torn tails. damaged (65): text says where and what to do; too_new
    /// (78); io, no_space, read_only. The directory is locked by the caller, before.
    static Result<std::unique_ptr<FileLog>> open(Env& env, const FileLogOptions& options);
    ~FileLog() override;

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
    /// `meta` is changed under admin_mutex_ only, `partitions` under mutex_ too.
    struct Topic {
        logfile::TopicMeta meta;
        std::vector<std::shared_ptr<logfile::Partition>> partitions;
    };

    FileLog(Env& env, const FileLogOptions& options);
    Result<void> recover();
    Result<void> recover_topic(const std::string& name);
    Result<void> check_applied_topics();
    Result<std::shared_ptr<logfile::Partition>> open_partition(const TopicPartition& at,
                                                               const logfile::TopicMeta& meta,
                                                               bool fresh);
    Result<std::shared_ptr<logfile::Partition>> find(const TopicPartition& at);
    Result<std::shared_ptr<Topic>> find_topic(const TopicId& topic);
    std::vector<std::shared_ptr<logfile::Partition>> all_partitions();
    Result<void> check_running();
    void wait_until_idle(const std::vector<std::shared_ptr<logfile::Partition>>& partitions,
                         MonoTime by);
    std::string directory_of(const TopicId& topic) const;
    void note(const std::string& text);

    Env& env_;
    const FileLogOptions options_;
    // Shared with the batches that readers hold beyond the log's end.
    const std::shared_ptr<logfile::BufferPool> pool_;
    /// Serialises create, alter, remove and trim, which write files.
    Mutex admin_mutex_;
    Mutex mutex_;
    std::map<TopicId, std::shared_ptr<Topic>> topics_ GUARDED_BY(mutex_);
    bool stopping_ GUARDED_BY(mutex_) = false;
    /// Last: they use all of the above as long as they live.
    std::unique_ptr<logfile::LogBodies> bodies_;
};

}  // namespace penstock
