#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "penstock/base/guarded.h"
#include "penstock/log/follower.h"
#include "penstock/log/log.h"

namespace penstock {

/// A record with the memory that its views borrow from. Not movable.
class StoredRecord {
public:
    explicit StoredRecord(const Record& record);
    StoredRecord(const StoredRecord&) = delete;
    StoredRecord& operator=(const StoredRecord&) = delete;

    const Logged& logged() const { return logged_; }
    std::size_t bytes() const { return bytes_.size(); }
    void place(Offset offset, LogTime time);

private:
    Bytes keep(Bytes field);

    std::string bytes_;
    std::vector<Header> headers_;
    Logged logged_;
};

// Shared between the disk and the batches that were read from it.
using StoredRecords = std::vector<std::shared_ptr<StoredRecord>>;

/// The durable content, and the rules by which it changes. Threads: any.
class MemoryLogState {
public:
    Result<void> create(const TopicSpec& spec, LogTime now, Random& random);
    Result<void> alter(const TopicSpec& spec, LogTime now, Random& random);
    Result<void> remove(const TopicId& topic);
    Result<std::vector<TopicInfo>> describe(const std::optional<TopicId>& topic);
    bool has(const TopicPartition& at);

    /// A new life begins; writes of the ones before are refused from now on.
    std::uint64_t begin_life();
    /// Offset of the first; all or none. not_found, or io when the life is over.
    Result<Offset> write(std::uint64_t life, const TopicPartition& at, StoredRecords records,
                         LogTime now);
    Result<OffsetRange> range(const TopicPartition& at);
    Result<std::unique_ptr<ReadBatch>> read(const TopicPartition& at, Offset from,
                                            const ReadLimits& limits);
    Result<Offset> offset_at(const TopicPartition& at, LogTime time);
    Result<Offset> trim(const TopicPartition& at, Offset before, LogTime now,
                        std::size_t segment_records);

private:
    struct Partition {
        Uuid uuid;
        Offset start;
        StoredRecords records;  ///< of offsets start, start + 1, ...
        std::uint64_t bytes = 0;
        LogTime last_time{};

        Offset end() const { return Offset(start.value() + records.size()); }
    };
    struct Topic {
        TopicSpec spec;
        std::vector<Partition> partitions;
    };

    Result<Partition*> find(const TopicPartition& at) REQUIRES(mutex_);
    static void grow(Topic& topic, LogTime now, Random& random);

    Mutex mutex_;
    std::map<TopicId, Topic> topics_ GUARDED_BY(mutex_);
    std::uint64_t life_ GUARDED_BY(mutex_) = 0;
};

}  // namespace penstock
