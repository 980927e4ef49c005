#include "penstock/log/kafka/admin.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "penstock/base/hash.h"

// What is asked of the cluster; what is ordered stands in admin_orders.cc.
namespace penstock::logkafka {
namespace {

constexpr std::chrono::milliseconds kAnswerTime{10'000};
constexpr std::chrono::milliseconds kRefusalTime{2'000};
constexpr int kLookUpTime_ms = 10'000;
constexpr std::chrono::milliseconds kLeaderPause{50};

using Metadata = std::unique_ptr<const rd_kafka_metadata_t, Deleter<rd_kafka_metadata_destroy>>;
using AdminOptions =
    std::unique_ptr<rd_kafka_AdminOptions_t, Deleter<rd_kafka_AdminOptions_destroy>>;

bool is_internal(std::string_view topic) {
    return topic.starts_with("__");
}

std::optional<std::int64_t> number_in(const std::map<std::string, std::string>& settings,
                                      const std::string& name) {
    const auto found = settings.find(name);
    if (found == settings.end()) return std::nullopt;
    return std::strtoll(found->second.c_str(), nullptr, 10);
}

/// Of a topic that was just made, or whose leader moves: soon there is one.
bool leader_is_missing(rd_kafka_resp_err_t failed) {
    return failed == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION ||
           failed == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
}

}  // namespace

Uuid uuid_of(const TopicFacts& facts, PartitionId partition) {
    const std::uint32_t number = partition.value();
    return hash_fields({as_bytes(facts.history), std::as_bytes(std::span(&number, 1))});
}

Result<std::unique_ptr<Admin>> Admin::open(Env& env, const KafkaLogOptions& options) {
    auto client = make_client(Role::admin, options);
    if (!client) return std::move(client).error();
    return std::unique_ptr<Admin>(new Admin(env, options, std::move(*client)));
}

Admin::Admin(Env& env, const KafkaLogOptions& options, Handle client)
    : env_(env), options_(options), client_(std::move(client)) {}

Result<KafkaPeers> Admin::connect() {
    const MonoTime by = env_.clock.mono() + options_.connect_time;
    const rd_kafka_metadata_t* raw = nullptr;
    const auto failed =
        rd_kafka_metadata(client_.get(), 0, nullptr, &raw, timeout_ms(options_.connect_time));
    const Metadata metadata(raw);
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (const auto said = refused_login()) {
            return error(Code::invalid,
                         fmt::format("Kafka at {} refuses the login: {}; check sasl.mechanism, "
                                     "sasl.username and sasl.password",
                                     options_.brokers, *said));
        }
        return error(
            Code::unreachable,
            fmt::format("no Kafka broker answered at {} within {} ms ({}); are the "
                        "addresses right, and do the brokers run?",
                        options_.brokers, options_.connect_time.count(), rd_kafka_err2str(failed)));
    }
    KafkaPeers peers;
    peers.client = fmt::format("librdkafka {}", rd_kafka_version_str());
    peers.brokers = static_cast<std::size_t>(metadata->broker_cnt);
    const std::unique_ptr<char, Deleter<free>> cluster(
        rd_kafka_clusterid(client_.get(), timeout_ms(by - env_.clock.mono())));
    if (cluster) cluster_ = cluster.get();
    peers.cluster = cluster_;
    if (metadata->broker_cnt > 0) {
        if (auto version = broker_version(metadata->brokers[0].id)) {
            peers.broker_version = std::move(*version);
        }
    }
    return peers;
}

/// What a broker says of our login, if it refuses that. A client tells it in events only, which
/// somebody would have to take for as long as it lives: one that ends here is asked.
std::optional<std::string> Admin::refused_login() {
    const auto probe = make_client(Role::probe, options_);
    if (!probe) return std::nullopt;
    const Queue events(rd_kafka_queue_get_main(probe->get()));
    const MonoTime by = env_.clock.mono() + kRefusalTime;
    for (MonoTime now = env_.clock.mono(); now < by; now = env_.clock.mono()) {
        const Event event(rd_kafka_queue_poll(events.get(), timeout_ms(by - now)));
        if (!event) continue;
        const auto failed = rd_kafka_event_error(event.get());
        if (failed == RD_KAFKA_RESP_ERR__AUTHENTICATION) {
            return rd_kafka_event_error_string(event.get());
        }
        if (failed == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) break;
    }
    return std::nullopt;
}

Result<Event> Admin::run(rd_kafka_admin_op_t kind, const std::string& what, const Issue& issue) {
    const AdminOptions options(rd_kafka_AdminOptions_new(client_.get(), kind));
    std::array<char, 256> ignored{};
    rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout_ms(kAnswerTime),
                                              ignored.data(), ignored.size());
    const Queue queue(rd_kafka_queue_new(client_.get()));
    issue(options.get(), queue.get());
    Event event(rd_kafka_queue_poll(queue.get(), 2 * timeout_ms(kAnswerTime)));
    if (!event) return unknown_effect(Code::unreachable, what + ": no answer");
    const auto failed = rd_kafka_event_error(event.get());
    if (failed == RD_KAFKA_RESP_ERR_NO_ERROR) return event;
    return error_of(failed, what, rd_kafka_event_error_string(event.get()));
}

Result<std::string> Admin::broker_version(std::int32_t broker) {
    using Resource =
        std::unique_ptr<rd_kafka_ConfigResource_t, Deleter<rd_kafka_ConfigResource_destroy>>;
    const Resource asked(
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_BROKER, std::to_string(broker).c_str()));
    auto event = run(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, "the broker's settings",
                     [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
                         rd_kafka_ConfigResource_t* all[] = {asked.get()};
                         rd_kafka_DescribeConfigs(client_.get(), all, 1, options, queue);
                     });
    if (!event) return std::move(event).error();
    std::size_t count = 0;
    const auto* resources = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(event->get()), &count);
    bool share_groups = false;
    for (std::size_t i = 0; i < count; ++i) {
        std::size_t settings = 0;
        const auto* entries = rd_kafka_ConfigResource_configs(resources[i], &settings);
        for (std::size_t j = 0; j < settings; ++j) {
            const std::string_view name = rd_kafka_ConfigEntry_name(entries[j]);
            const char* value = rd_kafka_ConfigEntry_value(entries[j]);
            if (name == "inter.broker.protocol.version" && value != nullptr) {
                return std::string("Kafka, protocol ") + value;
            }
            share_groups =
                share_groups || name == "group.share.enable" || name.starts_with("group.share.");
        }
    }
    // No request of this age asks for the version itself; 4.0 dropped the protocol's number.
    return std::string(share_groups ? "Kafka 4.0 or later" : "");
}

