#include <fmt/format.h>

#include <algorithm>

#include "penstock/log/file/partition.h"

// What readers see of a partition: below the durable end only.
namespace penstock::logfile {

Result<OffsetRange> Partition::range() {
    const MutexLock lock(read_mutex_);
    if (stopped_) return *stopped_;
    return OffsetRange{segments_.front()->base(), segments_.back()->end.offset};
}

Result<ReadPlan> Partition::plan(Offset from, std::size_t max_bytes) {
    ReadPlan plan;
    const MutexLock lock(read_mutex_);
    if (stopped_) return *stopped_;
    plan.range = {segments_.front()->base(), segments_.back()->end.offset};
    if (from < plan.range.start || from > plan.range.end) {
        return error(
            Code::out_of_range,
            fmt::format("offset {} of {}/{} is outside {}..{}", from.value(), at_.topic.value(),
                        at_.partition.value(), plan.range.start.value(), plan.range.end.value()));
    }
    if (from == plan.range.end) return plan;
    if (!cached_.empty() && from >= cached_.front().header.base) {
        auto view = std::upper_bound(
            cached_.begin(), cached_.end(), from,
            [](Offset wanted, const BatchView& v) { return wanted < v.header.end(); });
        std::size_t bytes = 0;
        for (; view != cached_.end() && (bytes < max_bytes || plan.cached.empty()); ++view) {
            bytes += view->bytes.size();
            plan.cached.push_back(*view);
        }
        return plan;
    }
    const auto found = std::upper_bound(
        segments_.begin(), segments_.end(), from,
        [](Offset wanted, const auto& segment) { return wanted < segment->end.offset; });
    const Segment& segment = **found;
    plan.disk = {segment.path, segment.header, segment.find(from), segment.end.position};
    return plan;
}

Result<Offset> Partition::offset_at(LogTime time) {
    ReadPlan::OnDisk disk;
    {
        const MutexLock lock(read_mutex_);
        if (stopped_) return *stopped_;
        const auto found =
            std::partition_point(segments_.begin(), segments_.end(), [&](const auto& segment) {
                return segment->end.time < time || segment->end.offset == segment->base();
            });
        if (found == segments_.end()) return segments_.back()->end.offset;
        const Segment& segment = **found;
        disk = {segment.path, segment.header, segment.find(time), segment.end.position};
    }
    auto file = env_.files.open(disk.path, OpenMode::read);
    if (!file) return std::move(file).error();
    SegmentScanner scanner(**file, disk.header, disk.place, Segment::kIndexStep);
    for (;;) {
        const Offset base = scanner.place().offset;
        auto next = scanner.next(disk.limit);
        if (!next) return std::move(next).error();
        // The segment's end says that a batch is late enough: anything else is damage.
        if (*next == Found::batch && scanner.view().header.time < time) continue;
        if (*next == Found::batch) return base;
        const Error damage = error(Code::damaged, fmt::format("{} is damaged at position {}",
                                                              disk.path, scanner.place().position));
        stop_damaged(damage);
        return damage;
    }
}

PartitionInfo Partition::info() {
    const MutexLock lock(read_mutex_);
    PartitionInfo info;
    info.partition = at_.partition;
    info.uuid = uuid_;
    info.start = segments_.front()->base();
    info.end = segments_.back()->end.offset;
    info.bytes = 0;
    for (const auto& segment : segments_) info.bytes += segment->header.file_bytes;
    info.stopped = stopped_;
    return info;
}

}  // namespace penstock::logfile
