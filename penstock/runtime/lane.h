#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "penstock/base/env.h"
#include "penstock/base/mailbox.h"
#include "penstock/runtime/batch.h"
#include "penstock/runtime/observer.h"
#include "penstock/runtime/pace.h"

namespace penstock {

/// Told after each commit, in log order. Threads: the lane's.
class Decided {
public:
    virtual ~Decided() = default;
    virtual void decided(std::span<Item> items) noexcept = 0;  ///< outcomes may be moved from
    virtual void stopped(const Error& why) noexcept = 0;       ///< the lane cannot go on
};

struct LaneOptions {
    Owner owner;
    SessionLimits session;
    std::size_t batch_commands = 1'000;
    std::chrono::milliseconds batch_time{20};
    std::chrono::milliseconds dedup_horizon{};
};

struct LinePartition {
    TopicPartition at;
    LayoutId layout;
};

/// A partition that a lane may own. The atomics are for everybody, the rest is the lane's.
struct PartitionState {
    TopicPartition at;
    LayoutId layout;
    std::string default_type;  ///< of the topic
    std::atomic<bool> held{false};
    /// Not held, and yet the row may name this process: taking it or giving it up failed half-way.
    std::atomic<bool> half_held{false};
    std::atomic<std::uint64_t> epoch{0};  ///< while held
    /// All below is applied: after each commit; while another owns it, as last seen.
    std::atomic<std::uint64_t> next{0};
    Owned owned;
};

/// One thread, one store session, and the partitions it owns: takes what is ready in order, makes
/// one transaction of it, tells who waits. Threads: run() its own; open() and take() one, before
/// it; the rest any.
class Lane {
public:
    /// `apps`: this lane's own, since handlers keep statements of its session.
    Lane(Env&, Log&, Store&, std::vector<std::unique_ptr<App>> apps, LaneOptions, Decided&,
         RuntimeObserver&);

    /// Opens the session. `partitions`: all that the lane may ever own.
    Result<void> open(std::span<const LinePartition> partitions);
    /// Makes it this lane's (epoch + 1) and checks it against the log. in_use: another process has
    /// it. damaged: log and database do not belong together.
    Result<void> take(const TopicPartition& at);
    /// The loop; returns after stop(), or when the lane cannot go on (then it told `decided`).
    /// What it owned is free then.
    void run();
    void stop() noexcept;
    /// take() and its opposite between two batches; what fails is not told: ask again.
    void hand_over(const TopicPartition& at) { order(at, true); }
    void hand_back(const TopicPartition& at) { order(at, false); }

    Pace& pace() { return pace_; }
    std::deque<PartitionState>& partitions() { return partitions_; }

private:
    static constexpr std::size_t kMaxPollBytes = 4 * 1024 * 1024;
    enum class Ran { committed, again, smaller, failed_alone, lost, stop };
    struct Order {
        TopicPartition at;
        bool take;
    };

    void order(const TopicPartition& at, bool take);
    bool obey_orders();
    Result<void> begin(PartitionState& state, Owned owned, const PartitionInfo& info, bool fresh);
    bool take_ordered(const TopicPartition& at);
    void give_up(PartitionState& state);
    void give_up_all();
    bool take_turn();
    bool start_granted(std::span<const TopicPartition> granted);
    PartitionState& state_of(const TopicPartition& at);
    void collect(std::span<const Slice> slices);
    bool decide_items(std::span<Item> items);
    Ran run_once(std::span<Item> items);
    Ran after_failure(const BatchFailure& failure, std::span<Item> items);
    Ran commit(std::span<Item> items);
    Ran settle_unknown_commit(const Error& unknown, std::span<Item> items);
    void publish(std::span<Item> items);
    void mend_session();
    void back_off(const Error& failure);
    void prune_some();
    Ran fatal(const Error& failure);
    Ran drop_lost(const Error& failure, std::span<Item> items);

    Env& env_;
    Log& log_;
    Store& store_;
    const std::vector<std::unique_ptr<App>> apps_;
    std::vector<Route> all_routes_;
    std::unordered_map<std::string_view, const Route*> routes_;
    const LaneOptions options_;
    Decided& decided_;
    RuntimeObserver& observer_;

    std::unique_ptr<Session> session_;
    std::unique_ptr<Batch> batch_;
    std::unique_ptr<Subscription> subscription_;
    std::deque<PartitionState> partitions_;
    std::unique_ptr<Wake> pause_;
    Mailbox<Order> orders_;
    std::vector<Order> orders_in_hand_;
    std::vector<Item> items_;
    Pace pace_;
    std::size_t width_;           ///< commands of the next batch, from how long the last took
    std::uint32_t failures_ = 0;  ///< of the store, in a row
    std::uint32_t reruns_ = 0;    ///< of the same items
    Uuid prune_cursor_{};
    MonoTime next_prune_{};
    MonoTime began_{};  ///< of the batch in hand
    LogTime turn_{};    ///< last reading of the clock
    std::atomic<bool> stopping_{false};
};

}  // namespace penstock
