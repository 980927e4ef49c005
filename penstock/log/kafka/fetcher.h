#pragma once

#include <map>

#include "penstock/log/kafka/graveyard.h"
#include "penstock/log/kafka/handle.h"
#include "penstock/log/kafka/haul.h"

namespace penstock::logkafka {

/// A consumer that reads what it is told to, from where it is told to; each partition has a queue
/// of its own, so that a busy one does not starve the rest. Threads: one at a time; the Wake is
/// notified when there may be something to take.
class Fetcher {
public:
    static Result<std::unique_ptr<Fetcher>> open(Env& env, const KafkaLogOptions& options,
                                                 Graveyard& graveyard, Role role,
                                                 const std::string& group);
    ~Fetcher();

    /// Fetches `at` from `from` on; again: from elsewhere.
    Result<void> start(const TopicPartition& at, Offset from);
    void stop(const TopicPartition& at);

    /// end: of the partition at the message's offset when it was fetched; for readers only.
    enum class Taken { message, nothing, end };
    /// The next message of a started partition. out_of_range, damaged, not_found, io.
    Result<Taken> take(const TopicPartition& at, Message& message);
    /// Takes into `haul` until it is full or nothing is there.
    Result<void> fill(const TopicPartition& at, Haul& haul);
    /// Gives back what was taken and has no room.
    void put_back(const TopicPartition& at, Message message);
    /// Lets the client do what is due; cheap.
    void serve();

    rd_kafka_t* client() { return client_.get(); }
    Wake& wake() { return *wake_; }
    /// What its client does last.
    void last_words(std::function<void(rd_kafka_t*)> words) { last_words_ = std::move(words); }

private:
    struct Source {
        Queue queue;
        Offset from;
        Message held;
    };

    Fetcher(Env& env, const KafkaLogOptions& options, Graveyard& graveyard, Handle client);
    static Result<Taken> take(Source& source, const TopicPartition& at, Message& message);
    static Error error_in(const rd_kafka_message_t& message, const TopicPartition& at);
    Result<void> change(const TopicPartition& at, std::optional<Offset> from);

    const KafkaLogOptions options_;
    Graveyard& graveyard_;
    const std::unique_ptr<Wake> wake_;
    Handle client_;
    std::map<TopicPartition, Source> sources_;
    std::function<void(rd_kafka_t*)> last_words_;
};

}  // namespace penstock::logkafka
