#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "penstock/base/env.h"
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
    std::string group;
    std::size_t batch_commands = 1'000;
    std::chrono::milliseconds batch_time{20};
    std::chrono::milliseconds dedup_horizon{};
};

/// A partition of a lane. Constant for others once open() returned: at, epoch; next is published
/// after each commit.
struct PartitionState {
    TopicPartition at;
    Epoch epoch;
    std::atomic<std::uint64_t> next{0};
    std::string default_type;  ///< of the topic
    Owned owned;               ///< the lane's own
};

/// One thread, one store session, and the partitions it owns: takes what is ready in order, makes
/// one transaction of it, tells who waits. Threads: run() its own; the rest any.
class Lane {
public:
    /// `apps`: this lane's own, since handlers keep statements of its session.
    Lane(Env&, Log&, Store&, std::vector<std::unique_ptr<App>> apps, LaneOptions, Decided&,
         RuntimeObserver&);

    /// Opens the session, takes each partition (epoch + 1) and checks it against the log.
    Result<void> open(std::span<const std::pair<TopicPartition, PartitionInfo>> partitions);
    /// The loop; returns after stop(), or when the lane cannot go on (then it told `decided`).
    void run();
    void stop() noexcept;

    Pace& pace() { return pace_; }
    std::deque<PartitionState>& partitions() { return partitions_; }

private:
    enum class Ran { committed, again, smaller, failed_alone, stop };

    Result<void> check_history(const Owned& owned, const PartitionInfo& info, bool fresh);
    Result<void> check_replayable(const TopicPartition& at, const PartitionInfo& info);
    Result<void> check_fingerprint(const Owned& owned);
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
