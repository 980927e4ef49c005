#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "penstock/log/log.h"

namespace penstock {

/// What the store has applied of a partition: the log must still hold it, unchanged.
struct Applied {
    Offset next;                    ///< everything below is applied
    std::uint32_t fingerprint = 0;  ///< fingerprint() of record next - 1; unused where next is 0
};

/// Hears what the log does, for metrics and messages. Threads: called from the log's bodies and
/// from open(); must not wait and must not call the log.
class FileLogObserver {
public:
    virtual ~FileLogObserver() = default;
    /// One batch is durable; `sync` is the time of write and fdatasync.
    virtual void synced(std::size_t /*records*/, std::size_t /*bytes*/,
                        std::chrono::nanoseconds /*sync*/) noexcept {}
    /// A torn tail was cut at start and kept beside the segment.
    virtual void cut(const TopicPartition&, std::size_t /*batches*/,
                     std::uint64_t /*bytes*/) noexcept {}
    /// Closed segments were read again; damage comes as partition_stopped().
    virtual void scrubbed(std::uint64_t /*bytes*/) noexcept {}
    virtual void partition_stopped(const TopicPartition&, const Error&) noexcept {}
    /// A sentence for the operator.
    virtual void note(const std::string&) noexcept {}
};

struct FileLogOptions {
    std::string directory;  ///< made if it is not there; locked by whoever opens the log
    std::uint64_t segment_bytes = 64 * 1024 * 1024;
    std::uint64_t first_segment_bytes = 4 * 1024 * 1024;  ///< then doubling up to segment_bytes
    std::size_t max_batch_bytes = 4 * 1024 * 1024;
    std::size_t max_batch_records = 1 << 16;
    std::size_t max_pending_records = 1 << 18;         ///< per partition, not yet durable
    std::size_t max_pending_bytes = 16 * 1024 * 1024;  ///< per partition, not yet durable
    std::size_t cache_bytes = 4 * 1024 * 1024;         ///< per partition, of the latest batches
    std::uint64_t scrub_bytes_per_s = 0;               ///< 0: closed segments are not read again
    std::chrono::nanoseconds scrub_pause = std::chrono::hours(24);  ///< between two rounds

    /// What the store knows; consulted at open only.
    std::map<TopicPartition, Applied> applied;
    /// A write or sync failed and nobody may believe the page cache: end the process (74). Called
    /// on a body of the log after everything in hand was answered.
    std::function<void(const Error&)> on_fatal;
    FileLogObserver* observer = nullptr;  ///< outlives the log
};

}  // namespace penstock
