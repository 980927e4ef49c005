#include "penstock/log/kafka/graveyard.h"

namespace penstock::logkafka {
namespace {

constexpr std::chrono::seconds kPatience{5};

/// Joining it would hang as well: it lives as long as the process.
void leave_behind(std::unique_ptr<Task> digger) {
    static Mutex mutex;
    static auto& left = *new std::vector<std::unique_ptr<Task>>;  // never destroyed
    const MutexLock lock(mutex);
    left.push_back(std::move(digger));
}

}  // namespace

Graveyard::Graveyard(Env& env, const KafkaLogOptions& options)
    : env_(env), options_(options), closed_(env.executor.make_wake()) {}

Graveyard::~Graveyard() {
    const MonoTime by = env_.clock.mono() + kPatience;
    const MutexLock lock(mutex_);
    for (Grave& grave : graves_) {
        while (!*grave.closed && env_.clock.mono() < by) closed_->wait_until(by);
        if (*grave.closed) continue;
        note(options_, "a Kafka client did not end within 5 s; it is left behind");
        leave_behind(std::move(grave.digger));
    }
}

void Graveyard::bury(Handle client, std::function<void(rd_kafka_t*)> last_words) {
    const auto closed = std::make_shared<std::atomic<bool>>(false);
    rd_kafka_t* raw = client.release();
    auto digger = env_.executor.spawn("kafka-end", [raw, closed, last_words, wake = closed_] {
        if (last_words) last_words(raw);
        rd_kafka_set_log_level(raw, 0);  // whoever heard it may be gone before it ends
        rd_kafka_destroy_flags(raw, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
        *closed = true;
        wake->notify();
    });
    const MutexLock lock(mutex_);
    std::erase_if(graves_, [](const Grave& grave) { return grave.closed->load(); });
    graves_.push_back({closed, std::move(digger)});
}

}  // namespace penstock::logkafka
