#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "penstock/base/env.h"
#include "penstock/log/log.h"

/// Looking at a log's directory from outside: no lock, nothing changed. Of a log that is running
/// the last batch may look torn: it is being written.
namespace penstock {

struct SegmentReport {
    std::string path;
    Uuid uuid;
    Offset base;
    Offset end;  ///< behind the last good record
    std::uint64_t batches = 0;
    std::uint64_t file_bytes = 0;
    std::uint64_t used_bytes = 0;  ///< header and good batches
    std::uint64_t torn_bytes = 0;  ///< a start would cut them
    std::optional<Error> damage;   ///< a start would be refused
};

struct PartitionReport {
    TopicPartition at;
    Uuid uuid;
    Offset start;  ///< as topic.meta says
    Offset end;    ///< behind the last record before any damage
    std::vector<SegmentReport> segments;
    std::optional<Error> damage;  ///< the first of its segments, or between them
};

struct TopicReport {
    TopicId topic;
    std::optional<TopicSpec> spec;
    std::vector<PartitionReport> partitions;
    std::optional<Error> damage;  ///< of topic.meta: its partitions cannot be judged
};

struct LogReport {
    std::vector<TopicReport> topics;
    /// True: a start would not be refused for what is on this disk.
    bool sound() const;
};

struct BatchReport {
    std::uint64_t position = 0;
    std::uint64_t bytes = 0;
    Offset base;
    std::uint32_t records = 0;
    LogTime time{};
};

/// Threads: one.
class LogInspector {
public:
    LogInspector(Env& env, std::string directory) : env_(env), directory_(std::move(directory)) {}

    /// not_found, io.
    Result<LogReport> inspect();
    /// The good batches of a segment, up to the damage if there is any.
    Result<void> batches(const SegmentReport& segment,
                         const std::function<void(const BatchReport&)>& visit);
    /// Makes `into` (which must not exist) a log of all that stands before the damage in each
    /// partition. Dry: only says what it would keep. exists, io, no_space.
    Result<LogReport> salvage(const std::string& into, bool dry_run);

private:
    Result<TopicReport> inspect_topic(const std::string& name);
    Result<PartitionReport> inspect_partition(const std::string& directory,
                                              const TopicPartition& at, const Uuid& uuid,
                                              Offset start);
    Result<void> salvage_topic(const TopicReport& topic, const std::string& into);
    Result<void> salvage_partition(const PartitionReport& partition, const std::string& into);
    Result<void> salvage_segment(const SegmentReport& segment, const std::string& into);

    Env& env_;
    const std::string directory_;
};

}  // namespace penstock
