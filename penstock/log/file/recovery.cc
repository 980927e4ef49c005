#include "penstock/log/file/recovery.h"

#include <fmt/format.h>

#include <algorithm>

namespace penstock::logfile {
namespace {

constexpr std::size_t kScanChunkBytes = 4 * 1024 * 1024;
constexpr std::size_t kZeroChunkBytes = 1024 * 1024;

constexpr const char* kWhatToDo =
    "nothing was changed; look with 'penstock log inspect', then restore a backup or take what is "
    "before the damage with 'penstock log salvage'";

Error damaged_at(const std::string& path, std::uint64_t position, std::uint64_t bytes,
                 const std::string& what) {
    return error(Code::damaged, fmt::format("{} is damaged at position {} ({} bytes up to the last "
                                            "one that is not zero): {}; {}",
                                            path, position, bytes, what, kWhatToDo));
}

Error refused(const std::string& path, const std::string& what) {
    return error(Code::damaged, fmt::format("{}: {}; {}", path, what, kWhatToDo));
}

/// One past the last sector from `position` on that holds anything else than zeros; `position` if
/// there is none.
Result<std::uint64_t> end_of_content(File& file, std::uint64_t position, std::uint64_t file_bytes) {
    Buffer chunk;
    chunk.reserve(
        static_cast<std::size_t>(std::min<std::uint64_t>(kZeroChunkBytes, file_bytes - position)),
        0);
    std::uint64_t end = position;
    for (std::uint64_t at = position; at < file_bytes; at += kZeroChunkBytes) {
        const auto bytes =
            static_cast<std::size_t>(std::min<std::uint64_t>(kZeroChunkBytes, file_bytes - at));
        auto read = file.read(at, chunk.first(bytes));
        if (!read) return std::move(read).error();
        const Bytes content(chunk.data(), *read);
        if (all_zero(content)) continue;
        for (std::size_t i = 0; i < content.size(); i += kSector) {
            const std::size_t sector = std::min(kSector, content.size() - i);
            if (!all_zero(content.subspan(i, sector))) end = at + i + sector;
        }
    }
    return end;
}

/// True: a good batch of this segment begins at a sector in [from, to).
Result<bool> holds_good_batch(File& file, const SegmentHeader& header, std::uint64_t from,
                              std::uint64_t to) {
    Buffer content;
    const auto bytes = static_cast<std::size_t>(to - from);
    content.reserve(bytes, 0);
    auto read = file.read(from, content.first(bytes));
    if (!read) return std::move(read).error();
    const std::uint32_t seed = batch_seed(header.segment);
    for (std::size_t at = 0; at + kSector <= *read; at += kSector) {
        if (decode_batch_header(Bytes(content.data() + at, *read - at), seed)) return true;
    }
    return false;
}

/// Decides what the bytes are that stand where the next batch should: a tear, or the reason why
/// they are damage.
class TailJudge {
public:
    TailJudge(File& file, const Segment& segment, const SegmentScanner& scanner, Found found)
        : file_(file), segment_(segment), scanner_(scanner), found_(found) {}

    /// No tear and no reason: a clean end.
    struct Verdict {
        std::uint64_t bytes = 0;
        std::string damage;
    };
    Result<Verdict> judge() {
        const std::uint64_t position = scanner_.place().position;
        auto end = end_of_content(file_, position, segment_.header.file_bytes);
        if (!end) return std::move(end).error();
        Verdict verdict;
        verdict.bytes = *end - position;
        if (verdict.bytes == 0) return verdict;
        auto damage =
            found_ == Found::zeros ? headless(position, *end) : with_header(position, *end);
        if (!damage) return std::move(damage).error();
        verdict.damage = std::move(*damage);
        return verdict;
    }

private:
    /// The header's sector did not reach the disk, others did.
    Result<std::string> headless(std::uint64_t position, std::uint64_t end) {
        if (end - position > kMaxBatchBytes) {
            return std::string("more follows the sector of zeros than one batch can hold");
        }
        auto later = holds_good_batch(file_, segment_.header, position + kSector, end);
        if (!later) return std::move(later).error();
        if (*later) return std::string("a good batch follows the sector of zeros");
        return std::string();
    }

