#include "penstock/log/file/file_log_view.h"

#include <fmt/format.h>

#include <algorithm>

#include "penstock/log/file/inspector.h"
#include "penstock/log/file/segment.h"

namespace penstock {

using logfile::Chain;
using logfile::DecodedBatch;
using logfile::Found;
using logfile::Place;
using logfile::RecordDecoder;
using logfile::SegmentScanner;

namespace {

constexpr std::size_t kChunkBytes = 1024 * 1024;

}  // namespace

struct FileLogView::Cursor {
    std::string path;
    std::unique_ptr<File> file;
    logfile::SegmentHeader header;
    std::unique_ptr<SegmentScanner> scanner;
    std::optional<RecordDecoder> decoder;  ///< inside scanner->view()
};

FileLogView::FileLogView(Env& env, std::string directory)
    : env_(env), directory_(std::move(directory)) {}

FileLogView::~FileLogView() = default;

Error FileLogView::refused() {
    return error(Code::read_only, "this view of the log only reads");
}

std::string FileLogView::directory_of(const TopicPartition& at) const {
    return fmt::format("{}/{}/{}", directory_, at.topic.value(), at.partition.value());
}

void FileLogView::append(const TopicPartition&, std::span<const Record> records,
                         std::uint64_t first_tag, AppendSink& sink) {
    for (std::size_t i = 0; i < records.size(); ++i) {
        const Appended answer{first_tag + i, refused()};
        sink.appended({&answer, 1});
    }
}

Result<std::vector<TopicInfo>> FileLogView::describe(const std::optional<TopicId>& wanted) {
    auto report = LogInspector(env_, directory_).inspect();
    if (!report) return std::move(report).error();
    std::vector<TopicInfo> topics;
    for (TopicReport& topic : report->topics) {
        if (wanted && topic.topic != *wanted) continue;
        if (topic.damage) return *topic.damage;
        TopicInfo& info = topics.emplace_back();
        if (topic.spec) info.spec = *topic.spec;
        for (PartitionReport& partition : topic.partitions) {
            std::uint64_t bytes = 0;
            for (const SegmentReport& segment : partition.segments) bytes += segment.file_bytes;
            info.partitions.push_back({partition.at.partition, partition.uuid, partition.start,
                                       partition.end, bytes, std::move(partition.damage)});
        }
    }
    if (wanted && topics.empty()) {
        return error(Code::not_found,
                     fmt::format("there is no topic {} in {}", wanted->value(), directory_));
    }
    return topics;
}

Result<void> FileLogView::open_segment(const TopicPartition& at, Offset base, Cursor& cursor) {
    cursor.path = fmt::format("{}/{}", directory_of(at), logfile::segment_name(base));
    auto file = env_.files.open(cursor.path, OpenMode::read);
    if (!file) return std::move(file).error();
    logfile::SegmentHeaderBytes sector;
    auto read = (*file)->read(0, sector);
    if (!read) return std::move(read).error();
    auto header = logfile::decode_segment_header(Bytes(sector).first(*read));
    if (!header) {
        return error(header.error().code, fmt::format("{}: {}", cursor.path, header.error().text));
    }
    const Place first{logfile::kSegmentHeaderBytes, header->base, logfile::chain_of(sector),
                      header->previous_time};
    cursor.file = std::move(*file);
    cursor.header = std::move(*header);
    cursor.decoder.reset();
    cursor.scanner =
        std::make_unique<SegmentScanner>(*cursor.file, cursor.header, first, kChunkBytes);
    return {};
}

/// Moves to the next batch, over the end of a segment if there is another. False: the end.
Result<bool> FileLogView::advance(const TopicPartition& at, Cursor& cursor) {
    auto found = cursor.scanner->next(cursor.header.file_bytes);
    if (!found) return std::move(found).error();
    if (*found == Found::bad) {
        return error(Code::damaged,
                     fmt::format("{} is damaged at position {}: {}", cursor.path,
                                 cursor.scanner->place().position, cursor.scanner->why()));
    }
    if (*found == Found::zeros) return open_next(at, cursor);
    cursor.decoder.emplace(cursor.scanner->view().header, cursor.scanner->view().bytes);
    return true;
}

Result<bool> FileLogView::open_next(const TopicPartition& at, Cursor& cursor) {
    const Place end = cursor.scanner->place();
    if (end.offset == cursor.header.base) return false;
    const std::string path =
        fmt::format("{}/{}", directory_of(at), logfile::segment_name(end.offset));
    if (!env_.files.exists(path)) return false;
    PENSTOCK_TRY(open_segment(at, end.offset, cursor));
    if (cursor.header.previous != end.previous) {
        return error(Code::damaged,
                     fmt::format("{} does not follow the segment before it", cursor.path));
    }
    return advance(at, cursor);
}

/// Stands before `from`. False: there is nothing from there on.
Result<bool> FileLogView::open_at(const TopicPartition& at, Offset from, Cursor& cursor) {
    auto names = env_.files.list(directory_of(at));
    if (!names) return std::move(names).error();
    std::optional<Offset> base;
    for (const std::string& name : *names) {
        const auto found = logfile::base_of_segment(name);
        if (found && *found <= from && (!base || *base < *found)) base = found;
    }
    if (!base) {
        return error(Code::out_of_range, fmt::format("offset {} of {} is not in the log any more",
                                                     from.value(), directory_of(at)));
    }
    PENSTOCK_TRY(open_segment(at, *base, cursor));
    std::vector<Header> headers;
    for (;;) {
        auto more = advance(at, cursor);
        if (!more || !*more) return more;
        if (cursor.scanner->view().header.end() <= from) continue;
        for (Logged passed; cursor.decoder->next_offset() < from;) {
            PENSTOCK_TRY(cursor.decoder->next(passed, headers));
        }
        return true;
    }
}

Result<std::unique_ptr<ReadBatch>> FileLogView::read(const TopicPartition& at, Offset from,
                                                     const ReadLimits& limits) {
    auto batch = std::make_unique<DecodedBatch>();
    std::unique_ptr<Cursor>& cursor = cursors_[at];
    if (!cursor || !cursor->decoder || cursor->decoder->next_offset() != from) {
        cursor = std::make_unique<Cursor>();
        auto opened = open_at(at, from, *cursor);
        if (!opened) return std::move(opened).error();
        if (!*opened) {
            cursor.reset();
            return std::unique_ptr<ReadBatch>(std::move(batch));
        }
    }
    while (!batch->full(limits)) {
        if (cursor->decoder->done()) {
            auto more = advance(at, *cursor);
            if (!more && batch->empty()) return std::move(more).error();
            if (!more || !*more) {
                cursor.reset();  // what it has in its buffer may be older than the file
                break;
            }
        }
        PENSTOCK_TRY(batch->add(cursor->scanner->view(), *cursor->decoder, limits));
    }
    batch->finish();
    return std::unique_ptr<ReadBatch>(std::move(batch));
}

}  // namespace penstock
