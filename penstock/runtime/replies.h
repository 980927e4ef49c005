#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "penstock/base/env.h"
#include "penstock/core/decide.h"
#include "penstock/core/outcome.h"
#include "penstock/log/log.h"

namespace penstock {

/// What became of a command, for the process that asked.
struct Told {
    Uuid id;
    Hash128 body;
    Step step = Step::run;
    Outcome outcome;
};

/// A record of the reply topic. Headers: id, body (hexadecimal), step; of a refusal reason. The
/// value is the reply, or a refusal's text.
class ReplyRecord {
public:
    explicit ReplyRecord(const Told& told);
    Record record() const;

private:
    const Told& told_;
    std::string id_, body_;
    Header headers_[4];
    std::size_t count_ = 0;
};
/// None: not a reply of ours.
std::optional<Told> decode_reply(const Logged& record);

/// Outcomes on their way between processes, over a topic with a partition for each process. They
/// only save the wait: the outcome's row in the store is the reply. Threads: send() the lanes;
/// listen() and stop() one.
class ReplyLine final : AppendSink {
public:
    using Receive = std::function<void(std::span<Told>)>;

    ReplyLine(Env& env, Log& log, TopicId topic);
    ~ReplyLine() override { stop(); }

    void send(PartitionId to, const Told& told);
    /// From the partition's present end on; `receive` on a thread of its own.
    Result<void> listen(PartitionId mine, Receive receive);
    void stop();

private:
    void appended(std::span<const Appended>) noexcept override {}
    void body();

    Env& env_;
    Log& log_;
    const TopicId topic_;
    Receive receive_;
    std::unique_ptr<Subscription> subscription_;
    std::atomic<bool> stopping_{false};
    std::unique_ptr<Task> task_;  // last: joined first
};

}  // namespace penstock
