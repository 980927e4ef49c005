#include <fmt/format.h>

#include <algorithm>

#include "penstock/log/kafka/health.h"
#include "penstock/log/kafka/producer.h"

namespace penstock::logkafka {
namespace {

constexpr std::chrono::milliseconds kLook{200};  ///< for a fatal error that no report tells of
constexpr std::chrono::seconds kDrainTime{3};    ///< for reports of a fenced producer
constexpr std::chrono::seconds kShortLife{10};
constexpr std::chrono::milliseconds kFirstPause{50};
constexpr std::uint32_t kMaxDoublings = 6;  ///< of the pause: 3.2 s

/// The text of the client's fatal error, if it has one.
std::optional<std::string> fatal_error_of(rd_kafka_t* client) {
    char text[512] = "";
    if (rd_kafka_fatal_error(client, text, sizeof text) == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    return std::string(text);
}

}  // namespace

/// Takes reports of one life after the other, until the end.
void Producer::listen() {
    while (!end_) {
        Life* life;
        {
            const MutexLock lock(mutex_);
            life = life_.get();  // only this thread replaces it
        }
        if (life == nullptr) {
            renew("");
            continue;
        }
        hear(*life, env_.clock.mono() + kLook);
        if (const auto why = fatal_error_of(life->client.get()); why && !end_) renew(*why);
    }
}

void Producer::hear(Life& life, MonoTime until) {
    const Event event(
        rd_kafka_queue_poll(life.reports.get(), timeout_ms(until - env_.clock.mono())));
    if (!event) return;
    if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_DR) return reports(life, *event);
    if (rd_kafka_event_type(event.get()) == RD_KAFKA_EVENT_STATS) {
        // Of a line that was idle, a request just sent looks unanswered: twice in a row it is.
        const bool answers = some_broker_answers(rd_kafka_event_stats(event.get()));
        silent_looks_ = answers ? 0 : silent_looks_ + 1;
        reaches_ = silent_looks_ < 2;
        return;
    }
    if (rd_kafka_event_type(event.get()) != RD_KAFKA_EVENT_ERROR) return;
    const auto code = rd_kafka_event_error(event.get());
    if (code == RD_KAFKA_RESP_ERR__TRANSPORT) return;  // librdkafka's log said so
    note(options_, fmt::format("Kafka producer: {}", rd_kafka_event_error_string(event.get())));
}

void Producer::reports(Life& life, rd_kafka_event_t& event) {
    // What was in the queue of a producer with a fatal error tells of it.
    if (!life.fatal && fatal_error_of(life.client.get())) life.fatal = true;
    std::vector<const rd_kafka_message_t*> messages(rd_kafka_event_message_count(&event));
    messages.resize(rd_kafka_event_message_array(&event, messages.data(), messages.size()));
    std::vector<Answers> answers;
    std::size_t bytes = 0;
    std::size_t durable = 0;
    MonoTime began = kNever;
    bool idle = false;
    {
        const MutexLock lock(mutex_);
        for (const rd_kafka_message_t* message : messages) {
            Flying& flying = *static_cast<Flying*>(message->_private);
            if (flying.call == nullptr) continue;  // given up at a stop
            Call& call = *flying.call;
            auto result = outcome(life, *message);
            if (result) {
                ++durable;
                bytes += flying.bytes;
                began = std::min(began, call.began);
            }
            auto& mine = answers_for(answers, call.sink).results;
            mine.push_back({call.first_tag + flying.index, std::move(result)});
            settle(life, flying);
        }
        idle = life.calls.empty();
    }
    if (durable > 0 && options_.observer != nullptr) {
        options_.observer->synced(durable, bytes, env_.clock.mono() - began);
    }
    tell(answers);
    if (idle) idle_->notify();
}

Result<Offset> Producer::outcome(const Life& life, const rd_kafka_message_t& message) const {
    const std::string_view topic = rd_kafka_topic_name(message.rkt);
    const auto what = [&] { return fmt::format("append to {}/{}", topic, message.partition); };
    if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (message.offset >= 0) return Offset(static_cast<std::uint64_t>(message.offset));
        return unknown_effect(Code::io, what() + ": written, but the broker forgot where");
    }
    Error failure = error_of(message.err, what());
    const bool purged = message.err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
                        message.err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT ||
                        message.err == RD_KAFKA_RESP_ERR__FATAL;
    const bool never_sent = rd_kafka_message_status(&message) == RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
    failure.effect = never_sent && !purged && !life.fatal ? Effect::none : Effect::unknown;
#if PENSTOCK_FAILPOINTS
    if (options_.test_unknown_is_none) failure.effect = Effect::none;
#endif
    return failure;
}

