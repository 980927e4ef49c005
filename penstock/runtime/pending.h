#pragma once

#include <boost/container/small_vector.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "penstock/base/env.h"
#include "penstock/base/guarded.h"
#include "penstock/core/handler.h"
#include "penstock/runtime/batch.h"
#include "penstock/runtime/observer.h"
#include "penstock/runtime/reader.h"
#include "penstock/runtime/replies.h"
#include "penstock/runtime/requester.h"

namespace penstock {

struct RequesterOptions {
    std::size_t max_in_line = 65'536;
    std::chrono::milliseconds dedup_horizon{};
    bool alone = true;                   ///< no other process decides anything
    std::function<void()> on_gate_lost;  ///< it is away, or lost its state; called often
    std::function<void()> on_in_doubt;   ///< nobody knows whether an admitted command will come
};

/// Where a type's commands go.
struct Destination {
    Route route;
    std::uint32_t partitions = 1;
    LayoutId layout;
};

/// How far a partition is applied, and how fast; from the lanes.
class LineProgress {
public:
    virtual ~LineProgress() = default;
    virtual Offset next(const TopicPartition& at) const = 0;
    virtual double rate(const TopicPartition& at) const = 0;  ///< commands/s; 0: not known
    virtual bool held(const TopicPartition& at) const = 0;    ///< decided in this process
};

/// The requester of one process. A command in line has a slot from submit() until it is both
/// decided and answered by the log; callers of the same id share it.
class LineRequester final : public Requester, AppendSink, GateSink {
public:
    LineRequester(Env&, Log&, Gate&, Reader&, const LineProgress&, RequesterOptions,
                  RuntimeObserver&);

    void set_destinations(std::vector<Destination> destinations);
    /// Where other processes send outcomes for this one; before the first submit().
    void set_reply_partition(std::uint32_t partition) { reply_to_ = partition; }
    /// Why nothing is taken at present; none: open.
    void refuse_all(std::optional<Error> why);

    void submit(std::span<const Submission>, std::uint64_t first_tag, ReplySink& sink) override;
    std::optional<InLine> in_line(const Uuid& id) override;
    std::size_t count_in_line() override;
    void look_up(const Uuid& id, std::uint64_t tag, ReplySink& sink) override;

    /// From the lanes, after the commit. Outcomes may be moved from.
    void decided(std::span<Item> items);
    /// From other processes' lanes. Outcomes may be moved from.
    void told(std::span<Told> outcomes);
    /// Asks the store for what other processes owe for long; now and then.
    void sweep(MonoTime now);
    /// Nothing is in line any more; waits until `by`.
    bool wait_until_empty(Wake& wake, MonoTime by);
    /// Every caller that still waits gets unknown.
    void abandon_all();

private:
    struct Waiter {
        ReplySink* sink;
        std::uint64_t tag;
        bool first;
    };
    struct Slot {
        std::uint32_t generation = 0;
        bool fresh_id = false;
        bool decided = false;  ///< the lane has published it
        bool pinned = false;   ///< its submitter is under way, or the log still owes an answer
        bool stale = false;    ///< its record does not count: it is sent again
        MonoTime logged_at{};  ///< when the log answered
        Command command;       ///< borrows from `bytes`
        std::string bytes;
        Hash128 body;
        const Destination* destination = nullptr;
        TopicPartition at;
        std::optional<Offset> offset;
        std::vector<Waiter> waiters;
    };
    /// An id that the store does not know, of which a command may be in line somewhere: that is so
    /// until everything below these ends is applied.
    struct Question {
        Uuid id;
        Waiter waiter;
        std::vector<std::pair<TopicPartition, Offset>> ends;
        MonoTime until;
    };
    /// Replies gathered under the lock, sent after it.
    class Outbox;
    struct IdHash {
        using is_avalanching = void;
        std::uint64_t seed;
        std::size_t operator()(const Uuid& id) const;
    };
    using SlotIndex = std::uint32_t;
    /// As many as callers usually submit at once stand on the stack.
    using SlotIndices = boost::container::small_vector<SlotIndex, 8>;
    /// What to ask the gate, in order; what it need not be asked goes straight to the log.
    struct Asks {
        boost::container::small_vector<std::pair<std::uint64_t, Ask>, 2> gated;  ///< by tag
        SlotIndices free;
    };
    using ById = boost::unordered_flat_map<Uuid, SlotIndex, IdHash>;

    void appended(std::span<const Appended>) noexcept override;
    void answered(std::span<const Answer>) noexcept override;

    void admit(const Submission& submission, LogTime now, Waiter waiter, Outbox& out,
               SlotIndices& taken) REQUIRES(mutex_);
    SlotIndex take_slot(const Submission& submission, const Hash128& body,
                        const Destination& destination, const TopicPartition& at) REQUIRES(mutex_);
    std::chrono::milliseconds time_of(std::uint64_t commands, const TopicPartition& at) const;
    void free_slot(SlotIndex index) REQUIRES(mutex_);
    Slot* slot_of(std::uint64_t tag) REQUIRES(mutex_);
    static std::uint64_t tag_of(SlotIndex index, const Slot& slot);
    Asks asks_of(std::span<const SlotIndex> taken) REQUIRES(mutex_);
    void ask_gate(const Asks& asks, LogTime now);
    void ask_again(std::span<const SlotIndex> again);
    void append(std::span<const SlotIndex> admitted);
    void refuse(SlotIndex index, const Answer& answer, Outbox& out) REQUIRES(mutex_);
    void refuse_unknown(Slot& slot, Outbox& out) REQUIRES(mutex_);
    void send_again(SlotIndex index, SlotIndices& again) REQUIRES(mutex_);
    void settle(ById::iterator found, Told& told, Outbox& out, SlotIndices& again) REQUIRES(mutex_);
    void ask_later(const Uuid& id, const Waiter& waiter);
    void sweep_questions(MonoTime now);
    void answer_from_store(Uuid id, std::optional<Hash128> body, std::vector<Waiter> waiters,
                           Answered otherwise, Outbox& out);

    Env& env_;
    Log& log_;
    Gate& gate_;
    Reader& reader_;
    const LineProgress& progress_;
    const RequesterOptions options_;
    RuntimeObserver& observer_;
    std::vector<Destination> destinations_;  // constant after set_destinations
    std::optional<std::uint32_t> reply_to_;  // constant after set_reply_partition

    Mutex mutex_;
    std::deque<Slot> slots_ GUARDED_BY(mutex_);
    std::vector<SlotIndex> free_ GUARDED_BY(mutex_);
    ById by_id_ GUARDED_BY(mutex_);
    std::optional<Error> refusing_ GUARDED_BY(mutex_);
    std::vector<Question> questions_ GUARDED_BY(mutex_);
    Wake* emptied_ GUARDED_BY(mutex_) = nullptr;
};

}  // namespace penstock
