#pragma once

#include <atomic>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "test/integration/kafka_kit.h"

namespace penstock::test {

/// Appends numbered records as fast as at most 100 of them are in doubt, on a thread of its own.
class Load final : public AppendSink {
public:
    Load(Log& log, TopicPartition at);
    ~Load() override;

    void stop();  ///< sends no more and waits for every answer
    std::size_t durable() const { return durable_; }
    std::size_t unknown() const { return unknown_; }

    struct Answer {
        bool durable;
        bool unknown;
        Offset offset;
    };
    /// By number; complete after stop().
    const std::deque<std::optional<Answer>>& answers() const { return answers_; }
    std::size_t repeated() const { return repeated_; }

    void appended(std::span<const Appended> results) noexcept override;

private:
    void run();
    std::size_t under_way();

    Log& log_;
    const TopicPartition at_;
    const std::unique_ptr<Wake> wake_;
    std::atomic<bool> stopping_ = false;
    std::atomic<std::size_t> durable_ = 0;
    std::atomic<std::size_t> unknown_ = 0;
    Mutex mutex_;
    std::deque<std::optional<Answer>> answers_;  // one for each record that was sent
    std::size_t answered_ GUARDED_BY(mutex_) = 0;
    std::size_t repeated_ = 0;
    std::unique_ptr<Task> task_;
};

/// Follows a partition from its start on a thread of its own.
class Reader {
public:
    Reader(Log& log, TopicPartition at);
    ~Reader();

    void stop();
    std::vector<std::string> values();
    std::optional<Error> failure();

private:
    void run();

    const TopicPartition at_;
    std::unique_ptr<Subscription> subscription_;
    std::atomic<bool> stopping_ = false;
    Mutex mutex_;
    std::vector<std::string> values_ GUARDED_BY(mutex_);
    std::optional<Error> failure_ GUARDED_BY(mutex_);
    std::unique_ptr<Task> task_;
};

/// What was told to the load against what is on the log: every durable record stands at its
/// offset, none that was refused is there, nothing is there twice or unasked.
void check_history(const Load& load, const std::vector<std::string>& log);

}  // namespace penstock::test
