#include "penstock/log/file/inspector.h"

#include <fmt/format.h>

#include <algorithm>

#include "penstock/log/file/partition.h"
#include "penstock/log/file/recovery.h"

namespace penstock {

using logfile::Found;
using logfile::Segment;
using logfile::SegmentScanner;

namespace {

constexpr std::size_t kCopyBytes = 1024 * 1024;

std::string segment_path(const std::string& directory, Offset base) {
    return fmt::format("{}/{}", directory, logfile::segment_name(base));
}

SegmentReport report_of(const Segment& segment) {
    SegmentReport report;
    report.path = segment.path;
    report.uuid = segment.header.segment;
    report.base = segment.base();
    report.end = segment.end.offset;
    report.file_bytes = segment.header.file_bytes;
    report.used_bytes = segment.end.position;
    return report;
}

/// Opens a segment that was scanned before, to read its batches again.
struct Reopened {
    std::unique_ptr<File> file;
    logfile::SegmentHeader header;
    logfile::Chain chain;
};

Result<Reopened> reopen(FileSystem& files, const std::string& path) {
    Reopened segment;
    auto file = files.open(path, OpenMode::read);
    if (!file) return std::move(file).error();
    logfile::SegmentHeaderBytes sector;
    auto read = (*file)->read(0, sector);
    if (!read) return std::move(read).error();
    auto header = logfile::decode_segment_header(Bytes(sector).first(*read));
    if (!header) return std::move(header).error();
    segment.file = std::move(*file);
    segment.header = std::move(*header);
    segment.chain = logfile::chain_of(sector);
    return segment;
}

}  // namespace

bool LogReport::sound() const {
    return std::all_of(topics.begin(), topics.end(), [](const TopicReport& topic) {
        return !topic.damage &&
               std::none_of(topic.partitions.begin(), topic.partitions.end(),
                            [](const PartitionReport& p) { return p.damage.has_value(); });
    });
}

Result<LogReport> LogInspector::inspect() {
    auto names = env_.files.list(directory_);
    if (!names) return std::move(names).error();
    LogReport report;
    for (const std::string& name : *names) {
        if (!check_topic_name(name) || !env_.files.list(directory_ + "/" + name)) continue;
        auto topic = inspect_topic(name);
        if (!topic) return std::move(topic).error();
        report.topics.push_back(std::move(*topic));
    }
    return report;
}

Result<TopicReport> LogInspector::inspect_topic(const std::string& name) {
    const std::string directory = directory_ + "/" + name;
    TopicReport report;
    report.topic = TopicId(name);
    auto meta = logfile::load_topic_meta(env_.files, directory);
    if (!meta) {
        report.damage = std::move(meta).error();
        return report;
    }
    report.spec = meta->spec;
    for (std::uint32_t i = 0; i < meta->partitions.size(); ++i) {
        auto partition =
            inspect_partition(fmt::format("{}/{}", directory, i), {report.topic, PartitionId(i)},
                              meta->partitions[i].uuid, meta->partitions[i].start);
        if (!partition) return std::move(partition).error();
        report.partitions.push_back(std::move(*partition));
    }
    return report;
}

Result<PartitionReport> LogInspector::inspect_partition(const std::string& directory,
                                                        const TopicPartition& at, const Uuid& uuid,
                                                        Offset start) {
    PartitionReport report;
    report.at = at;
    report.uuid = uuid;
    report.start = report.end = start;
    const auto damaged = [&](std::string text) {
        if (!report.damage) report.damage = error(Code::damaged, std::move(text));
    };
    auto bases = logfile::list_segments(env_.files, directory);
    if (!bases || bases->empty()) {
        damaged(fmt::format("{}: there is no segment", directory));
        return report;
    }
    while (bases->size() > 1 && (*bases)[1] <= start) bases->erase(bases->begin());  // let go
    if (bases->front() != start) {
        damaged(fmt::format("{}: the first segment begins with offset {}, not with {}", directory,
                            bases->front().value(), start.value()));
    }
    std::shared_ptr<Segment> before;
    for (const Offset base : *bases) {
        const std::string path = segment_path(directory, base);
        Segment good;
        auto scanned =
            logfile::scan_segment(env_.files, path, at, uuid, base == bases->back(), &good);
        if (!scanned) {
            SegmentReport segment = report_of(good);
            segment.path = path;
            segment.base = base;
            segment.damage = scanned.error();
            if (good.path.empty()) segment.used_bytes = 0;  // not even its header is good
            if (!report.damage) report.end = std::max(report.end, good.end.offset);
            damaged(scanned.error().text);
            report.segments.push_back(std::move(segment));
            before = nullptr;
            continue;
        }
        SegmentReport segment = report_of(*scanned->segment);
        if (scanned->tear) segment.torn_bytes = scanned->tear->bytes;
        if (before) {
            if (auto follows = logfile::check_follows(*before, *scanned->segment); !follows) {
                segment.damage = follows.error();
                segment.used_bytes = 0;  // good in itself, but of another history
                damaged(follows.error().text);
            }
        }
        if (!report.damage) report.end = segment.end;
        before = scanned->segment;
        report.segments.push_back(segment);
        auto counted =
            batches(segment, [&](const BatchReport&) { ++report.segments.back().batches; });
        if (!counted) damaged(counted.error().text);
    }
    return report;
}

Result<void> LogInspector::batches(const SegmentReport& segment,
                                   const std::function<void(const BatchReport&)>& visit) {
    auto opened = reopen(env_.files, segment.path);
    if (!opened) return std::move(opened).error();
    logfile::Place first;
    first.offset = opened->header.base;
    first.previous = opened->chain;
    first.time = opened->header.previous_time;
    SegmentScanner scanner(*opened->file, opened->header, first, kCopyBytes);
    for (;;) {
        auto found = scanner.next(opened->header.file_bytes);
        if (!found) return std::move(found).error();
        if (*found != Found::batch) return {};
        const auto& header = scanner.view().header;
        visit({scanner.view().position, header.padded(), header.base, header.count, header.time});
    }
}

Result<LogReport> LogInspector::salvage(const std::string& into, bool dry_run) {
    if (env_.files.exists(into)) {
        return error(Code::exists, fmt::format("{} exists; name a directory that does not", into));
    }
    auto report = inspect();
    if (!report || dry_run) return report;
    PENSTOCK_TRY(env_.files.make_directory(into));
    for (const TopicReport& topic : report->topics) {
        if (topic.spec) PENSTOCK_TRY(salvage_topic(topic, into + "/" + topic.topic.value()));
    }
    PENSTOCK_TRY(env_.files.sync_directory(into));
    return report;
}

Result<void> LogInspector::salvage_topic(const TopicReport& topic, const std::string& into) {
    PENSTOCK_TRY(env_.files.make_directory(into));
    logfile::TopicMeta meta;
    meta.spec = *topic.spec;
    for (const PartitionReport& partition : topic.partitions) {
        meta.partitions.push_back({partition.uuid, partition.start});
        PENSTOCK_TRY(salvage_partition(partition,
                                       fmt::format("{}/{}", into, partition.at.partition.value())));
    }
    return logfile::save_topic_meta(env_.files, into, meta);
}

Result<void> LogInspector::salvage_partition(const PartitionReport& partition,
                                             const std::string& into) {
    const auto& segments = partition.segments;
    const bool begins = !segments.empty() && segments.front().base == partition.start &&
                        segments.front().used_bytes > 0;
    if (!begins) {
        return logfile::make_partition(env_.files, env_.random, into, partition.at,
                                       {partition.uuid, partition.start}, logfile::kSector * 2,
                                       env_.clock.wall());
    }
    PENSTOCK_TRY(env_.files.make_directory(into));
    for (const SegmentReport& segment : segments) {
        // Behind a gap nothing belongs to what was kept.
        if (segment.base > partition.end || segment.used_bytes == 0) break;
        PENSTOCK_TRY(salvage_segment(segment, into));
        if (segment.damage) break;
    }
    return env_.files.sync_directory(into);
}

/// The good part of the file, then zeros up to its length.
Result<void> LogInspector::salvage_segment(const SegmentReport& segment, const std::string& into) {
    auto from = env_.files.open(segment.path, OpenMode::read);
    if (!from) return std::move(from).error();
    auto to = env_.files.open(segment_path(into, segment.base), OpenMode::create);
    if (!to) return std::move(to).error();
    std::vector<std::byte> chunk(kCopyBytes);
    for (std::uint64_t at = 0; at < segment.file_bytes; at += chunk.size()) {
        const auto want = std::min<std::uint64_t>(chunk.size(), segment.file_bytes - at);
        std::fill(chunk.begin(), chunk.end(), std::byte{0});
        if (at < segment.used_bytes) {
            const auto good = std::min<std::uint64_t>(want, segment.used_bytes - at);
            auto read = (*from)->read(at, std::span(chunk).first(good));
            if (!read) return std::move(read).error();
        }
        PENSTOCK_TRY((*to)->write(at, Bytes(chunk).first(want)));
    }
    return (*to)->sync();
}

}  // namespace penstock
