#include <fmt/format.h>

#include <algorithm>

#include "penstock/log/file/partition.h"

// Making, changing and deleting a partition's segments.
namespace penstock::logfile {
namespace {

constexpr std::size_t kZeroChunkBytes = 1024 * 1024;
/// Zeros are made durable in steps, so that they never hold up the sync of a batch for long.
constexpr std::uint64_t kZeroSyncBytes = 8 * 1024 * 1024;
constexpr std::chrono::milliseconds kNoSpaceRetry{100};

Result<void> write_zeros(File& file, std::uint64_t bytes, const std::function<bool()>& stopping) {
    const std::vector<std::byte> zeros(
        static_cast<std::size_t>(std::min<std::uint64_t>(kZeroChunkBytes, bytes)));
    for (std::uint64_t done = 0; done < bytes; done += zeros.size()) {
        if (stopping()) return error(Code::stopped, "the log is stopping");
        const auto chunk =
            static_cast<std::size_t>(std::min<std::uint64_t>(zeros.size(), bytes - done));
        PENSTOCK_TRY(file.write(done, Bytes(zeros).first(chunk)));
        if ((done + chunk) % kZeroSyncBytes == 0) PENSTOCK_TRY(file.sync());
    }
    return file.sync();
}

}  // namespace

Result<void> make_partition(FileSystem& files, Random& random, const std::string& directory,
                            const TopicPartition& at, const TopicMeta::Partition& meta,
                            std::uint64_t segment_bytes, LogTime now) {
    PENSTOCK_TRY(files.make_directory(directory));
    auto file =
        files.open(fmt::format("{}/{}", directory, segment_name(meta.start)), OpenMode::create);
    if (!file) return std::move(file).error();
    PENSTOCK_TRY(write_zeros(**file, segment_bytes, [] { return false; }));
    SegmentHeader header;
    header.segment = make_uuid_v7(now, random);
    header.partition_uuid = meta.uuid;
    header.at = at;
    header.base = meta.start;
    header.file_bytes = segment_bytes;
    PENSTOCK_TRY((*file)->write(0, encode(header)));
    PENSTOCK_TRY((*file)->sync());
    return files.sync_directory(directory);
}

std::uint64_t Partition::next_segment_bytes() const {
    return std::min<std::uint64_t>(
        round_to_sector(options_.segment_bytes),
        std::max<std::uint64_t>(active_->header.file_bytes * 2,
                                round_to_sector(options_.first_segment_bytes)));
}

Result<bool> Partition::take_spare(std::size_t padded, std::unique_ptr<File>& file,
                                   std::uint64_t& bytes) {
    const std::uint64_t wanted =
        std::max<std::uint64_t>(next_segment_bytes(), kSegmentHeaderBytes + padded);
    {
        const MutexLock lock(spare_mutex_);
        if (spare_ == Spare::ready && spare_bytes_ >= kSegmentHeaderBytes + padded) {
            file = std::move(spare_file_);
            bytes = spare_bytes_;
            spare_ = Spare::none;
            return true;
        }
        if (spare_ == Spare::wanted) return false;
        if (env_.clock.mono() < spare_retry_) return spare_error_;
        spare_ = Spare::wanted;
    }
    host_.want_spare(shared_from_this(), wanted);
    return false;
}

/// The next segment, long before it is needed.
void Partition::ask_ahead() {
    if (end_.position < active_->header.file_bytes / 2) return;
    {
        const MutexLock lock(spare_mutex_);
        if (spare_ != Spare::none || env_.clock.mono() < spare_retry_) return;
        spare_ = Spare::wanted;
    }
    host_.want_spare(shared_from_this(), next_segment_bytes());
}

void Partition::make_spare(std::uint64_t bytes, const std::function<bool()>& stopping) {
    auto file = write_spare(bytes, stopping);
    const bool fatal = !file && file.error().code != Code::no_space &&
                       file.error().code != Code::stopped && file.error().code != Code::not_found;
    {
        const MutexLock lock(spare_mutex_);
        spare_ = file ? Spare::ready : Spare::none;
        spare_bytes_ = bytes;
        if (file) spare_file_ = std::move(*file);
        if (!file) {
            spare_error_ = file.error();
            spare_retry_ = env_.clock.mono() + kNoSpaceRetry;
        }
    }
    if (fatal) {
        mark_stopped(file.error());
        refuse(file.error());
        host_.fatal(at_, file.error());
    }
    host_.ready(shared_from_this());
}

Result<std::unique_ptr<File>> Partition::write_spare(std::uint64_t bytes,
                                                     const std::function<bool()>& stopping) {
    const std::string path = fmt::format("{}/{}", directory_, kSpareName);
    auto free = env_.files.free_bytes(directory_);
    if (!free) return std::move(free).error();
    if (*free < bytes) {
        return error(Code::no_space,
                     fmt::format("the disk has {} bytes left; the next segment of {}/{} needs {}. "
                                 "Free some or shorten the topic's retention",
                                 *free, at_.topic.value(), at_.partition.value(), bytes));
    }
    auto file = env_.files.open(path, OpenMode::create);
    if (!file) return std::move(file).error();
    auto written = (*file)->truncate(0);
    if (written) written = write_zeros(**file, bytes, stopping);
    if (written) return std::move(*file);
    // It holds nothing; the space goes back at once.
    file->reset();
    (void)env_.files.remove(path).ok();
    return std::move(written).error();
}

/// Header, sync, rename, sync of the directory: only then may a batch follow.
Result<void> Partition::roll(std::unique_ptr<File> file, std::uint64_t file_bytes) {
    // A segment without any batch is replaced: its successor has the same base and the same past.
    const bool replaces = end_.position == kSegmentHeaderBytes;
    auto next = std::make_shared<Segment>();
    next->header = active_->header;
    next->header.segment = make_uuid_v7(env_.clock.wall(), env_.random);
    next->header.file_bytes = file_bytes;
    if (!replaces) {
        next->header.base = end_.offset;
        next->header.previous = end_.previous;
        next->header.previous_time = end_.time;
    }
    next->path = fmt::format("{}/{}", directory_, segment_name(next->header.base));
    const SegmentHeaderBytes sector = encode(next->header);
    next->header_chain = chain_of(sector);
    next->end = next->first();
    PENSTOCK_TRY(file->write(0, sector));
    PENSTOCK_TRY(file->sync());
    PENSTOCK_TRY(env_.files.rename(fmt::format("{}/{}", directory_, kSpareName), next->path));
    PENSTOCK_TRY(env_.files.sync_directory(directory_));
    file_ = std::move(file);
    active_ = next;
    end_ = next->end;
    const MutexLock lock(read_mutex_);
    if (replaces) segments_.pop_back();
    segments_.push_back(std::move(next));
    return {};
}

Offset Partition::start_after(const TopicSpec& spec, Offset before, LogTime now) {
    const MutexLock lock(read_mutex_);
    std::uint64_t bytes = 0;
    for (const auto& segment : segments_) bytes += segment->header.file_bytes;
    Offset start = segments_.front()->base();
    for (std::size_t i = 0; i + 1 < segments_.size(); ++i) {
        const Segment& segment = *segments_[i];
        if (segment.end.offset > before) break;
        const bool too_old = spec.retention_time && segment.end.time < now - *spec.retention_time;
        const bool too_big =
            spec.retention_bytes && bytes - segment.header.file_bytes >= *spec.retention_bytes;
        if (!too_old && !too_big) break;
        bytes -= segment.header.file_bytes;
        start = segment.end.offset;
    }
    return start;
}

Result<void> Partition::drop_below(Offset start) {
    std::vector<std::string> paths;
    {
        const MutexLock lock(read_mutex_);
        while (segments_.size() > 1 && segments_.front()->end.offset <= start) {
            paths.push_back(segments_.front()->path);
            segments_.pop_front();
        }
        while (!cached_.empty() && cached_.front().header.base < start) {
            cached_bytes_ -= cached_.front().owner->capacity();
            cached_.pop_front();
        }
    }
    // A reader that has one open goes on with it; a name that stays goes at the next start.
    for (const std::string& path : paths) PENSTOCK_TRY(env_.files.remove(path));
    return {};
}

std::vector<std::shared_ptr<Segment>> Partition::closed_segments() {
    const MutexLock lock(read_mutex_);
    return {segments_.begin(), segments_.end() - 1};
}

}  // namespace penstock::logfile
