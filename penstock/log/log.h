#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/bytes.h"
#include "penstock/base/result.h"
#include "penstock/base/strong_id.h"
#include "penstock/base/time.h"
#include "penstock/base/uuid.h"

/// The line: partitioned, durable, ordered. Topic, partition, offset, key, header, group, lag and
/// retention mean what they mean in Kafka. Offsets of a partition are contiguous in this port
/// (an adapter whose log has gaps hides them from nobody: the next record's offset says so).
namespace penstock {

using TopicId = StrongId<std::string, struct TopicTag>;  ///< [A-Za-z0-9._-]{1,249}, not . or ..
using PartitionId = StrongId<std::uint32_t, struct PartitionTag>;
using Offset = StrongId<std::uint64_t, struct OffsetTag>;
/// Generation of a topic's partition count: the record's partition was chosen under it.
using LayoutId = StrongId<std::uint32_t, struct LayoutTag>;

// Limits of a record, the same for every adapter.
inline constexpr std::size_t kMaxKeyBytes = 512;
inline constexpr std::size_t kMaxValueBytes = 900 * 1024;
inline constexpr std::size_t kMaxHeaders = 32;
inline constexpr std::size_t kMaxHeaderBytes = 16 * 1024;  ///< names and values together
inline constexpr std::uint32_t kMaxPartitions = 1024;

struct TopicPartition {
    TopicId topic;
    PartitionId partition;
    friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

struct Header {
    std::string_view name;
    Bytes value;
};

/// What is appended: borrowed, copied before append() returns.
struct Record {
    std::optional<Bytes> key;    ///< none: keyless
    std::optional<Bytes> value;  ///< none: a tombstone
    std::span<const Header> headers;
    LayoutId layout;
};

/// What is read: borrowed from the poll or the ReadBatch that returned it.
struct Logged : Record {
    Offset offset;
    LogTime time;  ///< set at append, never goes down in a partition
};

struct TopicSpec {
    TopicId topic;
    std::uint32_t partitions = 1;
    std::optional<std::chrono::milliseconds> retention_time;  ///< none: for ever
    std::optional<std::uint64_t> retention_bytes;             ///< per partition; none: no limit
};

struct PartitionInfo {
    PartitionId partition;
    Uuid uuid;                     ///< made with the partition: another one means another history
    Offset start;                  ///< first offset that can be read
    Offset end;                    ///< one past the last durable one
    std::uint64_t bytes;           ///< on disk; 0: the adapter cannot tell
    std::optional<Error> stopped;  ///< damage or I/O that stopped this partition
};

struct TopicInfo {
    TopicSpec spec;
    std::vector<PartitionInfo> partitions;
};

/// Result of one appended record. Error effect none: it is never there. unknown: it may appear.
struct Appended {
    std::uint64_t tag;
    Result<Offset> offset;
};

/// Called on the log's own thread, many results at once. Must only hand over and wake: it may call
/// neither the log nor anything that waits. Lives until every append that named it is answered.
class AppendSink {
public:
    virtual ~AppendSink() = default;
    virtual void appended(std::span<const Appended>) noexcept = 0;
};

struct ReadLimits {
    std::size_t max_records = 1000;
    std::size_t max_bytes = 1024 * 1024;  ///< of keys, values, headers; at least one record comes
};

/// Records and the memory they borrow from; moving it keeps them valid.
class ReadBatch {
public:
    virtual ~ReadBatch() = default;
    virtual std::span<const Logged> records() const = 0;
};

struct Slice {
    TopicPartition at;
    std::span<const Logged> records;  ///< in offset order
};

/// How a subscription gets its partitions.
struct GroupSpec {
    std::string group;                   ///< consumer group under which progress is reported
    std::vector<TopicPartition> manual;  ///< exactly these, granted at the first poll
};

/// A reader that follows partitions. Threads: its one lane thread; wake() any.
class Subscription {
public:
    struct Polled {
        std::vector<TopicPartition> granted;  ///< call start() for each; nothing flows before
        std::vector<TopicPartition> revoked;  ///< call release() once the batch in hand is done
        std::span<const Slice> slices;        ///< durable records only; valid until the next poll
    };
    virtual ~Subscription() = default;
    /// Returns at once if there is anything, else when something comes, at wake(), or at `until`
    /// (then empty). An error is that of one partition: damaged, out_of_range (its offset is gone:
    /// never skipped), io.
    virtual Result<Polled> poll(const ReadLimits&, MonoTime until) = 0;
    /// Records flow from `from` on; again: a seek. out_of_range below start or above end.
    virtual Result<void> start(const TopicPartition&, Offset from) = 0;
    virtual void pause(const TopicPartition&, bool paused) = 0;
    /// Adds a partition (leases), or gives one back.
    virtual Result<void> assign(const TopicPartition&) = 0;
    virtual void release(const TopicPartition&) = 0;
    /// Telemetry for everybody's tools: all below `next` is applied. Carries no guarantee.
    virtual void report(const TopicPartition&, Offset next) = 0;
    virtual void wake() noexcept = 0;
};

/// Threads: any.
class Log {
public:
    virtual ~Log() = default;
    /// Server and library with their versions, for people; empty: nothing runs beside this process.
    virtual std::string about() const { return {}; }
    /// Why nothing can be appended at present; none: it answers.
    virtual std::optional<Error> down() const { return std::nullopt; }
    /// exists (same or other settings: describe() tells), invalid, no_space. Durable on return.
    virtual Result<void> create(const TopicSpec&) = 0;
    /// Partitions only grow; retention may change. not_found, invalid.
    virtual Result<void> alter(const TopicSpec&) = 0;
    virtual Result<void> remove(const TopicId&) = 0;
    /// All topics, or one (not_found), sorted by name.
    virtual Result<std::vector<TopicInfo>> describe(const std::optional<TopicId>&) = 0;
    /// Asynchronous. Record i is answered to `sink` under first_tag + i exactly once, after it is
    /// durable; the records of one call keep their order and lie next to each other unless an
    /// error cuts them. Never blocks: a full queue answers overloaded (effect none), perhaps
    /// before append() returns.
    virtual void append(const TopicPartition&, std::span<const Record>, std::uint64_t first_tag,
                        AppendSink& sink) = 0;
    /// Below the durable end only. Empty at the end; out_of_range outside start..end.
    virtual Result<std::unique_ptr<ReadBatch>> read(const TopicPartition&, Offset from,
                                                    const ReadLimits&) = 0;
    /// First offset whose time is not before `time`; the end if there is none.
    virtual Result<Offset> offset_at(const TopicPartition&, LogTime time) = 0;
    virtual Result<std::unique_ptr<Subscription>> subscribe(const GroupSpec&) = 0;
    /// Forgets whole segments below `before`, those that retention lets go and no others; the
    /// runtime never asks beyond what is applied. Returns the new start.
    virtual Result<Offset> trim(const TopicPartition&, Offset before, LogTime now) = 0;
    /// No new append is taken (stopped, none); every append in hand is answered by `by`, late ones
    /// as unknown. Call it before destroying the log. Idempotent.
    virtual void stop(MonoTime by) = 0;
};

/// The file's name for a topic that may be created. Same rule as Kafka's.
Result<void> check_topic_name(std::string_view name);
/// Of a topic that may be created: its name and how many partitions it has. invalid, says which.
Result<void> check_spec(const TopicSpec& spec);
/// CRC-32C over offset, time, key, value and headers of a record: tells one history from another.
std::uint32_t fingerprint(const Logged&);
/// The limits above; too_large or invalid, says which.
Result<void> check_record(const Record&);

}  // namespace penstock
