#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <vector>

#include "penstock/base/env.h"
#include "penstock/base/guarded.h"
#include "penstock/log/kafka/options.h"
#include "penstock/log/log.h"

/// The line on Apache Kafka. Durable means: acknowledged by all in-sync replicas (acks=all).
namespace penstock {

namespace logkafka {
class Admin;
class Graveyard;
class Producer;
class Readers;
class Topics;
struct HeldCall;
}  // namespace logkafka

/// What Kafka does in its own way:
///   time       the broker's clock at the append (message.timestamp.type = LogAppendTime): the same
///              for every reader, but it steps back where a broker's clock does
///   layout     travels in the header penstock-layout
///   together   the records of one append() lie next to each other among those of this process;
///              another process's may come between
///   uuid       of topics made here another one after a delete and create; of others the same, and
///              only the fingerprint tells
///   bytes      PartitionInfo::bytes is 0: the client cannot ask
///   trim       what is older than the topic's retention.ms is deleted up to the given offset;
///              retention.bytes is left to the brokers, which also delete by themselves. An offset
///              that is gone is out_of_range, never skipped.
/// Threads: any. Two of its own, and librdkafka's.
class KafkaLog final : public Log {
public:
    /// unreachable within the connect time, naming the addresses; unsafe or invalid: a property.
    static Result<std::unique_ptr<KafkaLog>> open(Env& env, const KafkaLogOptions& options);
    ~KafkaLog() override;

    Result<void> create(const TopicSpec& spec) override;
    std::string about() const override;
    std::optional<Error> down() const override;
    Result<void> alter(const TopicSpec& spec) override;
    Result<void> remove(const TopicId& topic) override;
    /// Of one topic: `stopped` of each partition is unsafe where its settings are.
    Result<std::vector<TopicInfo>> describe(const std::optional<TopicId>& topic) override;
    void append(const TopicPartition& at, std::span<const Record> records, std::uint64_t first_tag,
                AppendSink& sink) override;
    Result<std::unique_ptr<ReadBatch>> read(const TopicPartition& at, Offset from,
                                            const ReadLimits& limits) override;
    Result<Offset> offset_at(const TopicPartition& at, LogTime time) override;
    Result<std::unique_ptr<Subscription>> subscribe(const GroupSpec& group) override;
    Result<Offset> trim(const TopicPartition& at, Offset before, LogTime now) override;
    void stop(MonoTime by) override;

    const KafkaPeers& peers() const { return peers_; }
#if PENSTOCK_FAILPOINTS
    void test_fatal_error();  ///< the producer meets one now
#endif

private:
    /// Appends to one topic that wait until it was looked at.
    struct Cold {
        std::vector<logkafka::HeldCall> calls;
        std::size_t bytes = 0;
    };

    KafkaLog(Env& env, const KafkaLogOptions& options);
    Result<void> connect();
    Result<void> check_running();
    void hold(const TopicPartition& at, std::span<const Record> records, std::uint64_t first_tag,
              AppendSink& sink);
    void keep();
    bool warm_one();
    void release_calls(const TopicId& topic);

    Env& env_;
    const KafkaLogOptions options_;
    KafkaPeers peers_;
    const std::unique_ptr<Wake> keeper_wake_;
    std::atomic<bool> end_ = false;
    Mutex mutex_;
    bool stopping_ GUARDED_BY(mutex_) = false;
    std::map<TopicId, Cold> cold_ GUARDED_BY(mutex_);
    // Each uses those above it as long as it lives.
    std::unique_ptr<logkafka::Graveyard> graveyard_;
    std::unique_ptr<logkafka::Admin> admin_;
    std::unique_ptr<logkafka::Topics> topics_;
    std::unique_ptr<logkafka::Readers> readers_;
    std::unique_ptr<logkafka::Producer> producer_;
    std::unique_ptr<Task> keeper_;
};

}  // namespace penstock
