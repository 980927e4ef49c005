#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "penstock/base/env.h"
#include "penstock/base/guarded.h"
#include "penstock/log/file/buffer.h"
#include "penstock/log/file/recovery.h"
#include "penstock/log/follower.h"

namespace penstock::logfile {

class Partition;

/// What partitions ask of the log they belong to. Threads: any.
class PartitionHost {
public:
    virtual ~PartitionHost() = default;
    /// Something waits to be written.
    virtual void ready(const std::shared_ptr<Partition>& partition) = 0;
    /// A spare segment of `bytes` is wanted: make_spare() on another body.
    virtual void want_spare(const std::shared_ptr<Partition>& partition, std::uint64_t bytes) = 0;
    virtual void durable_end_moved() = 0;
    virtual void fatal(const TopicPartition& at, const Error& why) = 0;
};

/// Records of one append() call, or of several neighbours, that one sink hears of.
struct Ticket {
    AppendSink* sink;
    std::uint64_t first_tag;
    std::uint32_t count;
};

/// Calls each sink once with its results of a batch: offsets from `base` on, or its error for all.
/// Reused, so that nothing is allocated. Threads: one.
class Delivery {
public:
    void run(const std::vector<Ticket>& tickets, const Result<Offset>& base);

private:
    struct Placed {
        Ticket ticket;
        std::size_t order;
        std::uint64_t first;  ///< index of its first record in the batch
    };
    void add(const Placed& placed, const Result<Offset>& base);

    std::vector<Placed> placed_;
    std::vector<Appended> results_;
};

/// What a reader needs to go on: batches from memory, or a segment and a place in it.
struct ReadPlan {
    OffsetRange range;
    std::vector<BatchView> cached;
    struct OnDisk {
        std::string path;
        SegmentHeader header;
        Place place;              ///< at or before the offset
        std::uint64_t limit = 0;  ///< position behind what is durable
    };
    std::optional<OnDisk> disk;
};

/// One partition's segments, the appends that wait, and the batches that are read again soon.
/// Threads: append, read side and refusals any; write_next() the writer; make_spare() the
/// preparer.
// Shared by the log's table, the queues of its bodies, and readers that outlive a removed topic.
class Partition final : public std::enable_shared_from_this<Partition> {
public:
    /// `options`, `host`, `pool` outlive it. Opens the active segment.
    static Result<std::shared_ptr<Partition>> open(Env& env, const FileLogOptions& options,
                                                   PartitionHost& host,
                                                   std::shared_ptr<BufferPool> pool,
                                                   TopicPartition at, std::string directory,
                                                   const Uuid& uuid,
                                                   std::deque<std::shared_ptr<Segment>> segments);

    const TopicPartition& at() const { return at_; }

    void append(std::span<const Record> records, std::uint64_t first_tag, AppendSink& sink);

    enum class Wrote : std::uint8_t {
        batch,    ///< one batch; call again
        nothing,  ///< nothing waits
        blocked,  ///< the next batch needs a spare; ready() comes when it is there
    };
    Wrote write_next(Delivery& delivery);
    /// Fills a spare segment with zeros. Gives up when `stopping` says so.
    void make_spare(std::uint64_t bytes, const std::function<bool()>& stopping);

    /// From now on appends are answered with `why`; what waits and is not being written, too.
    void refuse(const Error& why);
    /// From now on appends are answered with `why`; what waits is still written.
    void close(const Error& why);
    /// Answers what is still in hand; nothing of it is written any more unless it already is.
    void abandon(const Error& unknown, const Error& never);
    /// Nothing waits, nothing is being written or answered.
    bool idle();

    /// out_of_range, or what stopped the partition.
    Result<ReadPlan> plan(Offset from, std::size_t max_bytes);
    Result<OffsetRange> range();
    Result<Offset> offset_at(LogTime time);
    PartitionInfo info();
    /// Start after letting go of what `spec` no longer keeps; does not change anything.
    Offset start_after(const TopicSpec& spec, Offset before, LogTime now);
    /// Forgets and deletes the segments below `start`, which is durable in topic.meta.
    Result<void> drop_below(Offset start);
    std::vector<std::shared_ptr<Segment>> closed_segments();
    /// Damage met while running: no append, no read, until a restart decides.
    void stop_damaged(const Error& why);
    /// The topic is gone: no append, no read.
    void stop_removed(const Error& why);

private:
    /// A batch while it is filled.
    struct Building {
        Buffer buffer;
        std::size_t size = kBatchHeaderBytes;
        std::uint32_t count = 0;
        LayoutId layout;
        std::vector<Ticket> tickets;
    };
    enum class Spare : std::uint8_t { none, wanted, ready };

