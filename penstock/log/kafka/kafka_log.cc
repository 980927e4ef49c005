#include "penstock/log/kafka/kafka_log.h"

#include <fmt/format.h>

#include <algorithm>

#include "penstock/log/kafka/admin.h"
#include "penstock/log/kafka/graveyard.h"
#include "penstock/log/kafka/held_call.h"
#include "penstock/log/kafka/producer.h"
#include "penstock/log/kafka/readers.h"
#include "penstock/log/kafka/subscription.h"
#include "penstock/log/kafka/topics.h"

namespace penstock {

using logkafka::HeldCall;

namespace {

constexpr std::chrono::seconds kKeepEvery{1};

}  // namespace

Result<std::unique_ptr<KafkaLog>> KafkaLog::open(Env& env, const KafkaLogOptions& options) {
    if (options.brokers.empty()) {
        return error(Code::invalid, "no Kafka brokers are named; give host:port,host:port");
    }
    PENSTOCK_TRY(logkafka::check_properties(options));
    std::unique_ptr<KafkaLog> log(new KafkaLog(env, options));
    PENSTOCK_TRY(log->connect());
    return log;
}

KafkaLog::KafkaLog(Env& env, const KafkaLogOptions& options)
    : env_(env),
      options_(options),
      keeper_wake_(env.executor.make_wake()),
      graveyard_(std::make_unique<logkafka::Graveyard>(env, options_)) {}

KafkaLog::~KafkaLog() {
    stop(env_.clock.mono());
    end_ = true;
    keeper_wake_->notify();
    keeper_.reset();
    producer_.reset();
    readers_.reset();
}

Result<void> KafkaLog::connect() {
    auto admin = logkafka::Admin::open(env_, options_);
    if (!admin) return std::move(admin).error();
    admin_ = std::move(*admin);
    auto peers = admin_->connect();
    if (!peers) return std::move(peers).error();
    peers_ = std::move(*peers);
    if (options_.brokers.find(',') == std::string::npos) {
        logkafka::note(options_, fmt::format("only one Kafka address is given, {}: while that "
                                             "broker is down, no process can start",
                                             options_.brokers));
    }
    topics_ = std::make_unique<logkafka::Topics>(env_, options_, *admin_);
    readers_ = std::make_unique<logkafka::Readers>(env_, options_, *admin_, *graveyard_);
    auto producer = logkafka::Producer::open(env_, options_, *graveyard_);
    if (!producer) return std::move(producer).error();
    producer_ = std::move(*producer);
    keeper_ = env_.executor.spawn("kafka-keeper", [this] { keep(); });
    return {};
}

std::string KafkaLog::about() const {
    return fmt::format("{}, cluster {}, {} broker{}; {}",
                       peers_.broker_version.empty() ? "Kafka" : peers_.broker_version,
                       peers_.cluster, peers_.brokers, peers_.brokers == 1 ? "" : "s",
                       peers_.client);
}

std::optional<Error> KafkaLog::down() const {
    if (producer_->reaches_a_broker()) return std::nullopt;
    return error(Code::unreachable, fmt::format("no Kafka broker of {} answers", options_.brokers));
}

Result<void> KafkaLog::check_running() {
    const MutexLock lock(mutex_);
    if (!stopping_) return {};
    return error(Code::stopped, "the log is stopping");
}

void KafkaLog::append(const TopicPartition& at, std::span<const Record> records,
                      std::uint64_t first_tag, AppendSink& sink) {
    bool warm;
    {
        const MutexLock lock(mutex_);
        warm = stopping_ || !cold_.contains(at.topic);
    }
    // Nobody overtakes what waits for the same topic.
    if (warm && topics_->usable(at)) return producer_->append(at, records, first_tag, sink);
    hold(at, records, first_tag, sink);
}

void KafkaLog::hold(const TopicPartition& at, std::span<const Record> records,
                    std::uint64_t first_tag, AppendSink& sink) {
    HeldCall call(at, records, first_tag, sink);
    const auto refused = [&]() -> std::optional<Error> {
        const MutexLock lock(mutex_);
        if (stopping_) return error(Code::stopped, "the log is stopping");
        Cold& cold = cold_[at.topic];
        if (!cold.calls.empty() && cold.bytes + call.bytes > options_.max_pending_bytes) {
            return error(Code::overloaded,
                         fmt::format("{} is being looked at; try again", at.topic.value()));
        }
        cold.bytes += call.bytes;
        cold.calls.push_back(std::move(call));
        return std::nullopt;
    }();
    if (refused) return call.refuse(*refused);  // NOLINT(bugprone-use-after-move): it was not
    keeper_wake_->notify();
}

/// The keeper: looks at topics that are new to this process, and again at those that somebody
/// follows.
void KafkaLog::keep() {
    MonoTime next = env_.clock.mono() + kKeepEvery;
    while (!end_) {
        if (warm_one()) continue;
        if (env_.clock.mono() >= next) {
            topics_->refresh();
            readers_->rest();
            next = env_.clock.mono() + kKeepEvery;
        }
        keeper_wake_->wait_until(next);
    }
}

bool KafkaLog::warm_one() {
    TopicId topic;
    {
        const MutexLock lock(mutex_);
        if (cold_.empty()) return false;
        topic = cold_.begin()->first;
    }
    // What is said here is remembered, or said again below.
    if (const auto asked = topics_->ask(topic); asked && producer_->learn(topic)) {
        topics_->taught(topic, asked->front().spec.partitions);
    }
    release_calls(topic);
    return true;
}

/// In order, until none is left; then appends go the short way.
void KafkaLog::release_calls(const TopicId& topic) {
    for (;;) {
        std::vector<HeldCall> calls;
        {
            const MutexLock lock(mutex_);
            const auto found = cold_.find(topic);
            if (found == cold_.end()) return;
            if (found->second.calls.empty()) {
                cold_.erase(found);
                return;
            }
            calls.swap(found->second.calls);
            found->second.bytes = 0;
        }
        for (const HeldCall& call : calls) {
            if (const auto checked = topics_->check(call.at); !checked) {
                call.refuse(checked.error());
                continue;
            }
            call.replay([&](std::span<const Record> records) {
                producer_->append(call.at, records, call.first_tag, *call.sink);
            });
        }
    }
}

Result<std::unique_ptr<ReadBatch>> KafkaLog::read(const TopicPartition& at, Offset from,
                                                  const ReadLimits& limits) {
    if (const auto facts = topics_->check(at); !facts && facts.error().code != Code::unsafe) {
        return facts.error();
    }
    return readers_->read(at, from, limits);
}

Result<Offset> KafkaLog::offset_at(const TopicPartition& at, LogTime time) {
    if (const auto facts = topics_->check(at); !facts && facts.error().code != Code::unsafe) {
        return facts.error();
    }
    return admin_->offset_at(at, time);
}

Result<std::unique_ptr<Subscription>> KafkaLog::subscribe(const GroupSpec& group) {
    auto opened =
        logkafka::KafkaSubscription::open(env_, options_, *admin_, *topics_, *graveyard_, group);
    if (!opened) return std::move(opened).error();
    return std::unique_ptr<Subscription>(std::move(*opened));
}

void KafkaLog::stop(MonoTime by) {
    std::map<TopicId, Cold> cold;
    {
        const MutexLock lock(mutex_);
        stopping_ = true;
        cold.swap(cold_);
    }
    for (const auto& [topic, waiting] : cold) {
        for (const HeldCall& call : waiting.calls) {
            call.refuse(error(Code::stopped, "the log is stopping"));
        }
    }
    if (producer_) producer_->stop(by);
}

#if PENSTOCK_FAILPOINTS
void KafkaLog::test_fatal_error() {
    producer_->test_fatal_error();
}
#endif

}  // namespace penstock
