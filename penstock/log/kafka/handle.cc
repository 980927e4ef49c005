#include "penstock/log/kafka/handle.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace penstock::logkafka {
namespace {

constexpr int kWarning = 4;  ///< syslog's level
constexpr int kMaxInFlight = 5;

struct Pinned {
    std::string_view name;
    std::string_view why;
};

/// What promises rest on, and what the log sets for its own use.
constexpr Pinned kPinned[] = {
    {"acks", "what is acknowledged must be on all in-sync replicas"},
    {"request.required.acks", "what is acknowledged must be on all in-sync replicas"},
    {"enable.idempotence", "a retry by the client must not write twice"},
    {"enable.gapless.guarantee", "the producer's supervisor relies on its default"},
    {"transactional.id", "no guarantee rests on Kafka's transactions"},
    {"partitioner", "the partition of a key is chosen as Kafka's Java client does"},
    {"delivery.report.only.error", "every append is answered"},
    {"enable.auto.commit", "progress is kept in the store"},
    {"auto.commit.enable", "progress is kept in the store"},
    {"enable.auto.offset.store", "progress is kept in the store"},
    {"auto.offset.reset", "an offset that is gone must stop its partition"},
    {"check.crcs", "damaged records must be found"},
    {"isolation.level", "records of aborted transactions must not be seen"},
    {"allow.auto.create.topics", "topics are made with safe settings only"},
    {"enable.partition.eof", "the log sets it for itself"},
    {"group.id", "the group is the node's: set runtime.group"},
    {"statistics.interval.ms", "the log sets it, to know whether a broker answers"},
    {"group.instance.id", "partitions are owned by leases in the store"},
    {"bootstrap.servers", "give the addresses in log.brokers"},
    {"metadata.broker.list", "give the addresses in log.brokers"},
};

using Settings = std::vector<std::pair<const char*, const char*>>;

const Settings kAll = {
    {"client.id", "penstock"},
    {"allow.auto.create.topics", "false"},
    {"socket.nagle.disable", "true"},
    {"socket.keepalive.enable", "true"},
    {"reconnect.backoff.max.ms", "1000"},
    {"topic.metadata.refresh.fast.interval.ms", "100"},
    {"topic.metadata.propagation.max.ms", "10000"},
};

const Settings kProducer = {
    {"enable.idempotence", "true"},
    {"acks", "all"},
    {"max.in.flight.requests.per.connection", "5"},
    {"message.timeout.ms", "120000"},
    {"linger.ms", "0"},
    {"statistics.interval.ms", "1000"},
    {"compression.codec", "zstd"},
    {"message.max.bytes", "2000000"},
    {"queue.buffering.max.messages", "2000000"},
    {"queue.buffering.max.kbytes", "1048576"},
};

const Settings kConsumer = {
    {"isolation.level", "read_committed"},  {"check.crcs", "true"},
    {"auto.offset.reset", "error"},         {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},  {"fetch.error.backoff.ms", "100"},
    {"queued.max.messages.kbytes", "16384"}};

Result<void> set(rd_kafka_conf_t* conf, const char* name, const char* value) {
    std::array<char, 512> why{};
    if (rd_kafka_conf_set(conf, name, value, why.data(), why.size()) == RD_KAFKA_CONF_OK) return {};
    return error(Code::invalid, fmt::format("Kafka property {}: {}", name, why.data()));
}

Result<void> set_all(rd_kafka_conf_t* conf, const Settings& settings) {
    for (const auto& [name, value] : settings) PENSTOCK_TRY(set(conf, name, value));
    return {};
}

void on_log(const rd_kafka_t* client, int level, const char* facility, const char* text) {
    // CONFWARN: a producer's property on a consumer and the other way round, as is our way.
    if (client == nullptr || level > kWarning || std::string_view(facility) == "CONFWARN") return;
    auto* observer = static_cast<KafkaLogObserver*>(rd_kafka_opaque(client));
    if (observer != nullptr) observer->note(fmt::format("Kafka client: {}: {}", facility, text));
}

Result<Conf> make_conf(Role role, const KafkaLogOptions& options, const std::string& group) {
    Conf conf(rd_kafka_conf_new());
    PENSTOCK_TRY(set_all(conf.get(), kAll));
    PENSTOCK_TRY(set(conf.get(), "bootstrap.servers", options.brokers.c_str()));
    if (role == Role::producer) PENSTOCK_TRY(set_all(conf.get(), kProducer));
    if (role == Role::reader || role == Role::subscriber) {
        PENSTOCK_TRY(set_all(conf.get(), kConsumer));
        PENSTOCK_TRY(set(conf.get(), "group.id", group.c_str()));
        const bool reads = role == Role::reader;
        // A fetch that waits at an end delays partitions added meanwhile by as much.
        PENSTOCK_TRY(set(conf.get(), "fetch.wait.max.ms", reads ? "20" : "100"));
        PENSTOCK_TRY(set(conf.get(), "enable.partition.eof", reads ? "true" : "false"));
    }
    for (const auto& [name, value] : options.properties) {
        PENSTOCK_TRY(set(conf.get(), name.c_str(), value.c_str()));
    }
    if (role == Role::producer) {
        rd_kafka_conf_set_events(conf.get(),
                                 RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_STATS);
    }
    if (role == Role::probe) rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_ERROR);
    rd_kafka_conf_set_log_cb(conf.get(), on_log);
    rd_kafka_conf_set_opaque(conf.get(), options.observer);
    return conf;
}

