#pragma once

#include <functional>
#include <map>
#include <vector>

#include "penstock/log/kafka/handle.h"

namespace penstock::logkafka {

/// What the cluster says of a topic.
struct TopicFacts {
    TopicSpec spec;
    /// The topic's own: another one after it was deleted and made again. See Admin::create().
    Uuid history;
    bool marked = false;                          ///< history was given by us at its creation
    std::map<std::string, std::string> settings;  ///< set on the topic itself
    std::optional<Error> unsafe;                  ///< what could lose or change records
};

/// Made with the partition; another one means another history.
Uuid uuid_of(const TopicFacts& facts, PartitionId partition);

struct Ends {
    Offset start;
    Offset end;
};

/// Questions and orders to the cluster, each bounded in time; unreachable when that is over.
/// Threads: any; each call blocks its own.
class Admin {
public:
    static Result<std::unique_ptr<Admin>> open(Env& env, const KafkaLogOptions& options);

    /// Who answers; unreachable, naming the addresses, after the connect time; invalid: they refuse
    /// the login.
    Result<KafkaPeers> connect();
    /// All topics but Kafka's internal ones, or one (not_found); sorted by name.
    Result<std::vector<TopicFacts>> facts(const std::optional<TopicId>& topic);
    /// Durable start and end of each; an error of one is its own.
    std::vector<Result<Ends>> ends(const std::vector<TopicPartition>& all);
    Result<Ends> ends(const TopicPartition& at);
    Result<Offset> offset_at(const TopicPartition& at, LogTime time);

    /// Returns once every broker that we asked knows the topic, or no longer does.
    /// The topic gets a random `delete.retention.ms`, a setting that means something for compacted
    /// topics only: no client of this age is told a topic's id, and this number goes with it.
    Result<void> create(const TopicSpec& spec);
    Result<void> alter(const TopicFacts& now, const TopicSpec& spec);
    Result<void> remove(const TopicId& topic);
    /// Deletes all below `before`; the new start.
    Result<Offset> delete_below(const TopicPartition& at, Offset before);

private:
    using Issue = std::function<void(rd_kafka_AdminOptions_t*, rd_kafka_queue_t*)>;
    struct Placed {
        TopicId topic;
        std::uint32_t partitions;
        std::uint32_t replicas;  ///< the fewest of a partition
    };

    Admin(Env& env, const KafkaLogOptions& options, Handle client);
    std::optional<std::string> refused_login();
    Result<std::vector<Placed>> placed(const std::optional<TopicId>& topic);
    Result<std::vector<TopicFacts>> with_settings(const std::vector<Placed>& placed);
    void read_settings(const rd_kafka_ConfigResource_t& resource, std::uint32_t replicas,
                       TopicFacts& facts);
    std::optional<Error> unsafe_setting(const TopicId& topic, std::uint32_t replicas,
                                        const std::map<std::string, std::string>& effective);
    Result<std::pair<std::uint32_t, std::uint32_t>> replicas_and_isr();
    Result<std::string> broker_version(std::int32_t broker);
    Result<Event> run(rd_kafka_admin_op_t kind, const std::string& what, const Issue& issue);
    rd_kafka_resp_err_t find_offsets(rd_kafka_topic_partition_list_t* list);
    Result<std::vector<Result<Offset>>> look_up(const std::vector<TopicPartition>& all,
                                                std::int64_t time);
    Result<void> wait_for_partitions(const TopicId& topic, std::uint32_t partitions);
    void pause(std::chrono::milliseconds time);

    Env& env_;
    const KafkaLogOptions options_;
    const Handle client_;
    std::string cluster_;  ///< constant after connect()
};

}  // namespace penstock::logkafka
