#pragma once

#include <map>
#include <set>

#include "penstock/base/guarded.h"
#include "penstock/log/kafka/admin.h"

namespace penstock::logkafka {

/// What we know of topics, so that an append need not ask. Threads: any.
class Topics {
public:
    Topics(Env& env, const KafkaLogOptions& options, Admin& admin);

    /// What the cluster says now of all topics, or of one; remembered.
    Result<std::vector<TopicFacts>> ask(const std::optional<TopicId>& topic);
    /// Of one topic, at most 5 s old.
    Result<TopicFacts> known(const TopicId& topic);
    /// The partition is there and may be used: not_found, unsafe (noted and let pass where the
    /// options accept the loss of data).
    Result<TopicFacts> check(const TopicPartition& at);
    /// As check(), from memory only; false: unknown, not to be used, or the producer was not yet
    /// told that the topic has grown.
    bool usable(const TopicPartition& at);
    /// The producer knows of this many partitions.
    void taught(const TopicId& topic, std::uint32_t partitions);
    void forget(const TopicId& topic);

    /// The history of a topic that somebody follows is looked at again and again by refresh().
    void follow(const TopicId& topic);
    void unfollow(const TopicId& topic);
    struct Seen {
        bool gone = false;            ///< for sure: the brokers said so twice
        std::optional<Uuid> history;  ///< none: not known now
    };
    /// Of a topic that is followed, as last asked for.
    Seen seen(const TopicId& topic);
    /// Asks for the topics that are followed. Blocks.
    void refresh();

private:
    struct Entry {
        TopicFacts facts;
        MonoTime asked;
        bool usable = false;
    };

    struct Following {
        std::size_t followers = 0;
        std::uint32_t missed = 0;  ///< times in a row that the topic was not there
    };

    void remember(const TopicFacts& facts);
    void missed(const TopicId& topic);

    Env& env_;
    const KafkaLogOptions options_;
    Admin& admin_;
    Mutex mutex_;
    std::map<TopicId, Entry> entries_ GUARDED_BY(mutex_);
    std::map<TopicId, Following> followed_ GUARDED_BY(mutex_);
    /// Partitions that the producer knows of, also of topics that were forgotten.
    std::map<TopicId, std::uint32_t> taught_ GUARDED_BY(mutex_);
    std::set<TopicId> noted_ GUARDED_BY(mutex_);
};

}  // namespace penstock::logkafka
