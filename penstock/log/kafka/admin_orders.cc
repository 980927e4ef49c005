#include <fmt/format.h>

#include <array>

#include "penstock/log/kafka/admin.h"

namespace penstock::logkafka {
namespace {

constexpr std::chrono::seconds kKnownTime{10};  ///< until brokers know what was ordered
constexpr std::chrono::milliseconds kLookAgain{10};
constexpr std::uint32_t kReplicas = 3;

using NewTopic = std::unique_ptr<rd_kafka_NewTopic_t, Deleter<rd_kafka_NewTopic_destroy>>;
using OldTopic = std::unique_ptr<rd_kafka_DeleteTopic_t, Deleter<rd_kafka_DeleteTopic_destroy>>;
using MorePartitions =
    std::unique_ptr<rd_kafka_NewPartitions_t, Deleter<rd_kafka_NewPartitions_destroy>>;
using Resource =
    std::unique_ptr<rd_kafka_ConfigResource_t, Deleter<rd_kafka_ConfigResource_destroy>>;
using Below = std::unique_ptr<rd_kafka_DeleteRecords_t, Deleter<rd_kafka_DeleteRecords_destroy>>;

/// The one topic's result of an order about topics.
Result<void> outcome(const rd_kafka_topic_result_t* const* results, std::size_t count,
                     const std::string& what) {
    if (count != 1) return unknown_effect(Code::io, what + ": an answer about something else");
    const auto failed = rd_kafka_topic_result_error(results[0]);
    if (failed == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    return error_of(failed, what, rd_kafka_topic_result_error_string(results[0]));
}

std::map<std::string, std::string> retention_of(const TopicSpec& spec) {
    return {
        {"retention.ms", spec.retention_time ? std::to_string(spec.retention_time->count()) : "-1"},
        {"retention.bytes", spec.retention_bytes ? std::to_string(*spec.retention_bytes) : "-1"}};
}

}  // namespace

Result<std::pair<std::uint32_t, std::uint32_t>> Admin::replicas_and_isr() {
    std::uint32_t replicas = options_.replication_factor.value_or(kReplicas);
    if (!options_.replication_factor && options_.accept_data_loss) {
        const rd_kafka_metadata_t* raw = nullptr;
        const auto failed =
            rd_kafka_metadata(client_.get(), 0, nullptr, &raw, timeout_ms(options_.connect_time));
        if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) return error_of(failed, "the brokers");
        replicas = std::min(replicas, static_cast<std::uint32_t>(raw->broker_cnt));
        rd_kafka_metadata_destroy(raw);
    }
    const std::uint32_t isr =
        options_.min_insync_replicas.value_or(std::max<std::uint32_t>(1, replicas - 1));
    if (!options_.accept_data_loss && (replicas < kReplicas || isr < 2)) {
        return error(Code::unsafe,
                     fmt::format("topics with replication factor {} and min.insync.replicas {} "
                                 "can lose acknowledged records; use 3 and 2, or set "
                                 "log.accept_data_loss = true",
                                 replicas, isr));
    }
    return std::pair(replicas, isr);
}

Result<void> Admin::create(const TopicSpec& spec) {
    const std::string what = fmt::format("create topic {}", spec.topic.value());
    const auto copies = replicas_and_isr();
    if (!copies) return copies.error();
    std::array<char, 256> why{};
    const NewTopic topic(
        rd_kafka_NewTopic_new(spec.topic.value().c_str(), static_cast<int>(spec.partitions),
                              static_cast<int>(copies->first), why.data(), why.size()));
    if (!topic) return error(Code::invalid, fmt::format("{}: {}", what, why.data()));
    std::map<std::string, std::string> settings = retention_of(spec);
    settings["cleanup.policy"] = "delete";
    settings["min.insync.replicas"] = std::to_string(copies->second);
    settings["unclean.leader.election.enable"] = "false";
    settings["message.timestamp.type"] = "LogAppendTime";
    settings["delete.retention.ms"] = std::to_string(env_.random.next() >> 1);
    for (const auto& [name, value] : settings) {
        rd_kafka_NewTopic_set_config(topic.get(), name.c_str(), value.c_str());
    }
    auto event = run(RD_KAFKA_ADMIN_OP_CREATETOPICS, what,
                     [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
                         rd_kafka_NewTopic_t* all[] = {topic.get()};
                         rd_kafka_CreateTopics(client_.get(), all, 1, options, queue);
                     });
    if (!event) return std::move(event).error();
    std::size_t count = 0;
    const auto* results = rd_kafka_CreateTopics_result_topics(
        rd_kafka_event_CreateTopics_result(event->get()), &count);
    if (auto made = outcome(results, count, what); !made) {
        if (rd_kafka_topic_result_error(results[0]) ==
            RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR) {
            Error few = made.error();
            few.text += " Start more brokers, or, for a trial, set log.accept_data_loss = true";
            return few;
        }
        if (made.error().code != Code::exists) return made;
        return error(Code::exists, fmt::format("topic {} exists", spec.topic.value()));
    }
    return wait_for_partitions(spec.topic, spec.partitions);
}

/// Until the brokers tell of `partitions` with leaders (0: of no such topic).
Result<void> Admin::wait_for_partitions(const TopicId& topic, std::uint32_t partitions) {
    const MonoTime by = env_.clock.mono() + kKnownTime;
    for (;;) {
        const auto known = facts(topic);
        if (known && known->front().spec.partitions == partitions) {
            std::vector<TopicPartition> all;
            for (std::uint32_t i = 0; i < partitions; ++i) all.push_back({topic, PartitionId(i)});
            const auto found = ends(all);
            const auto led = [](const Result<Ends>& e) { return e.ok(); };
            if (std::all_of(found.begin(), found.end(), led)) return {};
        }
        if (!known && known.error().code == Code::not_found && partitions == 0) return {};
        if (env_.clock.mono() >= by) break;
        pause(kLookAgain);
    }
    return unknown_effect(Code::unreachable,
                          fmt::format("topic {}: the order was taken, but the brokers do not "
                                      "follow it yet",
                                      topic.value()));
}

/// Kafka replaces all settings of the topic at once; what we do not change is sent as it was.
Result<void> Admin::alter(const TopicFacts& now, const TopicSpec& spec) {
    const std::string what = fmt::format("change topic {}", spec.topic.value());
    if (spec.partitions > now.spec.partitions) {
        std::array<char, 256> why{};
        const MorePartitions more(rd_kafka_NewPartitions_new(
            spec.topic.value().c_str(), spec.partitions, why.data(), why.size()));
        if (!more) return error(Code::invalid, fmt::format("{}: {}", what, why.data()));
        auto event = run(RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, what,
                         [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
                             rd_kafka_NewPartitions_t* all[] = {more.get()};
                             rd_kafka_CreatePartitions(client_.get(), all, 1, options, queue);
                         });
        if (!event) return std::move(event).error();
        std::size_t count = 0;
        const auto* results = rd_kafka_CreatePartitions_result_topics(
            rd_kafka_event_CreatePartitions_result(event->get()), &count);
        PENSTOCK_TRY(outcome(results, count, what));
    }
    auto settings = now.settings;
    for (const auto& [name, value] : retention_of(spec)) settings[name] = value;
    if (settings != now.settings) {
        const Resource resource(
            rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, spec.topic.value().c_str()));
        for (const auto& [name, value] : settings) {
            rd_kafka_ConfigResource_set_config(resource.get(), name.c_str(), value.c_str());
        }
        auto event = run(RD_KAFKA_ADMIN_OP_ALTERCONFIGS, what,
                         [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
                             rd_kafka_ConfigResource_t* all[] = {resource.get()};
                             rd_kafka_AlterConfigs(client_.get(), all, 1, options, queue);
                         });
        if (!event) return std::move(event).error();
        std::size_t count = 0;
        const auto* results = rd_kafka_AlterConfigs_result_resources(
            rd_kafka_event_AlterConfigs_result(event->get()), &count);
        for (std::size_t i = 0; i < count; ++i) {
            const auto failed = rd_kafka_ConfigResource_error(results[i]);
            if (failed == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
            return error_of(failed, what, rd_kafka_ConfigResource_error_string(results[i]));
        }
        const MonoTime by = env_.clock.mono() + kKnownTime;
        for (auto seen = facts(spec.topic); env_.clock.mono() < by; seen = facts(spec.topic)) {
            if (seen && seen->front().settings == settings) break;
            pause(kLookAgain);
        }
    }
    return wait_for_partitions(spec.topic, spec.partitions);
}

Result<void> Admin::remove(const TopicId& id) {
    const std::string what = fmt::format("remove topic {}", id.value());
    const OldTopic topic(rd_kafka_DeleteTopic_new(id.value().c_str()));
    auto event = run(RD_KAFKA_ADMIN_OP_DELETETOPICS, what,
                     [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
                         rd_kafka_DeleteTopic_t* all[] = {topic.get()};
                         rd_kafka_DeleteTopics(client_.get(), all, 1, options, queue);
                     });
    if (!event) return std::move(event).error();
    std::size_t count = 0;
    const auto* results = rd_kafka_DeleteTopics_result_topics(
        rd_kafka_event_DeleteTopics_result(event->get()), &count);
    PENSTOCK_TRY(outcome(results, count, what));
    return wait_for_partitions(id, 0);
}

Result<Offset> Admin::delete_below(const TopicPartition& at, Offset before) {
    const std::string what = "trim " + text_of(at);
    const PartitionList list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(list.get(), at.topic.value().c_str(),
                                      static_cast<std::int32_t>(at.partition.value()))
        ->offset = static_cast<std::int64_t>(before.value());
    const Below below(rd_kafka_DeleteRecords_new(list.get()));
    auto event = run(RD_KAFKA_ADMIN_OP_DELETERECORDS, what,
                     [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
                         rd_kafka_DeleteRecords_t* all[] = {below.get()};
                         rd_kafka_DeleteRecords(client_.get(), all, 1, options, queue);
                     });
    if (!event) return std::move(event).error();
    const auto* offsets =
        rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event->get()));
    if (offsets->cnt != 1) return unknown_effect(Code::io, what + ": an answer without offset");
    if (offsets->elems[0].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return error_of(offsets->elems[0].err, what);
    }
    return Offset(static_cast<std::uint64_t>(offsets->elems[0].offset));
}

}  // namespace penstock::logkafka