Result<std::vector<Admin::Placed>> Admin::placed(const std::optional<TopicId>& topic) {
    Topic one;
    if (topic) one.reset(rd_kafka_topic_new(client_.get(), topic->value().c_str(), nullptr));
    const rd_kafka_metadata_t* raw = nullptr;
    const auto failed =
        rd_kafka_metadata(client_.get(), topic ? 0 : 1, one.get(), &raw, timeout_ms(kAnswerTime));
    const Metadata metadata(raw);
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) return error_of(failed, "the topics of the cluster");
    std::vector<Placed> all;
    for (int i = 0; i < metadata->topic_cnt; ++i) {
        const rd_kafka_metadata_topic_t& found = metadata->topics[i];
        if (found.err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART && topic) {
            return error(Code::not_found, fmt::format("there is no topic {}", topic->value()));
        }
        if (found.err == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION && topic) {
            return error(Code::not_found, fmt::format("there is no topic {}", topic->value()));
        }
        if (topic && found.err != RD_KAFKA_RESP_ERR_NO_ERROR &&
            found.err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
            return error_of(found.err, fmt::format("topic {}", topic->value()));
        }
        if (found.partition_cnt == 0 || (!topic && is_internal(found.topic))) continue;
        auto replicas = static_cast<std::uint32_t>(found.partitions[0].replica_cnt);
        for (int p = 1; p < found.partition_cnt; ++p) {
            const int count = found.partitions[p].replica_cnt;
            replicas = std::min(replicas, static_cast<std::uint32_t>(count));
        }
        all.push_back(
            {TopicId(found.topic), static_cast<std::uint32_t>(found.partition_cnt), replicas});
    }
    if (topic && all.empty()) {
        return error(Code::not_found, fmt::format("there is no topic {}", topic->value()));
    }
    std::sort(all.begin(), all.end(),
              [](const Placed& a, const Placed& b) { return a.topic < b.topic; });
    return all;
}

