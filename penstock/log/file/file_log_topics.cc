#include <fmt/format.h>

#include "penstock/log/file/bodies.h"
#include "penstock/log/file/file_log.h"
#include "penstock/log/file/tree.h"

// Topics: made, changed, removed, described, trimmed.
namespace penstock {

using logfile::Partition;
using logfile::TopicMeta;

namespace {

/// Partitions that `meta` does not have yet, empty.
void add_partitions(TopicMeta& meta, LogTime now, Random& random) {
    while (meta.partitions.size() < meta.spec.partitions) {
        meta.partitions.push_back({make_uuid_v7(now, random), Offset(0)});
    }
}

}  // namespace

Result<void> FileLog::check_running() {
    const MutexLock lock(mutex_);
    if (!stopping_) return {};
    return error(Code::stopped, "the log is stopping");
}

/// Everything below a name that no topic has, then one rename: there whole or not at all.
Result<void> FileLog::create(const TopicSpec& spec) {
    PENSTOCK_TRY(check_spec(spec));
    PENSTOCK_TRY(check_running());
    const MutexLock admin(admin_mutex_);
    if (find_topic(spec.topic)) {
        return error(Code::exists, fmt::format("topic {} exists", spec.topic.value()));
    }
    auto topic = std::make_shared<Topic>();
    topic->meta.spec = spec;
    const LogTime now = env_.clock.wall();
    add_partitions(topic->meta, now, env_.random);

    const std::string path =
        fmt::format("{}/{}{}", options_.directory, logfile::kNewPrefix, spec.topic.value());
    if (env_.files.exists(path)) PENSTOCK_TRY(logfile::remove_tree(env_.files, path));
    const auto build = [&]() -> Result<void> {
        PENSTOCK_TRY(env_.files.make_directory(path));
        for (std::uint32_t i = 0; i < spec.partitions; ++i) {
            PENSTOCK_TRY(
                logfile::make_partition(env_.files, env_.random, fmt::format("{}/{}", path, i),
                                        {spec.topic, PartitionId(i)}, topic->meta.partitions[i],
                                        options_.first_segment_bytes, now));
        }
        return logfile::save_topic_meta(env_.files, path, topic->meta);
    };
    if (auto built = build(); !built) {
        (void)logfile::remove_tree(env_.files, path).ok();  // or at the next start
        return built;
    }
    PENSTOCK_TRY(env_.files.rename(path, directory_of(spec.topic)));
    if (auto synced = env_.files.sync_directory(options_.directory); !synced) {
        return unknown_effect(synced.error().code, synced.error().text);
    }
    for (std::uint32_t i = 0; i < spec.partitions; ++i) {
        auto partition = open_partition({spec.topic, PartitionId(i)}, topic->meta, true);
        if (!partition) return std::move(partition).error();
        topic->partitions.push_back(std::move(*partition));
    }
    const MutexLock lock(mutex_);
    topics_[spec.topic] = std::move(topic);
    return {};
}

Result<void> FileLog::alter(const TopicSpec& spec) {
    PENSTOCK_TRY(check_spec(spec));
    PENSTOCK_TRY(check_running());
    const MutexLock admin(admin_mutex_);
    auto found = find_topic(spec.topic);
    if (!found) return std::move(found).error();
    Topic& topic = **found;
    const std::uint32_t before = topic.meta.spec.partitions;
    if (spec.partitions < before) {
        return error(Code::invalid,
                     fmt::format("topic {} has {} partitions; their number only grows",
                                 spec.topic.value(), before));
    }
    TopicMeta meta = topic.meta;
    meta.spec = spec;
    const LogTime now = env_.clock.wall();
    add_partitions(meta, now, env_.random);
    const std::string path = directory_of(spec.topic);
    for (std::uint32_t i = before; i < spec.partitions; ++i) {
        // What an alter left behind that did not get as far as topic.meta.
        const std::string directory = fmt::format("{}/{}", path, i);
        if (env_.files.exists(directory)) {
            PENSTOCK_TRY(logfile::remove_tree(env_.files, directory));
        }
        PENSTOCK_TRY(logfile::make_partition(env_.files, env_.random, directory,
                                             {spec.topic, PartitionId(i)}, meta.partitions[i],
                                             options_.first_segment_bytes, now));
    }
    PENSTOCK_TRY(logfile::save_topic_meta(env_.files, path, meta));
    std::vector<std::shared_ptr<Partition>> added;
    for (std::uint32_t i = before; i < spec.partitions; ++i) {
        auto partition = open_partition({spec.topic, PartitionId(i)}, meta, true);
        if (!partition) return std::move(partition).error();
        added.push_back(std::move(*partition));
    }
    const MutexLock lock(mutex_);
    topic.meta = std::move(meta);
    topic.partitions.insert(topic.partitions.end(), added.begin(), added.end());
    return {};
}

Result<void> FileLog::remove(const TopicId& id) {
    const MutexLock admin(admin_mutex_);
    auto found = find_topic(id);
    if (!found) return std::move(found).error();
    // Nobody writes below the name while it changes.
    const Error removed = error(Code::not_found, fmt::format("topic {} was removed", id.value()));
    for (const auto& partition : (*found)->partitions) partition->refuse(removed);
    wait_until_idle((*found)->partitions, kNever);
    const std::string gone = fmt::format("{}/{}{}", options_.directory, logfile::kRemovedPrefix,
                                         format_uuid(make_uuid_v7(env_.clock.wall(), env_.random)));
    PENSTOCK_TRY(env_.files.rename(directory_of(id), gone));
    for (const auto& partition : (*found)->partitions) partition->stop_removed(removed);
    {
        const MutexLock lock(mutex_);
        topics_.erase(id);
    }
    if (auto synced = env_.files.sync_directory(options_.directory); !synced) {
        return unknown_effect(synced.error().code, synced.error().text);
    }
    return logfile::remove_tree(env_.files, gone);
}

Result<std::vector<TopicInfo>> FileLog::describe(const std::optional<TopicId>& id) {
    std::vector<TopicInfo> infos;
    const MutexLock lock(mutex_);
    if (id && !topics_.contains(*id)) {
        return error(Code::not_found, fmt::format("there is no topic {}", id->value()));
    }
    for (const auto& [name, topic] : topics_) {
        if (id && name != *id) continue;
        TopicInfo info{topic->meta.spec, {}};
        for (const auto& partition : topic->partitions)
            info.partitions.push_back(partition->info());
        infos.push_back(std::move(info));
    }
    return infos;
}

/// The new start is durable before a segment goes: a start then finds what it says or more.
Result<Offset> FileLog::trim(const TopicPartition& at, Offset before, LogTime now) {
    const MutexLock admin(admin_mutex_);
    auto found = find_topic(at.topic);
    if (!found) return std::move(found).error();
    auto partition = find(at);
    if (!partition) return std::move(partition).error();
    Topic& topic = **found;
    const Offset start = (*partition)->start_after(topic.meta.spec, before, now);
    TopicMeta meta = topic.meta;
    Offset& kept = meta.partitions[at.partition.value()].start;
    if (start == kept) return start;
    kept = start;
    PENSTOCK_TRY(logfile::save_topic_meta(env_.files, directory_of(at.topic), meta));
    {
        const MutexLock lock(mutex_);
        topic.meta = std::move(meta);
    }
    PENSTOCK_TRY((*partition)->drop_below(start));
    return start;
}

}  // namespace penstock
