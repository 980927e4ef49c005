#include "penstock/log/file/partition.h"

#include <fmt/format.h>

#include <algorithm>

namespace penstock::logfile {
namespace {

/// A buffer much larger than its batch is not kept for readers: they get a copy that fits.
constexpr std::size_t kWasteful = 4;
constexpr std::size_t kSmallBuffer = 64 * 1024;

Error overloaded() {
    return error(Code::overloaded, "the log's queue is full; try later");
}

}  // namespace

Result<std::shared_ptr<Partition>> Partition::open(Env& env, const FileLogOptions& options,
                                                   PartitionHost& host,
                                                   std::shared_ptr<BufferPool> pool,
                                                   TopicPartition at, std::string directory,
                                                   const Uuid& uuid,
                                                   std::deque<std::shared_ptr<Segment>> segments) {
    auto file = env.files.open(segments.back()->path, OpenMode::read_write);
    if (!file) return std::move(file).error();
    // The constructor is private, so no make_shared.
    std::shared_ptr<Partition> partition(new Partition(env, options, host, std::move(pool),
                                                       std::move(at), std::move(directory), uuid,
                                                       std::move(segments)));
    partition->file_ = std::move(*file);
    return partition;
}

Partition::Partition(Env& env, const FileLogOptions& options, PartitionHost& host,
                     std::shared_ptr<BufferPool> pool, TopicPartition at, std::string directory,
                     const Uuid& uuid, std::deque<std::shared_ptr<Segment>> segments)
    : env_(env),
      options_(options),
      host_(host),
      pool_(std::move(pool)),
      at_(std::move(at)),
      directory_(std::move(directory)),
      uuid_(uuid),
      active_(segments.back()),
      end_(active_->end),
      segments_(std::move(segments)) {}

void Partition::append(std::span<const Record> records, std::uint64_t first_tag, AppendSink& sink) {
    std::vector<Appended> refused;
    bool wake = false;
    {
        const MutexLock lock(append_mutex_);
        for (std::size_t i = 0; i < records.size(); ++i) {
            auto queued = enqueue(records[i], first_tag + i, sink);
            if (!queued) refused.push_back({first_tag + i, std::move(queued).error()});
        }
        if (!queued_ && !waiting_.empty()) queued_ = wake = true;
    }
    if (wake) host_.ready(shared_from_this());
    if (!refused.empty()) sink.appended(refused);
}

Result<void> Partition::enqueue(const Record& record, std::uint64_t tag, AppendSink& sink) {
    if (refusal_) return *refusal_;
    PENSTOCK_TRY(check_record(record));
    if (pending_bytes_ >= options_.max_pending_bytes ||
        pending_records_ >= options_.max_pending_records) {
        return overloaded();
    }
    Building& building = building_for(record);
    const std::size_t bytes = encoded_bytes(record, building.layout);
    building.buffer.reserve(round_to_sector(building.size + bytes), building.size);
    encode(record, building.layout, building.buffer.data() + building.size);
    building.size += bytes;
    building.count += 1;
    pending_bytes_ += bytes;
    ++pending_records_;
    auto& tickets = building.tickets;
    if (!tickets.empty() && tickets.back().sink == &sink &&
        tickets.back().first_tag + tickets.back().count == tag) {
        ++tickets.back().count;
    } else {
        tickets.push_back({&sink, tag, 1});
    }
    return {};
}

/// The last one that waits, or a new one where the record would make that too long.
Partition::Building& Partition::building_for(const Record& record) {
    if (!waiting_.empty()) {
        Building& last = *waiting_.back();
        if (last.count < options_.max_batch_records &&
            last.size + encoded_bytes(record, last.layout) <= options_.max_batch_bytes) {
            return last;
        }
    }
    std::unique_ptr<Building> building = std::move(free_);
    if (!building) building = std::make_unique<Building>();
    if (building->buffer.capacity() == 0) building->buffer = pool_->take();
    building->layout = record.layout;
    waiting_.push_back(std::move(building));
    return *waiting_.back();
}

std::unique_ptr<Partition::Building> Partition::take_front() {
    const MutexLock lock(append_mutex_);
    if (waiting_.empty()) {
        queued_ = false;
        return nullptr;
    }
    auto building = std::move(waiting_.front());
    waiting_.pop_front();
    writing_.swap(building->tickets);
    building->tickets.clear();
    pending_bytes_ -= building->size - kBatchHeaderBytes;
    pending_records_ -= building->count;
    return building;
}

/// Waits for a spare again, unless nothing is to be written any more: then it is answered.
void Partition::put_back(std::unique_ptr<Building> building, Delivery& delivery) {
    {
        const MutexLock lock(append_mutex_);
        if (writing_.empty()) return;  // answered meanwhile by abandon()
        if (!dead_) {
            building->tickets.swap(writing_);
            pending_bytes_ += building->size - kBatchHeaderBytes;
            pending_records_ += building->count;
            waiting_.push_front(std::move(building));
            return;
        }
    }
    answer_writing(*refusal(), delivery);
}

std::optional<Error> Partition::refusal() {
    const MutexLock lock(append_mutex_);
    return refusal_;
}

Partition::Wrote Partition::write_next(Delivery& delivery) {
    auto building = take_front();
    if (!building) return Wrote::nothing;
    const std::size_t padded = round_to_sector(building->size);
    if (end_.position + padded > active_->header.file_bytes) {
        std::unique_ptr<File> spare;
        std::uint64_t spare_bytes = 0;
        auto taken = take_spare(padded, spare, spare_bytes);
        if (!taken) {
            answer_writing(taken.error(), delivery);
            return Wrote::batch;
        }
        if (!*taken) {
            put_back(std::move(building), delivery);
            return Wrote::blocked;
        }
        if (auto rolled = roll(std::move(spare), spare_bytes); !rolled) {
            die(rolled.error(), delivery);
            return Wrote::nothing;
        }
    }
    const Offset base = end_.offset;
    if (auto written = write(*building); !written) {
        die(written.error(), delivery);
        return Wrote::nothing;
    }
    host_.durable_end_moved();
    answer_writing(base, delivery);
    ask_ahead();
    const MutexLock lock(append_mutex_);
    if (!free_) {
        building->size = kBatchHeaderBytes;
        building->count = 0;
        free_ = std::move(building);
    }
    return Wrote::batch;
}

/// The one place where a batch becomes durable: nobody hears of it before sync() returned.
Result<void> Partition::write(Building& building) {
    BatchHeader header;
    header.length = static_cast<std::uint32_t>(building.size);
    header.count = building.count;
    header.layout = building.layout;
    header.base = end_.offset;
    header.time = std::max(end_.time, env_.clock.wall());
    header.previous = end_.previous;
    const std::span<std::byte> bytes = building.buffer.first(header.padded());
    const Chain crc = seal(header, batch_seed(active_->header.segment), bytes);

    const MonoTime began = env_.clock.mono();
    PENSTOCK_TRY(file_->write(end_.position, bytes));
    PENSTOCK_TRY(file_->sync());
    if (options_.observer) {
        options_.observer->synced(header.count, bytes.size(), env_.clock.mono() - began);
    }
    const Place begin = end_;
    end_ = {begin.position + header.padded(), header.end(), crc, header.time};
    publish(begin, keep_view(building, header, crc));
    return {};
}

/// The batch for readers that are close behind. Takes the buffer unless that is far too large.
BatchView Partition::keep_view(Building& building, const BatchHeader& header, Chain crc) {
    const std::size_t padded = header.padded();
    Buffer kept;
    if (building.buffer.capacity() > kSmallBuffer &&
        building.buffer.capacity() > kWasteful * padded) {
        kept.reserve(padded, 0);
        std::memcpy(kept.data(), building.buffer.data(), padded);
    } else {
        kept = std::move(building.buffer);
    }
    // Shared with readers; the last of them gives the memory back.
    const std::shared_ptr<Buffer> owner(new Buffer(std::move(kept)),
                                        [pool = pool_](Buffer* buffer) {
                                            pool->give(std::move(*buffer));
                                            delete buffer;
                                        });
    return {owner, Bytes(owner->data(), padded), header, crc, end_.position};
}

void Partition::publish(const Place& begin, BatchView view) {
    std::vector<BatchView> dropped;  // their memory goes back outside the lock
    const MutexLock lock(read_mutex_);
    active_->add(begin, end_);
    cached_bytes_ += view.owner->capacity();
    cached_.push_back(std::move(view));
    while (cached_.size() > 1 && cached_bytes_ > options_.cache_bytes) {
        cached_bytes_ -= cached_.front().owner->capacity();
        dropped.push_back(std::move(cached_.front()));
        cached_.pop_front();
    }
}

void Partition::answer_writing(const Result<Offset>& base, Delivery& delivery) {
    std::vector<Ticket> tickets;
    {
        const MutexLock lock(append_mutex_);
        tickets.swap(writing_);
        ++answering_;
    }
    delivery.run(tickets, base);
    const MutexLock lock(append_mutex_);
    --answering_;
    tickets.clear();
    if (writing_.capacity() == 0) writing_.swap(tickets);  // its memory, for the next batch
}

void Partition::answer_now(const std::vector<Ticket>& tickets, const Error& why) {
    Delivery delivery;
    delivery.run(tickets, why);
    const MutexLock lock(append_mutex_);
    --answering_;
}

std::vector<Ticket> Partition::take_waiting() {
    std::vector<Ticket> tickets;
    for (const auto& building : waiting_) {
        tickets.insert(tickets.end(), building->tickets.begin(), building->tickets.end());
    }
    waiting_.clear();
    pending_bytes_ = pending_records_ = 0;
    return tickets;
}

void Partition::refuse(const Error& why) {
    std::vector<Ticket> tickets;
    {
        const MutexLock lock(append_mutex_);
        refusal_ = why;
        dead_ = true;
        tickets = take_waiting();
        ++answering_;
    }
    answer_now(tickets, why);
}

void Partition::close(const Error& why) {
    const MutexLock lock(append_mutex_);
    if (!refusal_) refusal_ = why;
}

void Partition::abandon(const Error& unknown, const Error& never) {
    std::vector<Ticket> unwritten;
    std::vector<Ticket> written;  // perhaps
    {
        const MutexLock lock(append_mutex_);
        refusal_ = never;
        dead_ = true;
        unwritten = take_waiting();
        written.swap(writing_);
        answering_ += 2;
    }
    answer_now(unwritten, never);
    answer_now(written, unknown);
}

bool Partition::idle() {
    const MutexLock lock(append_mutex_);
    return waiting_.empty() && writing_.empty() && answering_ == 0;
}

void Partition::mark_stopped(const Error& why) {
    const MutexLock lock(read_mutex_);
    if (!stopped_) stopped_ = why;
}

/// A write or sync failed: what it was to make durable may be there or not, and asking the kernel
/// again would not tell (it marks such pages clean).
void Partition::die(const Error& why, Delivery& delivery) {
    mark_stopped(why);
    answer_writing(unknown_effect(why.code, why.text), delivery);
    refuse(why);
    host_.durable_end_moved();
    host_.fatal(at_, why);
}

void Partition::stop_damaged(const Error& why) {
    mark_stopped(why);
    refuse(why);
    host_.durable_end_moved();
    if (options_.observer) options_.observer->partition_stopped(at_, why);
}

void Partition::stop_removed(const Error& why) {
    mark_stopped(why);
    refuse(why);
    host_.durable_end_moved();
}

}  // namespace penstock::logfile