Result<std::vector<TopicFacts>> Admin::facts(const std::optional<TopicId>& topic) {
    if (topic && !check_topic_name(topic->value())) {
        return error(Code::not_found, fmt::format("there is no topic {}", topic->value()));
    }
    const auto found = placed(topic);
    if (!found) return found.error();
    if (found->empty()) return std::vector<TopicFacts>();
    return with_settings(*found);
}

Result<std::vector<TopicFacts>> Admin::with_settings(const std::vector<Placed>& placed) {
    std::vector<rd_kafka_ConfigResource_t*> asked;
    for (const Placed& topic : placed) {
        asked.push_back(
            rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.topic.value().c_str()));
    }
    auto event =
        run(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, "the topics' settings",
            [&](rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
                rd_kafka_DescribeConfigs(client_.get(), asked.data(), asked.size(), options, queue);
            });
    rd_kafka_ConfigResource_destroy_array(asked.data(), asked.size());
    if (!event) return std::move(event).error();
    std::size_t count = 0;
    const auto* resources = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(event->get()), &count);
    std::vector<TopicFacts> all;
    for (const Placed& topic : placed) {
        TopicFacts facts;
        facts.spec.topic = topic.topic;
        facts.spec.partitions = topic.partitions;
        for (std::size_t i = 0; i < count; ++i) {
            if (topic.topic.value() != rd_kafka_ConfigResource_name(resources[i])) continue;
            const auto failed = rd_kafka_ConfigResource_error(resources[i]);
            if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) {
                if (placed.size() > 1) break;  // deleted meanwhile; the others are asked for, too
                return error_of(failed, fmt::format("settings of topic {}", topic.topic.value()),
                                rd_kafka_ConfigResource_error_string(resources[i]));
            }
            read_settings(*resources[i], topic.replicas, facts);
            all.push_back(std::move(facts));
            break;
        }
    }
    return all;
}

void Admin::read_settings(const rd_kafka_ConfigResource_t& resource, std::uint32_t replicas,
                          TopicFacts& facts) {
    std::map<std::string, std::string> effective;
    std::size_t count = 0;
    const auto* entries = rd_kafka_ConfigResource_configs(&resource, &count);
    for (std::size_t i = 0; i < count; ++i) {
        const char* value = rd_kafka_ConfigEntry_value(entries[i]);
        if (value == nullptr) continue;
        const std::string name = rd_kafka_ConfigEntry_name(entries[i]);
        effective[name] = value;
        if (rd_kafka_ConfigEntry_source(entries[i]) ==
            RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG) {
            facts.settings[name] = value;
        }
    }
    if (const auto ms = number_in(effective, "retention.ms"); ms && *ms >= 0) {
        facts.spec.retention_time = std::chrono::milliseconds(*ms);
    }
    if (const auto bytes = number_in(effective, "retention.bytes"); bytes && *bytes >= 0) {
        facts.spec.retention_bytes = static_cast<std::uint64_t>(*bytes);
    }
    facts.marked = facts.settings.contains("delete.retention.ms");
    facts.history = hash_fields({as_bytes(cluster_), as_bytes(facts.spec.topic.value()),
                                 as_bytes(facts.settings["delete.retention.ms"])});
    if (!facts.marked) facts.settings.erase("delete.retention.ms");
    facts.unsafe = unsafe_setting(facts.spec.topic, replicas, effective);
}

std::optional<Error> Admin::unsafe_setting(const TopicId& topic, std::uint32_t replicas,
                                           const std::map<std::string, std::string>& effective) {
    const auto is = [&](const char* name) {
        const auto found = effective.find(name);
        return found == effective.end() ? std::string() : found->second;
    };
    const auto refuse = [&](const std::string& setting, const std::string& why) {
        return error(Code::unsafe, fmt::format("topic {}: {}; {}. Change it, or set "
                                               "log.accept_data_loss = true",
                                               topic.value(), setting, why));
    };
    if (const auto policy = is("cleanup.policy"); policy != "delete") {
        return refuse("cleanup.policy is " + policy,
                      "only delete keeps every record until its time");
    }
    if (replicas < 3) {
        return refuse(fmt::format("the replication factor is {}", replicas),
                      "Kafka does not sync to disk, so fewer than 3 copies can be lost together");
    }
    if (const auto isr = number_in(effective, "min.insync.replicas"); !isr || *isr < 2) {
        return refuse("min.insync.replicas is " + is("min.insync.replicas"),
                      "below 2 a record is acknowledged that only one broker has");
    }
    if (is("unclean.leader.election.enable") == "true") {
        return refuse("unclean.leader.election.enable is true",
                      "a broker without the latest records may lead");
    }
    if (const auto type = is("message.timestamp.type"); type != "LogAppendTime") {
        return refuse("message.timestamp.type is " + type,
                      "only LogAppendTime is the time of the append");
    }
    return std::nullopt;
}