    Partition(Env& env, const FileLogOptions& options, PartitionHost& host,
              std::shared_ptr<BufferPool> pool, TopicPartition at, std::string directory,
              const Uuid& uuid, std::deque<std::shared_ptr<Segment>> segments);

    Result<void> enqueue(const Record& record, std::uint64_t tag, AppendSink& sink)
        REQUIRES(append_mutex_);
    Building& building_for(const Record& record) REQUIRES(append_mutex_);
    std::unique_ptr<Building> take_front();
    void put_back(std::unique_ptr<Building> building, Delivery& delivery);
    std::optional<Error> refusal();
    std::vector<Ticket> take_waiting() REQUIRES(append_mutex_);
    void answer_writing(const Result<Offset>& base, Delivery& delivery);
    void answer_now(const std::vector<Ticket>& tickets, const Error& why);

    /// True: the next segment's file is in spare_file_. False: asked for, or there is no space.
    Result<bool> take_spare(std::size_t padded, std::unique_ptr<File>& file, std::uint64_t& bytes);
    Result<void> roll(std::unique_ptr<File> file, std::uint64_t file_bytes);
    void ask_ahead();
    std::uint64_t next_segment_bytes() const;
    Result<std::unique_ptr<File>> write_spare(std::uint64_t bytes,
                                              const std::function<bool()>& stopping);

    Result<void> write(Building& building);
    BatchView keep_view(Building& building, const BatchHeader& header, Chain crc);
    void publish(const Place& begin, BatchView view);
    void die(const Error& why, Delivery& delivery);
    void mark_stopped(const Error& why);

    Env& env_;
    const FileLogOptions& options_;
    PartitionHost& host_;
    const std::shared_ptr<BufferPool> pool_;  // shared with the batches that readers still hold
    const TopicPartition at_;
    const std::string directory_;
    const Uuid uuid_;

    // The writer's.
    std::shared_ptr<Segment> active_;
    std::unique_ptr<File> file_;
    Place end_;

    Mutex append_mutex_;
    std::deque<std::unique_ptr<Building>> waiting_ GUARDED_BY(append_mutex_);
    std::vector<Ticket> writing_ GUARDED_BY(append_mutex_);  ///< whoever takes them answers them
    std::unique_ptr<Building> free_ GUARDED_BY(append_mutex_);
    std::size_t pending_bytes_ GUARDED_BY(append_mutex_) = 0;
    std::size_t pending_records_ GUARDED_BY(append_mutex_) = 0;
    bool queued_ GUARDED_BY(append_mutex_) = false;  ///< the writer knows that something waits
    int answering_ GUARDED_BY(append_mutex_) = 0;    ///< calls to sinks that run now
    std::optional<Error> refusal_ GUARDED_BY(append_mutex_);
    bool dead_ GUARDED_BY(append_mutex_) = false;  ///< nothing that waits is written any more

    Mutex spare_mutex_;
    Spare spare_ GUARDED_BY(spare_mutex_) = Spare::none;
    std::uint64_t spare_bytes_ GUARDED_BY(spare_mutex_) = 0;
    std::unique_ptr<File> spare_file_ GUARDED_BY(spare_mutex_);
    MonoTime spare_retry_ GUARDED_BY(spare_mutex_) = MonoTime::min();
    Error spare_error_ GUARDED_BY(spare_mutex_);

    Mutex read_mutex_;
    std::deque<std::shared_ptr<Segment>> segments_ GUARDED_BY(read_mutex_);  // shared with scrub
    std::deque<BatchView> cached_ GUARDED_BY(read_mutex_);
    std::size_t cached_bytes_ GUARDED_BY(read_mutex_) = 0;
    std::optional<Error> stopped_ GUARDED_BY(read_mutex_);
};

/// A new partition's directory with its first segment, synced up to the directory itself.
Result<void> make_partition(FileSystem& files, Random& random, const std::string& directory,
                            const TopicPartition& at, const TopicMeta::Partition& meta,
                            std::uint64_t segment_bytes, LogTime now);

}  // namespace penstock::logfile
