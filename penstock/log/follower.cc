#include "penstock/log/follower.h"

#include <fmt/format.h>

#include <algorithm>

namespace penstock {
namespace {

std::size_t bytes_of(const Logged& record) {
    std::size_t bytes = record.key ? record.key->size() : 0;
    bytes += record.value ? record.value->size() : 0;
    for (const Header& header : record.headers) bytes += header.name.size() + header.value.size();
    return bytes;
}

}  // namespace

void WakeSet::add(Wake& wake) {
    const MutexLock lock(mutex_);
    wakes_.push_back(&wake);
}

void WakeSet::remove(Wake& wake) {
    const MutexLock lock(mutex_);
    std::erase(wakes_, &wake);
}

void WakeSet::notify() noexcept {
    // Under the lock, so that no Wake dies meanwhile; notify() itself never calls back.
    const MutexLock lock(mutex_);
    for (Wake* wake : wakes_) wake->notify();
}

Follower::Follower(Env& env, WakeSet& appended, OpenReader open_reader)
    : env_(env),
      appended_(appended),
      open_reader_(std::move(open_reader)),
      wake_(env.executor.make_wake()) {
    appended_.add(*wake_);
}

Follower::~Follower() {
    appended_.remove(*wake_);
}

Result<Subscription::Polled> Follower::poll(const ReadLimits& limits, MonoTime until) {
    for (;;) {
        slices_.clear();
        batches_.clear();
        PENSTOCK_TRY(fill(limits));
        if (!slices_.empty() || !granted_.empty() || woken_.exchange(false)) break;
        if (env_.clock.mono() >= until) break;
        wake_->wait_until(until);
    }
    Polled polled;
    polled.granted.swap(granted_);
    polled.slices = slices_;
    return polled;
}

/// One round over the partitions, each at most once, so that a busy one does not starve the rest.
Result<void> Follower::fill(const ReadLimits& limits) {
    ReadLimits left = limits;
    auto at = served_last_ ? followed_.upper_bound(*served_last_) : followed_.begin();
    for (std::size_t i = 0; i < followed_.size() && left.max_records > 0; ++i, ++at) {
        if (at == followed_.end()) at = followed_.begin();
        auto filled = fill_from(at->first, at->second, left);
        if (!filled) {
            if (!slices_.empty()) return {};  // what is there first; the error comes again
            at->second.started = false;
            return std::move(filled).error();
        }
        if (*filled) served_last_ = at->first;
        if (*filled && left.max_bytes == 0) break;
    }
    return {};
}

Result<bool> Follower::fill_from(const TopicPartition& at, Followed& followed, ReadLimits& left) {
    if (!followed.started || followed.paused) return false;
    auto batch = followed.reader->read(followed.next, left);
    if (!batch) return std::move(batch).error();
    const auto records = (*batch)->records();
    if (records.empty()) return false;
    for (const Logged& record : records)
        left.max_bytes -= std::min(left.max_bytes, bytes_of(record));
    left.max_records -= std::min(left.max_records, records.size());
    followed.next = Offset(records.back().offset.value() + 1);
    slices_.push_back({at, records});
    batches_.push_back(std::move(*batch));
    return true;
}

Result<void> Follower::start(const TopicPartition& at, Offset from) {
    const auto found = followed_.find(at);
    if (found == followed_.end()) {
        return error(Code::not_found, fmt::format("{}/{} is not assigned to this subscription",
                                                  at.topic.value(), at.partition.value()));
    }
    auto range = found->second.reader->range();
    if (!range) return std::move(range).error();
    if (from < range->start || from > range->end) {
        return error(
            Code::out_of_range,
            fmt::format("offset {} of {}/{} is outside {}..{}", from.value(), at.topic.value(),
                        at.partition.value(), range->start.value(), range->end.value()));
    }
    found->second.next = from;
    found->second.started = true;
    return {};
}

void Follower::pause(const TopicPartition& at, bool paused) {
    const auto found = followed_.find(at);
    if (found != followed_.end()) found->second.paused = paused;
}

Result<void> Follower::assign(const TopicPartition& at) {
    if (followed_.contains(at)) return {};
    auto reader = open_reader_(at);
    if (!reader) return std::move(reader).error();
    followed_[at].reader = std::move(*reader);
    granted_.push_back(at);
    return {};
}

void Follower::release(const TopicPartition& at) {
    followed_.erase(at);
    std::erase(granted_, at);
}

void Follower::report(const TopicPartition&, Offset) {
    // The owner rows of the store say it already; there is no broker that others would ask.
}

void Follower::wake() noexcept {
    woken_.store(true);
    wake_->notify();
}

}  // namespace penstock
