#include "penstock/log/kafka/fetcher.h"

#include <fmt/format.h>

namespace penstock::logkafka {
namespace {

void on_arrival(rd_kafka_t*, void* wake) {
    static_cast<Wake*>(wake)->notify();
}

}  // namespace

Result<std::unique_ptr<Fetcher>> Fetcher::open(Env& env, const KafkaLogOptions& options,
                                               Graveyard& graveyard, Role role,
                                               const std::string& group) {
    auto client = make_client(role, options, group);
    if (!client) return std::move(client).error();
    rd_kafka_poll_set_consumer(client->get());
    return std::unique_ptr<Fetcher>(new Fetcher(env, options, graveyard, std::move(*client)));
}

Fetcher::Fetcher(Env& env, const KafkaLogOptions& options, Graveyard& graveyard, Handle client)
    : options_(options),
      graveyard_(graveyard),
      wake_(env.executor.make_wake()),
      client_(std::move(client)) {}

Fetcher::~Fetcher() {
    // The client lives on for a while; its queues must not know the Wake any more.
    for (auto& [at, source] : sources_) {
        rd_kafka_queue_cb_event_enable(source.queue.get(), nullptr, nullptr);
    }
    sources_.clear();
    graveyard_.bury(std::move(client_), std::move(last_words_));
}

/// Adds the partition to the assignment, or takes it out.
Result<void> Fetcher::change(const TopicPartition& at, std::optional<Offset> from) {
    const PartitionList list(rd_kafka_topic_partition_list_new(1));
    auto* entry = rd_kafka_topic_partition_list_add(
        list.get(), at.topic.value().c_str(), static_cast<std::int32_t>(at.partition.value()));
    if (from) entry->offset = static_cast<std::int64_t>(from->value());
    const Failure failed(from ? rd_kafka_incremental_assign(client_.get(), list.get())
                              : rd_kafka_incremental_unassign(client_.get(), list.get()));
    if (!failed) return {};
    return error_of(rd_kafka_error_code(failed.get()), "follow " + text_of(at),
                    rd_kafka_error_string(failed.get()));
}

Result<void> Fetcher::start(const TopicPartition& at, Offset from) {
    if (const auto found = sources_.find(at); found != sources_.end()) {
        found->second.held.reset();
        PENSTOCK_TRY(change(at, std::nullopt));
    } else {
        Queue queue(rd_kafka_queue_get_partition(client_.get(), at.topic.value().c_str(),
                                                 static_cast<std::int32_t>(at.partition.value())));
        if (!queue) return error(Code::io, "no queue for " + text_of(at));
        rd_kafka_queue_forward(queue.get(), nullptr);
        rd_kafka_queue_cb_event_enable(queue.get(), on_arrival, wake_.get());
        sources_[at].queue = std::move(queue);
    }
    sources_[at].from = from;
    return change(at, from);
}

void Fetcher::stop(const TopicPartition& at) {
    const auto found = sources_.find(at);
    if (found == sources_.end()) return;
    if (auto changed = change(at, std::nullopt); !changed) note(options_, changed.error().text);
    rd_kafka_queue_cb_event_enable(found->second.queue.get(), nullptr, nullptr);
    sources_.erase(found);
}

Error Fetcher::error_in(const rd_kafka_message_t& message, const TopicPartition& at) {
    return error_of(message.err, "read " + text_of(at), rd_kafka_message_errstr(&message));
}

Result<Fetcher::Taken> Fetcher::take(const TopicPartition& at, Message& message) {
    const auto found = sources_.find(at);
    if (found == sources_.end()) return Taken::nothing;
    return take(found->second, at, message);
}

Result<Fetcher::Taken> Fetcher::take(Source& source, const TopicPartition& at, Message& message) {
    if (source.held) {
        message = std::move(source.held);
        return Taken::message;
    }
    for (;;) {
        message.reset(rd_kafka_consume_queue(source.queue.get(), 0));
        if (!message) return Taken::nothing;
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) return Taken::end;
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) return error_in(*message, at);
        // Of a fetch before the seek.
        if (message->offset < static_cast<std::int64_t>(source.from.value())) continue;
        source.from = Offset(static_cast<std::uint64_t>(message->offset) + 1);
        return Taken::message;
    }
}

Result<void> Fetcher::fill(const TopicPartition& at, Haul& haul) {
    const auto found = sources_.find(at);
    if (found == sources_.end()) return {};
    Source& source = found->second;
    Message message;
    while (!haul.full()) {
        const auto taken = take(source, at, message);
        if (!taken) return taken.error();
        if (*taken != Taken::message) return {};
        if (haul.add(message)) continue;
        source.held = std::move(message);
        return {};
    }
    return {};
}

void Fetcher::put_back(const TopicPartition& at, Message message) {
    sources_.at(at).held = std::move(message);
}

void Fetcher::serve() {
    for (;;) {
        const Message told(rd_kafka_consumer_poll(client_.get(), 0));
        if (!told) return;
        if (told->err == RD_KAFKA_RESP_ERR__TRANSPORT || told->err == RD_KAFKA_RESP_ERR_NO_ERROR ||
            told->err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
            continue;  // librdkafka's log said so; it connects again by itself
        }
        note(options_, fmt::format("Kafka consumer: {}", rd_kafka_message_errstr(told.get())));
    }
}

}  // namespace penstock::logkafka
