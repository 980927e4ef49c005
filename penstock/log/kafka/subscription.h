#pragma once

#include <atomic>
#include <map>

#include "penstock/log/kafka/admin.h"
#include "penstock/log/kafka/fetcher.h"
#include "penstock/log/kafka/haul.h"
#include "penstock/log/kafka/topics.h"

namespace penstock::logkafka {

/// Follows partitions that it is told to; nobody rebalances them. Offsets that are reported are
/// committed now and then under the group's name, for Kafka's tools only.
/// Threads: its lane; wake() any. The log outlives it.
class KafkaSubscription final : public Subscription {
public:
    static Result<std::unique_ptr<KafkaSubscription>> open(Env& env, const KafkaLogOptions& options,
                                                           Admin& admin, Topics& topics,
                                                           Graveyard& graveyard,
                                                           const GroupSpec& group);
    ~KafkaSubscription() override;

    Result<Polled> poll(const ReadLimits& limits, MonoTime until) override;
    Result<void> start(const TopicPartition& at, Offset from) override;
    void pause(const TopicPartition& at, bool paused) override;
    Result<void> assign(const TopicPartition& at) override;
    void release(const TopicPartition& at) override;
    void report(const TopicPartition& at, Offset next) override;
    void wake() noexcept override;

private:
    struct Followed {
        Uuid history;  ///< of the topic, when it was started
        bool started = false;
        bool paused = false;
    };
    struct Part {
        TopicPartition at;
        std::size_t first;
        std::size_t count;
    };

    KafkaSubscription(Env& env, const KafkaLogOptions& options, Admin& admin, Topics& topics,
                      std::unique_ptr<Fetcher> fetcher);
    Result<void> fill(Haul& haul);
    Result<void> check_histories();
    bool still_there(const TopicPartition& at, const Error& told);
    void commit();
    PartitionList reported_list() const;

    Env& env_;
    const KafkaLogOptions options_;
    Admin& admin_;
    Topics& topics_;
    const std::unique_ptr<Fetcher> fetcher_;
    std::atomic<bool> woken_ = false;
    std::map<TopicPartition, Followed> followed_;
    std::vector<TopicPartition> granted_;
    std::optional<TopicPartition> served_last_;  ///< the next poll begins behind it
    Haul haul_{{}};  ///< ends before the fetcher, whose messages it keeps
    std::vector<Part> parts_;
    std::vector<Slice> slices_;
    std::map<TopicPartition, Offset> reported_;  ///< and not yet committed
    MonoTime next_commit_{};
    MonoTime next_check_{};
};

}  // namespace penstock::logkafka
