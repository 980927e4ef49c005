#include "penstock/log/memory/memory_log.h"

#include <fmt/format.h>

#include <utility>

#include "penstock/log/memory/memory_state.h"

namespace penstock {
namespace {

class MemoryReader final : public PartitionReader {
public:
    MemoryReader(MemoryLogState& state, TopicPartition at) : state_(state), at_(std::move(at)) {}
    Result<OffsetRange> range() override { return state_.range(at_); }
    Result<std::unique_ptr<ReadBatch>> read(Offset from, const ReadLimits& limits) override {
        return state_.read(at_, from, limits);
    }

private:
    MemoryLogState& state_;
    const TopicPartition at_;
};

}  // namespace

MemoryLogDisk::MemoryLogDisk() : state_(std::make_unique<MemoryLogState>()) {}
MemoryLogDisk::~MemoryLogDisk() = default;
void MemoryLogDisk::crash() {
    state_->begin_life();
}

/// Records of one append() call that wait together.
struct MemoryLog::Pending {
    AppendSink* sink;
    std::uint64_t first_tag;
    StoredRecords records;
    std::size_t count;  ///< of records, also after they were moved to the disk
};

struct MemoryLog::Queue {
    std::vector<Pending> waiting;
    std::vector<Pending> writing;  ///< whoever takes them from here answers them
    std::size_t records = 0;
    std::size_t bytes = 0;
};

MemoryLog::MemoryLog(Env& env, const MemoryLogOptions& options)
    : env_(env),
      options_(options),
      own_disk_(std::make_unique<MemoryLogDisk>()),
      state_(*own_disk_->state_),
      life_(state_.begin_life()),
      wake_(env.executor.make_wake()),
      sync_wake_(env.executor.make_wake()),
      task_(env.executor.spawn("log-memory", [this] { run(); })) {}

MemoryLog::MemoryLog(Env& env, MemoryLogDisk& disk, const MemoryLogOptions& options)
    : env_(env),
      options_(options),
      state_(*disk.state_),
      life_(state_.begin_life()),
      wake_(env.executor.make_wake()),
      sync_wake_(env.executor.make_wake()),
      task_(env.executor.spawn("log-memory", [this] { run(); })) {}

MemoryLog::~MemoryLog() {
    stop(env_.clock.mono());
    {
        const MutexLock lock(mutex_);
        closing_ = true;
    }
    wake_->notify();
    sync_wake_->notify();
    task_.reset();
}

Result<void> MemoryLog::create(const TopicSpec& spec) {
    PENSTOCK_TRY(check_spec(spec));
    return state_.create(spec, env_.clock.wall(), env_.random);
}

Result<void> MemoryLog::alter(const TopicSpec& spec) {
    PENSTOCK_TRY(check_spec(spec));
    return state_.alter(spec, env_.clock.wall(), env_.random);
}

Result<void> MemoryLog::remove(const TopicId& topic) {
    PENSTOCK_TRY(state_.remove(topic));
    std::vector<Pending> dropped;
    {
        const MutexLock lock(mutex_);
        for (auto& [at, queue] : queues_) {
            if (at.topic != topic) continue;
            for (auto& pending : queue.waiting) dropped.push_back(std::move(pending));
            queue.waiting.clear();
            queue.records = queue.bytes = 0;
        }
    }
    answer_all(std::move(dropped), error(Code::not_found, "the topic was removed"));
    appended_.notify();
    return {};
}

Result<std::vector<TopicInfo>> MemoryLog::describe(const std::optional<TopicId>& topic) {
    return state_.describe(topic);
}

void MemoryLog::append(const TopicPartition& at, std::span<const Record> records,
                       std::uint64_t first_tag, AppendSink& sink) {
    Pending pending{&sink, first_tag, {}, 0};
    std::vector<Appended> refused;
    const bool known = state_.has(at);
    const auto keep = [&](std::uint64_t tag) {
        // A refused record cuts the call: what follows gets its own run of tags.
        if (pending.records.empty()) pending.first_tag = tag;
        return pending.first_tag + pending.records.size() == tag;
    };
    {
        const MutexLock lock(mutex_);
        Queue& queue = queues_[at];
        const auto enqueue = [&] {
            pending.count = pending.records.size();
            if (pending.count > 0) queue.waiting.push_back(std::move(pending));
            pending = Pending{&sink, 0, {}, 0};
        };
        for (std::size_t i = 0; i < records.size(); ++i) {
            const std::uint64_t tag = first_tag + i;
            Result<void> good = check_record(records[i]);
            if (stopping_) good = error(Code::stopped, "the log is stopping");
            if (good && !known) {
                good = error(Code::not_found, fmt::format("there is no partition {}/{}",
                                                          at.topic.value(), at.partition.value()));
            }
            if (good && (queue.records >= options_.max_pending_records ||
                         queue.bytes >= options_.max_pending_bytes)) {
                good = error(Code::overloaded, "the log's queue is full; try later");
            }
            if (!good) {
                refused.push_back({tag, std::move(good).error()});
                continue;
            }
            if (!keep(tag)) {
                enqueue();
                keep(tag);
            }
            pending.records.push_back(std::make_shared<StoredRecord>(records[i]));
            ++queue.records;
            queue.bytes += pending.records.back()->bytes();
        }
        enqueue();
    }
    wake_->notify();
    if (!refused.empty()) sink.appended(refused);
}

Result<std::unique_ptr<ReadBatch>> MemoryLog::read(const TopicPartition& at, Offset from,
                                                   const ReadLimits& limits) {
    return state_.read(at, from, limits);
}

Result<Offset> MemoryLog::offset_at(const TopicPartition& at, LogTime time) {
    return state_.offset_at(at, time);
}

Result<std::unique_ptr<Subscription>> MemoryLog::subscribe(const GroupSpec& group) {
    auto follower = std::make_unique<Follower>(
        env_, appended_,
        [this](const TopicPartition& at) -> Result<std::unique_ptr<PartitionReader>> {
            auto range = state_.range(at);
            if (!range) return std::move(range).error();
            return std::unique_ptr<PartitionReader>(std::make_unique<MemoryReader>(state_, at));
        });
    for (const TopicPartition& at : group.manual) PENSTOCK_TRY(follower->assign(at));
    return std::unique_ptr<Subscription>(std::move(follower));
}

Result<Offset> MemoryLog::trim(const TopicPartition& at, Offset before, LogTime now) {
    return state_.trim(at, before, now, options_.segment_records);
}

void MemoryLog::stop(MonoTime by) {
    {
        const MutexLock lock(mutex_);
        stopping_ = true;
    }
    const auto drained = env_.executor.make_wake();
    drained_.add(*drained);
    while (!idle() && env_.clock.mono() < by) drained->wait_until(by);
    drained_.remove(*drained);
    std::vector<Pending> late;
    {
        const MutexLock lock(mutex_);
        for (auto& [at, queue] : queues_) {
            for (auto& pending : queue.writing) late.push_back(std::move(pending));
            for (auto& pending : queue.waiting) late.push_back(std::move(pending));
            queue = Queue{};
        }
    }
    answer_all(std::move(late), unknown_effect(Code::stopped, "the log stopped before it knew"));
}

bool MemoryLog::idle() {
    const MutexLock lock(mutex_);
    for (const auto& [at, queue] : queues_) {
        if (!queue.waiting.empty() || !queue.writing.empty()) return false;
    }
    return true;
}

void MemoryLog::run() {
    for (;;) {
        const bool wrote = write_round();
        {
            const MutexLock lock(mutex_);
            if (closing_) return;
        }
        if (wrote) continue;
        drained_.notify();
        wake_->wait_until(kNever);
    }
}

/// Lets time pass, so that others run between append and durable. False: the log is closing.
bool MemoryLog::sync() {
    const MonoTime done = env_.clock.mono() + options_.sync_time;
    do {
        sync_wake_->wait_until(done);
        const MutexLock lock(mutex_);
        if (closing_) return false;
    } while (env_.clock.mono() < done);
    return true;
}

/// One batch of each partition that has something; false: nothing was there.
bool MemoryLog::write_round() {
    std::vector<std::pair<TopicPartition, StoredRecords>> batches;
    {
        const MutexLock lock(mutex_);
        for (auto& [at, queue] : queues_) {
            StoredRecords records;
            std::size_t calls = 0;
            while (calls < queue.waiting.size() && records.size() < options_.max_batch_records) {
                auto& call = queue.waiting[calls++].records;
                for (auto& record : call) {
                    --queue.records;
                    queue.bytes -= record->bytes();
                    records.push_back(std::move(record));
                }
            }
            if (calls == 0) continue;
            const auto last = queue.waiting.begin() + static_cast<std::ptrdiff_t>(calls);
            queue.writing.assign(std::make_move_iterator(queue.waiting.begin()),
                                 std::make_move_iterator(last));
            queue.waiting.erase(queue.waiting.begin(), last);
            batches.emplace_back(at, std::move(records));
        }
    }
    if (batches.empty()) return false;
    if (!sync()) return true;  // closing: stop() has answered what was being written
    for (auto& [at, records] : batches) {
        Result<Offset> base = state_.write(life_, at, std::move(records), env_.clock.wall());
        appended_.notify();
        std::vector<Pending> written;
        {
            const MutexLock lock(mutex_);
            written.swap(queues_[at].writing);
        }
        for (const Pending& batch : written) {
            answer(batch, base);
            if (base) *base = Offset(base->value() + batch.count);
        }
    }
    return true;
}

void MemoryLog::answer(const Pending& batch, const Result<Offset>& base) {
    std::vector<Appended> results;
    results.reserve(batch.count);
    for (std::size_t i = 0; i < batch.count; ++i) {
        results.push_back({batch.first_tag + i, base ? Result<Offset>(Offset(base->value() + i))
                                                     : Result<Offset>(base.error())});
    }
    batch.sink->appended(results);
}

void MemoryLog::answer_all(std::vector<Pending> batches, const Error& why) {
    for (const Pending& batch : batches) answer(batch, why);
}

}  // namespace penstock
