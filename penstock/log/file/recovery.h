#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "penstock/log/file/options.h"
#include "penstock/log/file/segment.h"
#include "penstock/log/file/topic_meta.h"

/// What a start makes of the files it finds: the table of docs/formats.md, "What a start does".
namespace penstock::logfile {

/// Bytes behind the last good batch of the last segment that a power cut explains.
struct Tear {
    std::uint64_t position;
    std::uint64_t bytes;
};

/// A segment as its scan left it.
struct ScannedSegment {
    std::shared_ptr<Segment> segment;
    std::optional<Tear> tear;
};

/// Reads the header and every batch of a segment; changes nothing. `at`, `partition`: where it was
/// found. `last`: the last of its partition, where a tear is allowed.
/// damaged: text with path, position and bytes. `good`, if given, gets what stood before the
/// damage.
Result<ScannedSegment> scan_segment(FileSystem& files, const std::string& path,
                                    const TopicPartition& at, const Uuid& partition, bool last,
                                    Segment* good = nullptr);

/// Bases of the segments in a partition's directory, sorted.
Result<std::vector<Offset>> list_segments(FileSystem& files, const std::string& directory);
/// damaged: gap, overlap, or another past.
Result<void> check_follows(const Segment& before, const Segment& next);

struct RecoveredPartition {
    std::deque<std::shared_ptr<Segment>> segments;  ///< the last is the active one
    std::uint64_t cut_bytes = 0;                    ///< torn tail that was cut
    std::size_t cut_batches = 0;
    std::vector<std::string> notes;
};

/// Checks a partition's directory, then mends what a power cut explains. Refusals change nothing.
Result<RecoveredPartition> recover_partition(FileSystem& files, const std::string& directory,
                                             const TopicPartition& at,
                                             const TopicMeta::Partition& meta,
                                             const std::optional<Applied>& applied);

}  // namespace penstock::logfile
