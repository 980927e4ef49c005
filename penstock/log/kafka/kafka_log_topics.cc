#include <fmt/format.h>

#include <algorithm>

#include "penstock/log/kafka/admin.h"
#include "penstock/log/kafka/kafka_log.h"
#include "penstock/log/kafka/topics.h"

// Topics: made, changed, removed, described, trimmed.
namespace penstock {
namespace {

Result<void> check_own(const TopicSpec& spec) {
    PENSTOCK_TRY(check_spec(spec));
    if (!spec.topic.value().starts_with("__")) return {};
    return error(Code::invalid, "topics that begin with __ are Kafka's own");
}

}  // namespace

Result<void> KafkaLog::create(const TopicSpec& spec) {
    PENSTOCK_TRY(check_own(spec));
    PENSTOCK_TRY(check_running());
    PENSTOCK_TRY(admin_->create(spec));
    const auto seen = topics_->ask(spec.topic);
    return seen ? Result<void>() : Result<void>(seen.error());
}

Result<void> KafkaLog::alter(const TopicSpec& spec) {
    PENSTOCK_TRY(check_own(spec));
    PENSTOCK_TRY(check_running());
    const auto now = topics_->ask(spec.topic);
    if (!now) return now.error();
    if (spec.partitions < now->front().spec.partitions) {
        return error(Code::invalid,
                     fmt::format("topic {} has {} partitions; their number only grows",
                                 spec.topic.value(), now->front().spec.partitions));
    }
    PENSTOCK_TRY(admin_->alter(now->front(), spec));
    const auto seen = topics_->ask(spec.topic);
    return seen ? Result<void>() : Result<void>(seen.error());
}

Result<void> KafkaLog::remove(const TopicId& topic) {
    topics_->forget(topic);
    auto removed = admin_->remove(topic);
    topics_->forget(topic);
    return removed;
}

Result<std::vector<TopicInfo>> KafkaLog::describe(const std::optional<TopicId>& topic) {
    const auto found = topics_->ask(topic);
    if (!found) return found.error();
    std::vector<TopicPartition> all;
    for (const auto& facts : *found) {
        for (std::uint32_t i = 0; i < facts.spec.partitions; ++i) {
            all.push_back({facts.spec.topic, PartitionId(i)});
        }
    }
    const auto ends = admin_->ends(all);
    std::vector<TopicInfo> infos;
    auto next = ends.begin();
    for (const auto& facts : *found) {
        TopicInfo& info = infos.emplace_back(TopicInfo{facts.spec, {}});
        for (std::uint32_t i = 0; i < facts.spec.partitions; ++i, ++next) {
            // The caller must not take an end that was not told for a real one.
            if (!*next && topic) return next->error();
            PartitionInfo partition{};
            partition.partition = PartitionId(i);
            partition.uuid = logkafka::uuid_of(facts, PartitionId(i));
            if (*next) {
                partition.start = (*next)->start;
                partition.end = (*next)->end;
            } else {
                partition.stopped = next->error();
            }
            if (facts.unsafe && !options_.accept_data_loss) partition.stopped = facts.unsafe;
            info.partitions.push_back(std::move(partition));
        }
    }
    return infos;
}

/// Brokers apply retention by themselves, too; this only keeps it from waiting for them.
Result<Offset> KafkaLog::trim(const TopicPartition& at, Offset before, LogTime now) {
    const auto facts = topics_->check(at);
    if (!facts) return facts.error();
    const auto ends = admin_->ends(at);
    if (!ends) return ends.error();
    if (!facts->spec.retention_time) return ends->start;
    const auto kept = admin_->offset_at(at, now - *facts->spec.retention_time);
    if (!kept) return kept.error();
    const Offset start = std::min({before, *kept, ends->end});
    return start <= ends->start ? Result<Offset>(ends->start) : admin_->delete_below(at, start);
}

}  // namespace penstock
