#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "penstock/base/env.h"
#include "penstock/base/guarded.h"
#include "penstock/runtime/gate_rebuild.h"
#include "penstock/runtime/heartbeat.h"
#include "penstock/runtime/node.h"

namespace penstock {

/// What the keeper takes care of. Outlives it.
struct KeeperParts {
    Env& env;
    Log& log;
    Store& store;
    const NodeOptions& options;
    RuntimeObserver& observer;
    const Heartbeat* heartbeat;  ///< null: alone
    GateRebuild gate_rebuild;
    /// Ends of the partitions at the start: the node is ready once all below is applied.
    std::vector<std::pair<PartitionState*, std::uint64_t>> goals;
    std::function<void(std::optional<Error>)> refuse_all;  ///< none: open
    std::function<void(MonoTime)> sweep;                   ///< looks after what stays silent
};

/// What is done beside the line and may take long, on one thread: readiness, the gate's rebuild,
/// the disk, retention. Threads: open(), start() and stop() one, the rest any.
class Keeper {
public:
    explicit Keeper(KeeperParts parts);
    ~Keeper() { stop(); }

    Result<void> open();
    void start();
    void stop();

    Readiness readiness();
    void wait_for(const std::string& what);
    void wake() noexcept { wake_->notify(); }
    void gate_lost() noexcept;
    /// It may hold units for commands that will never come: it is rebuilt, and what comes after all
    /// does not count.
    void gate_doubt() noexcept;
    bool in_doubt() const { return gate_doubt_ || doubted_; }  ///< after stop()
    /// Nothing is decided here any more.
    void failed(const std::string& why);
    bool ready() const { return ready_; }

private:
    void run();
    bool alone() const { return parts_.heartbeat == nullptr; }
    bool caught_up() const;
    void mend_gate();
    void watch_space();
    void apply_retention();

    KeeperParts parts_;
    std::unique_ptr<Session> session_;
    std::atomic<bool> ready_{false}, stopping_{false}, failed_{false}, gate_lost_{true},
        gate_doubt_;
    /// A doubt that was not seen to concerns admissions under this generation or earlier ones.
    std::optional<GateGeneration> doubted_;
    bool low_on_space_ = false;
    MonoTime next_retention_{}, next_gate_{};
    Guarded<std::string> waits_for_;
    std::unique_ptr<Wake> wake_;
    std::unique_ptr<Task> task_;  // last: joined first
};

}  // namespace penstock
