#include "penstock/log/file/file_log.h"

#include <fmt/format.h>

#include <algorithm>

#include "penstock/log/file/bodies.h"
#include "penstock/log/file/reader.h"
#include "penstock/log/file/tree.h"

namespace penstock {

using logfile::LogBodies;
using logfile::Partition;
using logfile::TopicMeta;

namespace {

constexpr std::size_t kPoolBytes = 16 * 1024 * 1024;
FileLogOptions checked(FileLogOptions options) {
    options.segment_bytes = logfile::round_to_sector(
        std::max<std::uint64_t>(options.segment_bytes, 2 * logfile::kSector));
    options.first_segment_bytes = logfile::round_to_sector(std::clamp<std::uint64_t>(
        options.first_segment_bytes, 2 * logfile::kSector, options.segment_bytes));
    options.max_batch_bytes = std::min(options.max_batch_bytes, logfile::kMaxBatchBytes);
    return options;
}

}  // namespace

Result<std::unique_ptr<FileLog>> FileLog::open(Env& env, const FileLogOptions& options) {
    // The constructor is private, so no make_unique.
    std::unique_ptr<FileLog> log(new FileLog(env, checked(options)));
    PENSTOCK_TRY(log->recover());
    return log;
}

FileLog::FileLog(Env& env, const FileLogOptions& options)
    : env_(env),
      options_(options),
      pool_(std::make_shared<logfile::BufferPool>(kPoolBytes)),
      bodies_(std::make_unique<LogBodies>(env, options_, [this] { return all_partitions(); })) {}

FileLog::~FileLog() {
    stop(env_.clock.mono());
    bodies_.reset();
}

std::string FileLog::directory_of(const TopicId& topic) const {
    return fmt::format("{}/{}", options_.directory, topic.value());
}

void FileLog::note(const std::string& text) {
    if (options_.observer) options_.observer->note(text);
}

Result<void> FileLog::recover() {
    PENSTOCK_TRY(env_.files.make_directory(options_.directory));
    auto names = env_.files.list(options_.directory);
    if (!names) return std::move(names).error();
    for (const std::string& name : *names) {
        const std::string path = fmt::format("{}/{}", options_.directory, name);
        if (name.starts_with(logfile::kNewPrefix) || name.starts_with(logfile::kRemovedPrefix)) {
            PENSTOCK_TRY(logfile::remove_tree(env_.files, path));
        } else if (check_topic_name(name) && env_.files.list(path)) {
            PENSTOCK_TRY(recover_topic(name));
        }
    }
    PENSTOCK_TRY(check_applied_topics());
    bodies_->start_scrub();
    return {};
}

Result<void> FileLog::recover_topic(const std::string& name) {
    const TopicId id(name);
    auto meta = logfile::load_topic_meta(env_.files, directory_of(id));
    if (!meta) {
        if (meta.error().code != Code::not_found) return std::move(meta).error();
        return error(Code::damaged,
                     fmt::format("{} has no topic.meta; restore it from a backup, or move the "
                                 "directory away if it is none of ours",
                                 directory_of(id)));
    }
    if (meta->spec.topic != id) {
        return error(Code::damaged, fmt::format("{}/topic.meta belongs to topic {}",
                                                directory_of(id), meta->spec.topic.value()));
    }
    auto topic = std::make_shared<Topic>();
    topic->meta = *meta;
    for (std::uint32_t i = 0; i < meta->partitions.size(); ++i) {
        auto partition = open_partition({id, PartitionId(i)}, *meta, false);
        if (!partition) return std::move(partition).error();
        topic->partitions.push_back(std::move(*partition));
    }
    const MutexLock lock(mutex_);
    topics_[id] = std::move(topic);
    return {};
}

Result<void> FileLog::check_applied_topics() {
    for (const auto& [at, applied] : options_.applied) {
        if (applied.next == Offset(0) || find(at)) continue;
        return error(
            Code::damaged,
            fmt::format("the store has applied {}/{} up to offset {}, but the log in {} has "
                        "no such partition. Restore the log that belongs to the store",
                        at.topic.value(), at.partition.value(), applied.next.value(),
                        options_.directory));
    }
    return {};
}

Result<std::shared_ptr<Partition>> FileLog::open_partition(const TopicPartition& at,
                                                           const TopicMeta& meta, bool fresh) {
    const std::string directory =
        fmt::format("{}/{}", directory_of(at.topic), at.partition.value());
    const TopicMeta::Partition& own = meta.partitions[at.partition.value()];
    std::optional<Applied> applied;
    const auto known = options_.applied.find(at);
    if (!fresh && known != options_.applied.end()) applied = known->second;
    auto recovered = logfile::recover_partition(env_.files, directory, at, own, applied);
    if (!recovered) return std::move(recovered).error();
    for (const std::string& text : recovered->notes) note(text);
    if (recovered->cut_bytes > 0 && options_.observer) {
        options_.observer->cut(at, recovered->cut_batches, recovered->cut_bytes);
    }
    return Partition::open(env_, options_, *bodies_, pool_, at, directory, own.uuid,
                           std::move(recovered->segments));
}

Result<std::shared_ptr<FileLog::Topic>> FileLog::find_topic(const TopicId& topic) {
    const MutexLock lock(mutex_);
    const auto found = topics_.find(topic);
    if (found != topics_.end()) return found->second;
    return error(Code::not_found, fmt::format("there is no topic {}", topic.value()));
}

Result<std::shared_ptr<Partition>> FileLog::find(const TopicPartition& at) {
    const MutexLock lock(mutex_);
    const auto found = topics_.find(at.topic);
    if (found == topics_.end()) {
        return error(Code::not_found, fmt::format("there is no topic {}", at.topic.value()));
    }
    const auto& partitions = found->second->partitions;
    if (at.partition.value() < partitions.size()) return partitions[at.partition.value()];
    return error(Code::not_found,
                 fmt::format("topic {} has {} partitions, no partition {}", at.topic.value(),
                             partitions.size(), at.partition.value()));
}

std::vector<std::shared_ptr<Partition>> FileLog::all_partitions() {
    const MutexLock lock(mutex_);
    std::vector<std::shared_ptr<Partition>> all;
    for (const auto& [id, topic] : topics_) {
        all.insert(all.end(), topic->partitions.begin(), topic->partitions.end());
    }
    return all;
}

void FileLog::append(const TopicPartition& at, std::span<const Record> records,
                     std::uint64_t first_tag, AppendSink& sink) {
    auto partition = find(at);
    if (partition) return (*partition)->append(records, first_tag, sink);
    std::vector<Appended> refused;
    for (std::size_t i = 0; i < records.size(); ++i) {
        refused.push_back({first_tag + i, partition.error()});
    }
    if (!refused.empty()) sink.appended(refused);
}

Result<std::unique_ptr<ReadBatch>> FileLog::read(const TopicPartition& at, Offset from,
                                                 const ReadLimits& limits) {
    auto partition = find(at);
    if (!partition) return std::move(partition).error();
    return logfile::FileReader(env_.files, std::move(*partition)).read(from, limits);
}

Result<Offset> FileLog::offset_at(const TopicPartition& at, LogTime time) {
    auto partition = find(at);
    if (!partition) return std::move(partition).error();
    return (*partition)->offset_at(time);
}

Result<std::unique_ptr<Subscription>> FileLog::subscribe(const GroupSpec& group) {
    auto follower = std::make_unique<Follower>(
        env_, bodies_->appended(),
        [this](const TopicPartition& at) -> Result<std::unique_ptr<PartitionReader>> {
            auto partition = find(at);
            if (!partition) return std::move(partition).error();
            return std::unique_ptr<PartitionReader>(
                std::make_unique<logfile::FileReader>(env_.files, std::move(*partition)));
        });
    for (const TopicPartition& at : group.manual) PENSTOCK_TRY(follower->assign(at));
    return std::unique_ptr<Subscription>(std::move(follower));
}

void FileLog::stop(MonoTime by) {
    const Error stopped = error(Code::stopped, "the log is stopping");
    {
        const MutexLock lock(mutex_);
        stopping_ = true;
    }
    const auto partitions = all_partitions();
    for (const auto& partition : partitions) partition->close(stopped);
    wait_until_idle(partitions, by);
    for (const auto& partition : partitions) {
        partition->abandon(unknown_effect(Code::stopped, "the log stopped before it knew"),
                           stopped);
    }
}

/// Until nothing of them waits or is being written, at most until `by`.
void FileLog::wait_until_idle(const std::vector<std::shared_ptr<Partition>>& partitions,
                              MonoTime by) {
    const auto idle = [&] {
        return std::all_of(partitions.begin(), partitions.end(),
                           [](const auto& partition) { return partition->idle(); });
    };
    const auto rested = env_.executor.make_wake();
    bodies_->rested().add(*rested);
    while (!idle() && env_.clock.mono() < by) rested->wait_until(by);
    bodies_->rested().remove(*rested);
}

}  // namespace penstock