    Result<std::string> with_header(std::uint64_t position, std::uint64_t end) {
        const auto& header = scanner_.bad_header();
        if (!header) return scanner_.why();
        if (end > position + header->padded()) {
            return scanner_.why() + ", and more follows it";
        }
        Buffer content;
        content.reserve(header->padded(), 0);
        auto read = file_.read(position, content.first(header->padded()));
        if (!read) return std::move(read).error();
        if (*read == header->padded() &&
            count_zero_sectors(Bytes(content.data(), *read)) > header->zero_sectors) {
            return std::string();
        }
        return scanner_.why() + ", and no sector of it is missing";
    }

    File& file_;
    const Segment& segment_;
    const SegmentScanner& scanner_;
    const Found found_;
};

Result<void> check_header(const SegmentHeader& header, const std::string& path,
                          const TopicPartition& at, const Uuid& partition,
                          std::uint64_t file_bytes) {
    const auto base = base_of_segment(std::string_view(path).substr(path.find_last_of('/') + 1));
    if (header.at != at || header.partition_uuid != partition) {
        return refused(path, fmt::format("it belongs to partition {} of topic {} with uuid {}",
                                         header.at.partition.value(), header.at.topic.value(),
                                         format_uuid(header.partition_uuid)));
    }
    if (header.base != base) {
        return refused(path, fmt::format("it begins with offset {}, its name says otherwise",
                                         header.base.value()));
    }
    if (header.file_bytes != file_bytes) {
        return refused(path, fmt::format("it has {} bytes and was made with {}", file_bytes,
                                         header.file_bytes));
    }
    return {};
}

Result<std::shared_ptr<Segment>> open_segment(File& file, const std::string& path,
                                              const TopicPartition& at, const Uuid& partition) {
    auto file_bytes = file.size();
    if (!file_bytes) return std::move(file_bytes).error();
    SegmentHeaderBytes sector;
    auto read = file.read(0, sector);
    if (!read) return std::move(read).error();
    auto header = decode_segment_header(Bytes(sector).first(*read));
    if (!header && header.error().code == Code::too_new) {
        return error(Code::too_new, fmt::format("{}: {}", path, header.error().text));
    }
    if (!header) return damaged_at(path, 0, kSegmentHeaderBytes, header.error().text);
    PENSTOCK_TRY(check_header(*header, path, at, partition, *file_bytes));
    auto segment = std::make_shared<Segment>();
    segment->path = path;
    segment->header = *header;
    segment->header_chain = chain_of(sector);
    segment->end = segment->first();
    return segment;
}

}  // namespace

Result<ScannedSegment> scan_segment(FileSystem& files, const std::string& path,
                                    const TopicPartition& at, const Uuid& partition, bool last,
                                    Segment* good) {
    auto file = files.open(path, OpenMode::read);
    if (!file) return std::move(file).error();
    auto opened = open_segment(**file, path, at, partition);
    if (!opened) return std::move(opened).error();
    Segment& segment = **opened;
    SegmentScanner scanner(**file, segment.header, segment.first(), kScanChunkBytes);
    Found found;
    for (;;) {
        const Place begin = scanner.place();
        auto next = scanner.next(segment.header.file_bytes);
        if (!next) return std::move(next).error();
        found = *next;
        if (found != Found::batch) break;
        segment.add(begin, scanner.place());
    }
    auto verdict = TailJudge(**file, segment, scanner, found).judge();
    if (!verdict) return std::move(verdict).error();
    ScannedSegment scanned{*opened, std::nullopt};
    if (verdict->bytes == 0) return scanned;  // clean end
    if (good) *good = segment;
    if (!verdict->damage.empty()) {
        return damaged_at(path, segment.end.position, verdict->bytes, verdict->damage);
    }
    if (!last) {
        return damaged_at(path, segment.end.position, verdict->bytes,
                          "its last batch is torn, but another segment follows");
    }
    scanned.tear = Tear{segment.end.position, verdict->bytes};
    return scanned;
}

Result<std::vector<Offset>> list_segments(FileSystem& files, const std::string& directory) {
    auto names = files.list(directory);
    if (!names) return std::move(names).error();
    std::vector<Offset> bases;
    for (const std::string& name : *names) {
        if (const auto base = base_of_segment(name)) bases.push_back(*base);
    }
    std::sort(bases.begin(), bases.end());
    return bases;
}

Result<void> check_follows(const Segment& before, const Segment& next) {
    if (next.base() != before.end.offset) {
        return refused(next.path,
                       fmt::format("a {} between segments: {} ends before offset {}, this "
                                   "one begins with {}",
                                   next.base() < before.end.offset ? "overlap" : "gap", before.path,
                                   before.end.offset.value(), next.base().value()));
    }
    if (next.header.previous != before.end.previous) {
        return refused(next.path, "it does not follow the segment before it");
    }
    return {};
}

namespace {

/// The record at `offset`, which the segment holds.
Result<std::uint32_t> fingerprint_at(FileSystem& files, const Segment& segment, Offset offset) {
    auto file = files.open(segment.path, OpenMode::read);
    if (!file) return std::move(file).error();
    SegmentScanner scanner(**file, segment.header, segment.find(offset), Segment::kIndexStep);
    for (;;) {
        auto found = scanner.next(segment.end.position);
        if (!found) return std::move(found).error();
        if (*found != Found::batch) return refused(segment.path, "it changed while it was read");
        if (scanner.view().header.end() > offset) break;
    }
    RecordDecoder decoder(scanner.view().header, scanner.view().bytes);
    Logged record;
    std::vector<Header> headers;
    do {
        headers.clear();
        PENSTOCK_TRY(decoder.next(record, headers));
    } while (record.offset < offset);
    record.headers = headers;
    return fingerprint(record);
}

Result<void> check_applied(FileSystem& files, const std::string& directory,
                           const RecoveredPartition& partition, const Applied& applied) {
    const auto& segments = partition.segments;
    const Offset start = segments.front()->base();
    const Offset end = segments.back()->end.offset;
    if (end < applied.next) {
        return refused(directory,
                       fmt::format("the log went back in time: it ends before offset {}, but the "
                                   "store has applied everything below {}. Restore the log that "
                                   "belongs to the store, or the store that belongs to the log",
                                   end.value(), applied.next.value()));
    }
    if (start > applied.next) {
        return refused(directory,
                       fmt::format("the log begins with offset {}, but the store needs it from {} "
                                   "on. Restore the log that belongs to the store",
                                   start.value(), applied.next.value()));
    }
    if (applied.next == start) return {};  // the record below is gone or never was
    const Offset last(applied.next.value() - 1);
    const auto segment = std::find_if(segments.begin(), segments.end(),
                                      [&](const auto& s) { return last < s->end.offset; });
    auto found = fingerprint_at(files, **segment, last);
    if (!found) return std::move(found).error();
    if (*found == applied.fingerprint) return {};
    return refused(directory,
                   fmt::format("history diverged: the record at offset {} is not the one that the "
                               "store has applied. Restore the log that belongs to the store, or "
                               "the store that belongs to the log",
                               last.value()));
}

Result<std::uint64_t> copy_range(File& from, std::uint64_t position, std::uint64_t bytes,
                                 File& to) {
    Buffer chunk;
    chunk.reserve(kZeroChunkBytes, 0);
    for (std::uint64_t done = 0; done < bytes;) {
        const auto want =
            static_cast<std::size_t>(std::min<std::uint64_t>(kZeroChunkBytes, bytes - done));
        auto read = from.read(position + done, chunk.first(want));
        if (!read) return std::move(read).error();
        if (*read == 0) break;
        PENSTOCK_TRY(to.write(done, Bytes(chunk.data(), *read)));
        done += *read;
    }
    return bytes;
}

Result<void> write_zeros(File& file, std::uint64_t position, std::uint64_t bytes) {
    const std::vector<std::byte> zeros(kZeroChunkBytes);
    for (std::uint64_t done = 0; done < bytes; done += kZeroChunkBytes) {
        const auto chunk =
            static_cast<std::size_t>(std::min<std::uint64_t>(kZeroChunkBytes, bytes - done));
        PENSTOCK_TRY(file.write(position + done, Bytes(zeros).first(chunk)));
    }
    return {};
}

/// Keeps the torn bytes beside the segment, then makes zeros of them. Stopped anywhere, the next
/// start finds a tear again: every step leaves fewer sectors, never other ones.
Result<void> cut(FileSystem& files, const std::string& directory, const Segment& segment,
                 const Tear& tear) {
    auto file = files.open(segment.path, OpenMode::read_write);
    if (!file) return std::move(file).error();
    const std::string copy_path = fmt::format("{}.broken-{:016x}", segment.path, tear.position);
    {
        auto copy = files.open(copy_path, OpenMode::create);
        if (!copy) return std::move(copy).error();
        PENSTOCK_TRY((*copy)->truncate(0));
        PENSTOCK_TRY(copy_range(**file, tear.position, tear.bytes, **copy));
        PENSTOCK_TRY((*copy)->sync());
    }
    PENSTOCK_TRY(files.sync_directory(directory));
    PENSTOCK_TRY(write_zeros(**file, tear.position, tear.bytes));
    return (*file)->sync();
}

/// A spare is deleted; one that something was appended to is not a spare of ours.
Result<void> clear_spare(FileSystem& files, const std::string& directory,
                         std::vector<std::string>& notes) {
    const std::string path = fmt::format("{}/{}", directory, kSpareName);
    if (!files.exists(path)) return {};
    std::array<std::byte, kSector> sector;
    {
        auto file = files.open(path, OpenMode::read);
        if (!file) return std::move(file).error();
        auto read = (*file)->read(kSegmentHeaderBytes, sector);
        if (!read) return std::move(read).error();
        if (all_zero(Bytes(sector).first(*read))) return files.remove(path);
    }
    std::string aside;
    for (int i = 0; aside.empty() || files.exists(aside); ++i) {
        aside = fmt::format("{}/spare.aside-{}", directory, i);
    }
    PENSTOCK_TRY(files.rename(path, aside));
    notes.push_back(fmt::format("{} held batches and was renamed to {}", path, aside));
    return {};
}

/// Segments that a trim let go of and did not get to delete.
Result<void> drop_below(FileSystem& files, const std::string& directory, std::vector<Offset>& bases,
                        Offset start) {
    while (bases.size() > 1 && bases[1] <= start) {
        PENSTOCK_TRY(files.remove(fmt::format("{}/{}", directory, segment_name(bases.front()))));
        bases.erase(bases.begin());
    }
    return {};
}

}  // namespace

Result<RecoveredPartition> recover_partition(FileSystem& files, const std::string& directory,
                                             const TopicPartition& at,
                                             const TopicMeta::Partition& meta,
                                             const std::optional<Applied>& applied) {
    auto bases = list_segments(files, directory);
    if (!bases && bases.error().code != Code::not_found) return std::move(bases).error();
    if (!bases || bases->empty()) return refused(directory, "there is no segment");
    PENSTOCK_TRY(drop_below(files, directory, *bases, meta.start));
    if (bases->front() != meta.start) {
        return refused(directory,
                       fmt::format("the first segment begins with offset {}, not with {}: "
                                   "one is missing",
                                   bases->front().value(), meta.start.value()));
    }
    RecoveredPartition partition;
    std::optional<Tear> tear;
    for (const Offset base : *bases) {
        const std::string path = fmt::format("{}/{}", directory, segment_name(base));
        auto scanned = scan_segment(files, path, at, meta.uuid, base == bases->back());
        if (!scanned) return std::move(scanned).error();
        if (!partition.segments.empty()) {
            PENSTOCK_TRY(check_follows(*partition.segments.back(), *scanned->segment));
        }
        partition.segments.push_back(std::move(scanned->segment));
        tear = scanned->tear;
    }
    if (applied) PENSTOCK_TRY(check_applied(files, directory, partition, *applied));
    if (tear) {
        const Segment& last = *partition.segments.back();
        PENSTOCK_TRY(cut(files, directory, last, *tear));
        partition.cut_bytes = tear->bytes;
        partition.cut_batches = 1;
        partition.notes.push_back(
            fmt::format("{}: the last batch was torn by a crash; {} bytes at position {} were cut "
                        "and kept in {}.broken-{:016x}",
                        last.path, tear->bytes, tear->position, last.path, tear->position));
    }
    PENSTOCK_TRY(clear_spare(files, directory, partition.notes));
    return partition;
}

}  // namespace penstock::logfile