Result<void> check_property(const std::string& name, const std::string& value) {
    for (const Pinned& pinned : kPinned) {
        if (name != pinned.name) continue;
        return error(Code::unsafe,
                     fmt::format("Kafka property {} cannot be set: {}", name, pinned.why));
    }
    if (name == "max.in.flight" || name == "max.in.flight.requests.per.connection") {
        int number = 0;
        const auto end = value.data() + value.size();
        const auto parsed = std::from_chars(value.data(), end, number);
        if (parsed.ec != std::errc() || parsed.ptr != end || number < 1 || number > kMaxInFlight) {
            return error(Code::unsafe,
                         fmt::format("Kafka property {} is 1 to {}: more would let a retry "
                                     "change the order",
                                     name, kMaxInFlight));
        }
    }
    return {};
}

Code code_of(rd_kafka_resp_err_t code) {
    switch (code) {
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
            return Code::not_found;
        case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
            return Code::exists;
        case RD_KAFKA_RESP_ERR__QUEUE_FULL:
            return Code::overloaded;
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
            return Code::too_large;
        case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
            return Code::out_of_range;
        case RD_KAFKA_RESP_ERR__BAD_MSG:
        case RD_KAFKA_RESP_ERR_INVALID_MSG:
        case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
            return Code::damaged;
        case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
        case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
        case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
        case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
        case RD_KAFKA_RESP_ERR__INVALID_ARG:
            return Code::invalid;
        case RD_KAFKA_RESP_ERR__TIMED_OUT:
        case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
        case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
        case RD_KAFKA_RESP_ERR__TRANSPORT:
        case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
        case RD_KAFKA_RESP_ERR__RESOLVE:
        case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
        case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
            return Code::unreachable;
        default:
            return Code::io;
    }
}

}  // namespace

Result<void> check_properties(const KafkaLogOptions& options) {
    for (const auto& [name, value] : options.properties) {
        PENSTOCK_TRY(check_property(name, value));
    }
    for (const Role role : {Role::producer, Role::subscriber}) {
        auto conf = make_conf(role, options, "g");
        if (!conf) return std::move(conf).error();
    }
    return {};
}

Result<Handle> make_client(Role role, const KafkaLogOptions& options, const std::string& group) {
    auto conf = make_conf(role, options, group);
    if (!conf) return std::move(conf).error();
    std::array<char, 512> why{};
    const auto type = role == Role::producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER;
    Handle client(rd_kafka_new(type, conf->get(), why.data(), why.size()));
    if (!client) return error(Code::invalid, fmt::format("the Kafka client: {}", why.data()));
    (void)conf->release();  // the client's now
    return client;
}

Error error_of(rd_kafka_resp_err_t code, const std::string& what, const char* detail) {
    const char* said = detail != nullptr && *detail != '\0' ? detail : rd_kafka_err2str(code);
    return error(code_of(code), fmt::format("{}: {}", what, said));
}

std::string text_of(const TopicPartition& at) {
    return fmt::format("{}/{}", at.topic.value(), at.partition.value());
}

int timeout_ms(std::chrono::nanoseconds left) {
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    return static_cast<int>(std::clamp<std::int64_t>(ms, 0, 60'000));
}

}  // namespace penstock::logkafka