/// rd_kafka_offsets_for_times(), again while a leader is being found.
rd_kafka_resp_err_t Admin::find_offsets(rd_kafka_topic_partition_list_t* list) {
    const MonoTime by = env_.clock.mono() + std::chrono::milliseconds(kLookUpTime_ms);
    const std::unique_ptr<Wake> pause = env_.executor.make_wake();
    const std::unique_ptr<rd_kafka_topic_partition_list_t,
                          decltype(&rd_kafka_topic_partition_list_destroy)>
        asked(rd_kafka_topic_partition_list_copy(list), &rd_kafka_topic_partition_list_destroy);
    for (;;) {
        const auto failed = rd_kafka_offsets_for_times(client_.get(), list, kLookUpTime_ms);
        bool missing = leader_is_missing(failed);
        for (int i = 0; i < list->cnt; ++i) {
            missing = missing || leader_is_missing(list->elems[i].err);
        }
        if (!missing || env_.clock.mono() >= by) return failed;
        pause->wait_until(env_.clock.mono() + kLeaderPause);
        for (int i = 0; i < list->cnt; ++i) list->elems[i].offset = asked->elems[i].offset;
    }
}

/// `time`: Unix milliseconds, or librdkafka's numbers for the start and the end.
Result<std::vector<Result<Offset>>> Admin::look_up(const std::vector<TopicPartition>& all,
                                                   std::int64_t time) {
    const PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(all.size())));
    for (const TopicPartition& at : all) {
        rd_kafka_topic_partition_list_add(list.get(), at.topic.value().c_str(),
                                          static_cast<std::int32_t>(at.partition.value()))
            ->offset = time;
    }
    const auto failed = find_offsets(list.get());
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR) return error_of(failed, "offsets of partitions");
    std::vector<Result<Offset>> offsets;
    for (const TopicPartition& at : all) {
        const auto* found = rd_kafka_topic_partition_list_find(
            list.get(), at.topic.value().c_str(), static_cast<std::int32_t>(at.partition.value()));
        if (found == nullptr || found->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            const auto why = found == nullptr ? RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION : found->err;
            offsets.push_back(error_of(why, "offsets of " + text_of(at)));
        } else if (found->offset < 0) {
            offsets.push_back(error(Code::out_of_range, "no record of that time or later"));
        } else {
            offsets.emplace_back(Offset(static_cast<std::uint64_t>(found->offset)));
        }
    }
    return offsets;
}

std::vector<Result<Ends>> Admin::ends(const std::vector<TopicPartition>& all) {
    // First the start, then the end: it is never below.
    const auto starts = look_up(all, RD_KAFKA_OFFSET_BEGINNING);
    const auto ends = starts ? look_up(all, RD_KAFKA_OFFSET_END) : starts;
    std::vector<Result<Ends>> result;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (!ends) {
            result.push_back(ends.error());
        } else if (!(*starts)[i]) {
            result.push_back((*starts)[i].error());
        } else if (!(*ends)[i]) {
            result.push_back((*ends)[i].error());
        } else {
            result.emplace_back(Ends{*(*starts)[i], *(*ends)[i]});
        }
    }
    return result;
}

Result<Ends> Admin::ends(const TopicPartition& at) {
    return std::move(ends(std::vector{at}).front());
}

Result<Offset> Admin::offset_at(const TopicPartition& at, LogTime time) {
    // Negative times are librdkafka's words for other places.
    auto found = look_up({at}, std::max<std::int64_t>(unix_ms(time), 0));
    if (!found) return std::move(found).error();
    Result<Offset>& offset = found->front();
    if (offset || offset.error().code != Code::out_of_range) return std::move(offset);
    const auto whole = ends(at);
    if (!whole) return whole.error();
    return whole->end;
}

void Admin::pause(std::chrono::milliseconds time) {
    env_.executor.make_wake()->wait_until(env_.clock.mono() + time);
}

}  // namespace penstock::logkafka
