#pragma once

#include "penstock/log/log.h"

namespace penstock::test {

/// Passes every call on; a test overrides the one in which its fault lies. Threads: the target's.
class LogWrapper : public Log {
public:
    explicit LogWrapper(Log& target) : target_(target) {}

    Result<void> create(const TopicSpec& spec) override { return target_.create(spec); }
    Result<void> alter(const TopicSpec& spec) override { return target_.alter(spec); }
    Result<void> remove(const TopicId& topic) override { return target_.remove(topic); }
    Result<std::vector<TopicInfo>> describe(const std::optional<TopicId>& topic) override {
        return target_.describe(topic);
    }
    void append(const TopicPartition& at, std::span<const Record> records, std::uint64_t first_tag,
                AppendSink& sink) override {
        target_.append(at, records, first_tag, sink);
    }
    Result<std::unique_ptr<ReadBatch>> read(const TopicPartition& at, Offset from,
                                            const ReadLimits& limits) override {
        return target_.read(at, from, limits);
    }
    Result<Offset> offset_at(const TopicPartition& at, LogTime time) override {
        return target_.offset_at(at, time);
    }
    Result<std::unique_ptr<Subscription>> subscribe(const GroupSpec& group) override {
        return target_.subscribe(group);
    }
    Result<Offset> trim(const TopicPartition& at, Offset before, LogTime now) override {
        return target_.trim(at, before, now);
    }
    void stop(MonoTime by) override { target_.stop(by); }

protected:
    Log& target_;
};

}  // namespace penstock::test
