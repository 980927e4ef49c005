#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "penstock/base/env.h"
#include "penstock/runtime/lane.h"
#include "penstock/runtime/membership.h"
#include "penstock/runtime/observer.h"

namespace penstock {

struct HeartbeatParts {
    Env& env;
    Store& store;
    Owner owner;
    std::chrono::milliseconds lease;
    RuntimeObserver& observer;
    std::vector<Lane*> lanes;
    /// Another process ended without a word: what it had admitted and not yet sent is nobody's.
    std::function<void()> on_death;
};

/// One of several processes: renews its lease, follows how far the others are, and gives its lanes
/// their fair share of the partitions. On a thread of its own, so that nothing that takes long or
/// hangs elsewhere costs the lease. Threads: open(), start(), stop() and leave() one, the rest any.
class Heartbeat {
public:
    explicit Heartbeat(HeartbeatParts parts);
    ~Heartbeat() { stop(); }

    /// Opens its session and joins the others.
    Result<void> open();
    void start();
    void stop();
    /// After the lanes have given up what they owned: others need not wait for the lease.
    void leave();
    /// The lease goes on, but no partition is taken or given any more.
    void hold_still() { still_ = true; }
    /// The lease was not renewed: others may have taken over.
    bool is_late() const;

private:
    void run();
    void beat();
    void act_on(const MemberView& view);
    PartitionState* find(const TopicPartition& at, Lane** lane) const;

    const HeartbeatParts parts_;
    Membership membership_;
    std::unique_ptr<Session> session_;
    std::atomic<bool> stopping_{false}, still_{false};
    std::atomic<bool> failed_{false};  ///< the last renewal
    std::atomic<MonoTime> beat_at_{};  ///< when the newest renewal began that succeeded
    std::unique_ptr<Wake> wake_;
    std::unique_ptr<Task> task_;  // last: joined first
};

}  // namespace penstock
