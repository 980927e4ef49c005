#include "penstock/log/kafka/producer.h"

#include <fmt/format.h>

#include <algorithm>

// What callers do; what librdkafka reports is heard in producer_reports.cc.
namespace penstock::logkafka {
namespace {

constexpr std::chrono::seconds kLearnTime{5};

std::size_t bytes_of(const Record& record) {
    std::size_t bytes = record.key ? record.key->size() : 0;
    bytes += record.value ? record.value->size() : 0;
    for (const Header& header : record.headers) bytes += header.name.size() + header.value.size();
    return bytes;
}

/// librdkafka takes an address as "there is one", even of nothing.
void* address_of(const std::optional<Bytes>& bytes) {
    static std::byte nothing;
    if (!bytes) return nullptr;
    return bytes->empty() ? &nothing : const_cast<std::byte*>(bytes->data());
}

std::size_t size_of(const std::optional<Bytes>& bytes) {
    return bytes ? bytes->size() : 0;
}

/// None where the record has neither headers nor a layout. A record's own header of our name
/// does not pass for ours: it then stands second.
rd_kafka_headers_t* headers_of(const Record& record) {
    const bool alike = !record.headers.empty() && record.headers.front().name == kLayoutHeader;
    const bool layout = record.layout.value() != 0 || alike;
    if (!layout && record.headers.empty()) return nullptr;
    rd_kafka_headers_t* headers = rd_kafka_headers_new(record.headers.size() + 1);
    if (layout) {
        const std::string number = std::to_string(record.layout.value());
        rd_kafka_header_add(headers, kLayoutHeader.data(),
                            static_cast<ssize_t>(kLayoutHeader.size()), number.data(),
                            static_cast<ssize_t>(number.size()));
    }
    for (const Header& header : record.headers) {
        const char* name = header.name.empty() ? "" : header.name.data();
        const void* value =
            header.value.empty() ? "" : static_cast<const void*>(header.value.data());
        rd_kafka_header_add(headers, name, static_cast<ssize_t>(header.name.size()), value,
                            static_cast<ssize_t>(header.value.size()));
    }
    return headers;
}

}  // namespace

Result<std::unique_ptr<Producer>> Producer::open(Env& env, const KafkaLogOptions& options,
                                                 Graveyard& graveyard) {
    std::unique_ptr<Producer> producer(new Producer(env, options, graveyard));
    auto life = producer->make_life();
    if (!life) return std::move(life).error();
    {
        const MutexLock lock(producer->mutex_);
        producer->life_ = std::move(*life);
    }
    Producer* self = producer.get();
    producer->listener_ = env.executor.spawn("kafka-reports", [self] { self->listen(); });
    return producer;
}

Producer::Producer(Env& env, const KafkaLogOptions& options, Graveyard& graveyard)
    : env_(env),
      options_(options),
      graveyard_(graveyard),
      ended_(env.executor.make_wake()),
      idle_(env.executor.make_wake()) {}

Producer::~Producer() {
    stop(env_.clock.mono());
    end_ = true;
    ended_->notify();
    {
        const MutexLock lock(mutex_);
        if (life_) rd_kafka_queue_yield(life_->reports.get());
    }
    listener_.reset();
    const MutexLock lock(mutex_);
    life_.reset();
}

Result<std::unique_ptr<Producer::Life>> Producer::make_life() {
    auto life = std::make_unique<Life>();
    auto client = make_client(Role::producer, options_);
    if (!client) return std::move(client).error();
    life->client.reset(client->release(),
                       [this](rd_kafka_t* ended) { graveyard_.bury(Handle(ended)); });
    life->reports.reset(rd_kafka_queue_get_main(life->client.get()));
    life->born = env_.clock.mono();
    return life;
}

Producer::Place& Producer::place_of(const TopicPartition& at) {
    const auto found = life_->places.find(at);
    if (found != life_->places.end()) return found->second;
    auto topic = life_->topics.find(at.topic.value());
    if (topic == life_->topics.end()) {
        rd_kafka_topic_t* made =
            rd_kafka_topic_new(life_->client.get(), at.topic.value().c_str(), nullptr);
        topic = life_->topics.emplace(at.topic.value(), made).first;
    }
    return life_->places.emplace(at, Place{topic->second.get(), {}}).first->second;
}

/// Hands one record to librdkafka, which copies it.
Result<void> Producer::send(const TopicPartition& at, const Record& record, Call& call) {
    PENSTOCK_TRY(check_record(record));
    const std::size_t bytes = bytes_of(record);
    Pending& pending = call.place->pending;
    if (pending.records >= options_.max_pending_records ||
        (pending.records > 0 && pending.bytes + bytes > options_.max_pending_bytes)) {
        return error(Code::overloaded,
                     fmt::format("{}: {} records wait for the brokers; try again later",
                                 text_of(at), pending.records));
    }
    Flying& flying = call.records.emplace_back(Flying{
        &call, static_cast<std::uint32_t>(call.records.size()), static_cast<std::uint32_t>(bytes)});
    rd_kafka_headers_t* headers = headers_of(record);
    const auto partition = static_cast<std::int32_t>(at.partition.value());
    const auto failed =
        rd_kafka_producev(life_->client.get(), RD_KAFKA_V_RKT(call.place->topic),
                          RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                          RD_KAFKA_V_KEY(address_of(record.key), size_of(record.key)),
                          RD_KAFKA_V_VALUE(address_of(record.value), size_of(record.value)),
                          RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(&flying), RD_KAFKA_V_END);
    if (failed == RD_KAFKA_RESP_ERR_NO_ERROR) {
        ++pending.records;
        pending.bytes += bytes;
        ++call.left;
        return {};
    }
    // Not taken: none. The supervisor makes another producer if this one has had a fatal error.
    flying.call = nullptr;
    if (headers != nullptr) rd_kafka_headers_destroy(headers);
    Error why = error_of(failed, "append to " + text_of(at));
    if (failed == RD_KAFKA_RESP_ERR__FATAL) why.code = Code::overloaded;
    return why;
}

void Producer::append(const TopicPartition& at, std::span<const Record> records,
                      std::uint64_t first_tag, AppendSink& sink) {
    std::vector<Appended> refused;
    const auto refuse_all = [&](const Error& why) {
        for (std::size_t i = 0; i < records.size(); ++i) refused.push_back({first_tag + i, why});
    };
    {
        const MutexLock lock(mutex_);
        if (stopping_) {
            refuse_all(error(Code::stopped, "the log is stopping"));
        } else if (!life_) {
            refuse_all(error(Code::overloaded, "the Kafka producer is being renewed; try again"));
        } else {
            Call& call = life_->calls.emplace_back();
            call.sink = &sink;
            call.first_tag = first_tag;
            call.place = &place_of(at);
            call.began = env_.clock.mono();
            call.self = std::prev(life_->calls.end());
            // Their addresses are librdkafka's: it must not move.
            call.records.reserve(records.size());
            for (std::size_t i = 0; i < records.size(); ++i) {
                if (auto sent = send(at, records[i], call); !sent) {
                    refused.push_back({first_tag + i, std::move(sent).error()});
                    if (call.records.size() == i) call.records.push_back({nullptr, 0, 0});
                }
            }
            if (call.left == 0) life_->calls.pop_back();
        }
    }
    if (!refused.empty()) sink.appended(refused);
}

bool Producer::learn(const TopicId& topic) {
    std::shared_ptr<rd_kafka_t> client;
    {
        const MutexLock lock(mutex_);
        if (!life_) return true;  // the next one knows nothing that is old
        client = life_->client;
    }
    const Topic asked(rd_kafka_topic_new(client.get(), topic.value().c_str(), nullptr));
    const rd_kafka_metadata_t* metadata = nullptr;
    const auto failed =
        rd_kafka_metadata(client.get(), 0, asked.get(), &metadata, timeout_ms(kLearnTime));
    if (metadata != nullptr) rd_kafka_metadata_destroy(metadata);
    return failed == RD_KAFKA_RESP_ERR_NO_ERROR;
}

void Producer::stop(MonoTime by) {
    const MutexLock one(stop_mutex_);
    {
        const MutexLock lock(mutex_);
        stopping_ = true;
    }
    const auto busy = [this] {
        const MutexLock lock(mutex_);
        return !silent(life_.get()) || !silent(fenced_.get());
    };
    while (busy() && env_.clock.mono() < by) idle_->wait_until(by);
    const Error late = unknown_effect(Code::stopped, "the log stopped before the brokers answered");
    std::vector<Answers> answers;
    {
        const MutexLock lock(mutex_);
        for (Life* life : {life_.get(), fenced_.get()}) {
            if (life != nullptr) give_up(*life, late, answers);
        }
    }
    tell(answers);
}

bool Producer::silent(const Life* life) {
    return life == nullptr || life->calls.empty();
}

#if PENSTOCK_FAILPOINTS
void Producer::test_fatal_error() {
    const MutexLock lock(mutex_);
    if (life_) {
        rd_kafka_test_fatal_error(life_->client.get(),
                                  RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "as a test asks");
    }
}
#endif

}  // namespace penstock::logkafka