/// The record is answered: it no longer counts.
void Producer::settle(Life& life, Flying& flying) {
    Call& call = *flying.call;
    flying.call = nullptr;
    --call.place->pending.records;
    call.place->pending.bytes -= flying.bytes;
    if (--call.left == 0) life.calls.erase(call.self);
}

Producer::Answers& Producer::answers_for(std::vector<Answers>& all, AppendSink* sink) {
    for (Answers& answers : all) {
        if (answers.sink == sink) return answers;
    }
    return all.emplace_back(Answers{sink, {}});
}

void Producer::tell(const std::vector<Answers>& all) {
    for (const Answers& answers : all) answers.sink->appended(answers.results);
}

/// Everything in hand is answered with `why`. Reports that still come find nobody.
void Producer::give_up(Life& life, const Error& why, std::vector<Answers>& answers) {
    for (Call& call : life.calls) {
        auto& mine = answers_for(answers, call.sink).results;
        for (Flying& flying : call.records) {
            if (flying.call == nullptr) continue;
            flying.call = nullptr;
            mine.push_back({call.first_tag + flying.index, why});
        }
    }
    life.given_up.splice(life.given_up.end(), life.calls);
}

/// Fence, drain, bury, begin again. `why` is empty where an earlier try to begin failed.
void Producer::renew(const std::string& why) {
    Life* old = nullptr;
    {
        const MutexLock lock(mutex_);
        fenced_ = std::move(life_);  // appends are refused from here on
        old = fenced_.get();
    }
    std::size_t in_doubt = 0;
    if (old != nullptr) {
        old->fatal = true;
        note(options_, fmt::format("Kafka producer: fatal error, it is renewed: {}", why));
        const MonoTime by = env_.clock.mono() + kDrainTime;
        const auto drained = [&] {
            const MutexLock lock(mutex_);
            return silent(old);
        };
        while (!drained() && env_.clock.mono() < by && !end_) hear(*old, by);
        std::vector<Answers> answers;
        std::unique_ptr<Life> ended;
        {
            const MutexLock lock(mutex_);
            give_up(*old, unknown_effect(Code::io, "the Kafka producer met a fatal error: " + why),
                    answers);
            ended = std::move(fenced_);
        }
        for (const Answers& each : answers) in_doubt += each.results.size();
        tell(answers);
        idle_->notify();
        // Nobody takes its reports any more; the client frees them with itself.
        short_lives_ = env_.clock.mono() - ended->born < kShortLife ? short_lives_ + 1 : 0;
    }
    pause_before_next_life();
    if (end_) return;
    auto made = make_life();
    if (!made) {
        note(options_, fmt::format("Kafka producer: {}", made.error().text));
        ++short_lives_;
        return;
    }
    {
        const MutexLock lock(mutex_);
        life_ = std::move(*made);
    }
    if (options_.observer != nullptr) options_.observer->renewed(why, in_doubt);
}

void Producer::pause_before_next_life() {
    if (short_lives_ == 0) return;
    const auto doublings = std::min(short_lives_ - 1, kMaxDoublings);
    const MonoTime until = env_.clock.mono() + kFirstPause * (1 << doublings);
    while (!end_ && env_.clock.mono() < until) ended_->wait_until(until);
}

}  // namespace penstock::logkafka
