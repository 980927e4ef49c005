#pragma once

#include <atomic>
#include <list>
#include <map>
#include <memory>
#include <vector>

#include "penstock/base/guarded.h"
#include "penstock/log/kafka/graveyard.h"
#include "penstock/log/kafka/handle.h"

namespace penstock::logkafka {

/// Carries Record::layout, in decimal, as the first header of records that have one.
inline constexpr std::string_view kLayoutHeader = "penstock-layout";

/// Writes, and answers what became of it:
///   acknowledged by all in-sync replicas            its offset
///   an error before it was ever sent                none
///   anything else, and all after a fatal error      unknown
/// Its supervisor: a producer with a fatal error is fenced, its reports are drained, what is silent
/// then is unknown, another producer takes its place. Nothing in flight is ever purged.
/// Threads: any; one of its own hears the reports.
class Producer {
public:
    static Result<std::unique_ptr<Producer>> open(Env& env, const KafkaLogOptions& options,
                                                  Graveyard& graveyard);
    ~Producer();

    /// As Log::append(); the topic is there and safe.
    void append(const TopicPartition& at, std::span<const Record> records, std::uint64_t first_tag,
                AppendSink& sink);
    /// Asks the brokers for the topic's partitions, which may be more than it knows. Blocks; false:
    /// no answer.
    bool learn(const TopicId& topic);
    void stop(MonoTime by);
    /// As of the last two seconds.
    bool reaches_a_broker() const { return reaches_; }
#if PENSTOCK_FAILPOINTS
    void test_fatal_error();  ///< librdkafka's own way to one
#endif

private:
    struct Call;
    /// One record on its way; librdkafka carries its address.
    struct Flying {
        Call* call;  ///< null: answered
        std::uint32_t index;
        std::uint32_t bytes;
    };
    /// Not yet durable.
    struct Pending {
        std::size_t records = 0;
        std::size_t bytes = 0;
    };
    struct Place {
        rd_kafka_topic_t* topic;
        Pending pending;
    };
    struct Call {
        AppendSink* sink;
        std::uint64_t first_tag;
        Place* place;
        MonoTime began;
        std::vector<Flying> records;
        std::size_t left = 0;
        std::list<Call>::iterator self;
    };
    /// One client of librdkafka and all that it has not answered.
    struct Life {
        std::shared_ptr<rd_kafka_t> client;  ///< shared with learn(); the last one buries it
        Queue reports;
        MonoTime born;
        std::map<std::string, Topic, std::less<>> topics;
        std::map<TopicPartition, Place> places;
        std::list<Call> calls;
        std::list<Call> given_up;  ///< librdkafka still has the addresses of their records
        bool fatal = false;
    };
    /// What goes to one sink.
    struct Answers {
        AppendSink* sink;
        std::vector<Appended> results;
    };

    Producer(Env& env, const KafkaLogOptions& options, Graveyard& graveyard);
    Result<std::unique_ptr<Life>> make_life();
    Place& place_of(const TopicPartition& at) REQUIRES(mutex_);
    Result<void> send(const TopicPartition& at, const Record& record, Call& call) REQUIRES(mutex_);
    void listen();
    void hear(Life& life, MonoTime until);
    void reports(Life& life, rd_kafka_event_t& event);
    Result<Offset> outcome(const Life& life, const rd_kafka_message_t& message) const;
    void settle(Life& life, Flying& flying) REQUIRES(mutex_);
    static void give_up(Life& life, const Error& why, std::vector<Answers>& answers);
    static Answers& answers_for(std::vector<Answers>& all, AppendSink* sink);
    static void tell(const std::vector<Answers>& all);
    bool silent(const Life* life) REQUIRES(mutex_);
    void renew(const std::string& why);
    void pause_before_next_life();

    Env& env_;
    const KafkaLogOptions options_;
    Graveyard& graveyard_;
    const std::unique_ptr<Wake> ended_;  ///< of the listening thread, in its pauses
    const std::unique_ptr<Wake> idle_;   ///< of the one who stops
    Mutex stop_mutex_;                   ///< one stop() at a time
    Mutex mutex_;
    std::unique_ptr<Life> life_ GUARDED_BY(mutex_);  ///< none: fenced
    std::unique_ptr<Life> fenced_ GUARDED_BY(mutex_);
    bool stopping_ GUARDED_BY(mutex_) = false;
    std::atomic<bool> end_ = false;
    std::atomic<bool> reaches_ = true;
    std::uint32_t silent_looks_ = 0;  ///< in a row; the listening thread's
    std::uint32_t short_lives_ = 0;   ///< in a row; the listening thread's
    std::unique_ptr<Task> listener_;
};

}  // namespace penstock::logkafka
