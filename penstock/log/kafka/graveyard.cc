#include "penstock/log/kafka/graveyard.h"

namespace penstock::logkafka {
namespace {

constexpr std::chrono::seconds kPatience{5};

}  // namespace

Graveyard::Graveyard(Env& env, const KafkaLogOptions& options)
    : env_(env), options_(options), closed_(env.executor.make_wake()) {}

Graveyard::~Graveyard() {
    const MonoTime by = env_.clock.mono() + kPatience;
    const MutexLock lock(mutex_);
    for (const auto& grave : graves_) {
        while (!grave->closed && env_.clock.mono() < by) closed_->wait_until(by);
        if (grave->closed) continue;
        note(options_, "a Kafka client did not end within 5 s; it is left behind");
        (void)grave->digger.release();  // NOLINT: joining it would hang as well
    }
}

void Graveyard::bury(Handle client, std::function<void(rd_kafka_t*)> last_words) {
    const MutexLock lock(mutex_);
    std::erase_if(graves_, [](const auto& grave) { return grave->closed.load(); });
    const auto grave = std::make_shared<Grave>();
    rd_kafka_t* raw = client.release();
    grave->digger =
        env_.executor.spawn("kafka-end", [raw, weak = grave.get(), last_words, wake = closed_] {
            if (last_words) last_words(raw);
            rd_kafka_destroy_flags(raw, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
            weak->closed = true;
            wake->notify();
        });
    graves_.push_back(grave);
}

}  // namespace penstock::logkafka
