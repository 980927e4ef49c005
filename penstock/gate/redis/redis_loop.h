#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "penstock/base/env.h"
#include "penstock/base/guarded.h"
#include "penstock/gate/redis/batch.h"
#include "penstock/gate/redis/link.h"
#include "penstock/gate/redis/redis_gate.h"

namespace penstock {

/// The thread that speaks to Redis: takes what callers left in its inbox, makes one call of it for
/// each resource, and connects again for ever. What it says of one resource, it says in the order
/// in which the callers did.
/// Threads: start(), ask(), settle(), run() any; the rest its own.
class RedisLoop {
public:
    RedisLoop(Env& env, RedisGateOptions options, RedisUrl url, RedisGateObserver& observer);
    ~RedisLoop();

    /// Waits for the first connection; its error, if it failed.
    Result<void> start();
    const std::string& server_version() const { return server_version_; }
    void ask(std::span<const Ask> asks, LogTime now, std::uint64_t first_tag, GateSink& sink);
    void settle(std::span<const Settled> settled);
    /// Words of the reply, the first of them its kind. Waits.
    Result<std::vector<std::string>> run(std::string_view resource, std::unique_ptr<Batch> batch);

private:
    enum class State : std::uint8_t { down, connecting, ready };
    enum class Step : std::uint8_t { login, database, info, claims, control };

    struct Incoming {
        ClaimOp op;
        std::uint32_t resource_at = 0, resource_size = 0;
        std::unique_ptr<Batch> batch;  ///< a call; else the op is meant
    };
    struct Inbox {
        std::vector<Incoming> items;
        std::string texts;
    };
    /// What is under way to one resource, and what was seen of it.
    struct Queue {
        Queue(std::string_view prefix, std::string_view resource)
            : name(resource), keys(prefix, resource) {}
        const std::string name;
        const ResourceKeys keys;
        std::deque<std::unique_ptr<Batch>> waiting;
        std::size_t in_flight = 0;
        bool listed = false;        ///< in sendable_
        GateGeneration generation;  ///< seen last; 0: not known to be there
        std::uint64_t writes = 0;   ///< of this generation
        bool told = false;          ///< that it needs a rebuild
    };
    struct InFlight {
        Queue* queue;
        std::unique_ptr<Batch> batch;
        MonoTime sent;
    };
    struct Later {
        MonoTime at;
        Queue* queue;
        std::unique_ptr<Batch> batch;
    };

    void body();
    bool finished();
    void drain();
    void take(Incoming& item, std::string_view texts);
    Queue& queue_of(std::string_view resource);
    void list(Queue& queue);
    void wait();
    void on_time();

    // Connection (redis_connect.cc).
    void connect();
    void greet(redisReply& reply);
    Result<void> greeting(Step step, const redisReply& reply);
    void came_up();
    void fail(const Error& why);
    void refuse_waiting(Queue& queue, const Error& why);
    void settle_again(Queue& queue, const Batch& batch);
    void serve_link();

    // Calls and replies (redis_calls.cc).
    void send_all();
    void send(Queue& queue, const Batch& batch, bool whole_script);
    void replied(redisReply& reply);
    void refused(InFlight flight, std::string_view text);
    void answered(Queue& queue, const Batch& batch, const redisReply& reply);
    void answered_ok(Queue& queue, const Batch& batch, const redisReply& reply);
    void begins(Queue& queue, std::uint64_t generation);
    void learn_from_call(Queue& queue, const Batch& batch, const std::vector<std::string>& words);
    void answer_all(const Batch& batch, const Result<Admission>& admission,
                    GateGeneration generation = {});
    template <class Make>
    void answer_each(const Batch& batch, Make&& make);
    void settlements_done(const Batch& batch);
    void tell(Queue& queue, std::string_view why);
    GateCheck without() const;

    Env& env_;
    const RedisGateOptions options_;
    const RedisUrl url_;
    RedisGateObserver& observer_;
    const std::string claims_text_, control_text_;
    const int poke_;  ///< an eventfd

    Mutex mutex_;
    Inbox inbox_ GUARDED_BY(mutex_);
    bool stopping_ GUARDED_BY(mutex_) = false;
    std::atomic<std::size_t> asks_{0}, settled_{0};  ///< waiting
    std::atomic<bool> dropped_{false};               ///< settlements, by settle()

    // The thread's own.
    Inbox taken_;
    std::map<std::string, std::unique_ptr<Queue>, std::less<>> queues_;
    std::vector<Queue*> sendable_;
    std::deque<InFlight> in_flight_;
    std::vector<Later> later_;
    bool told_dropped_ = false;
    State state_ = State::down;
    std::unique_ptr<RedisLink> link_;
    std::deque<Step> greetings_;
    Error down_;               ///< why there is no connection
    MonoTime next_attempt_{};  ///< while down
    MonoTime give_up_at_{};    ///< while connecting
    std::uint32_t attempts_ = 0;
    std::string run_id_, claims_sha_, control_sha_;
    std::optional<MonoTime> stop_by_;
    ClaimArguments arguments_;
    std::vector<Answer> answers_;
    std::vector<std::uint32_t> lefts_;
    Call* first_ = nullptr;       ///< who waits for the first connection
    std::string server_version_;  ///< constant once that one is up

    std::unique_ptr<Task> task_;
};

}  // namespace penstock
