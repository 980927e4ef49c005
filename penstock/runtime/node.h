#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "penstock/base/env.h"
#include "penstock/core/handler.h"
#include "penstock/gate/gate.h"
#include "penstock/log/log.h"
#include "penstock/runtime/layout.h"
#include "penstock/runtime/observer.h"
#include "penstock/runtime/requester.h"
#include "penstock/store/store.h"

namespace penstock {

struct NodeOptions {
    std::string group = "penstock";
    std::chrono::milliseconds dedup_horizon = std::chrono::hours(24 * 7);
    std::uint32_t max_rows_per_s = 0;      ///< 0: as fast as it goes
    std::size_t max_in_line = 65'536;      ///< commands of this process not yet decided
    std::size_t max_queued_reads = 4'096;  ///< jobs that wait for the reader
    std::size_t batch_commands = 1'000;
    std::chrono::milliseconds batch_time{20};      ///< of store time, after which a batch ends
    std::uint64_t low_water_bytes = 256ull << 20;  ///< free disk below which nothing is admitted
    std::string data_directory;                    ///< watched for low water; empty: not watched
    std::vector<TopicSpec> topics;                 ///< created at start where they are not there
    /// Other stores can reach the log: the first record of a topic says whose line it is.
    bool mark_topics = false;
    /// A topic whose first record names this line, or has no mark and this says `unmarked`, becomes
    /// this store's; empty: none does.
    std::string adopt;
    /// False: other processes may share log, gate and store. Partitions then go by leases, and
    /// outcomes come back over the topic GROUP-replies.
    bool alone = true;
    std::chrono::milliseconds lease{3'000};  ///< of a process; when it is over, others take over
};

/// Why a node is not ready, for /readyz; empty: ready.
struct Readiness {
    bool ready = false;
    std::string waits_for;
};

struct PartitionProgress {
    TopicPartition at;
    bool owned = true;  ///< by this process; then of this epoch
    Epoch epoch;
    Offset next;            ///< all below is applied
    Offset end;             ///< one past the last durable record
    double rows_per_s = 0;  ///< lately decided
};

/// One process's runtime: its lanes, requester and reader over one log, gate and store.
/// start() returns when the lanes run; ready() turns true when what was durable at the start is
/// applied and the gate is rebuilt. Threads: any, but start() and stop() one.
class Node {
public:
    virtual ~Node() = default;
    /// Checks store against log (damaged, unsafe, too_new), takes the partitions, starts.
    virtual Result<void> start() = 0;
    virtual Readiness readiness() = 0;
    virtual Requester& requester() = 0;
    /// Runs `job` on the reader's thread with a read-only session in one snapshot. False: the
    /// queue is full. The job must not wait for anything else. Where the store cannot be
    /// read, it gets a session whose every call says why.
    virtual bool read(std::function<void(Session&)> job) = 0;
    /// Asks the log, so it may block.
    virtual std::vector<PartitionProgress> progress() = 0;
    /// Of a topic on which the node's own commands or replies lie; none: it is somebody else's.
    virtual std::optional<Layout> layout_of(std::string_view topic) = 0;
    virtual void set_max_rows_per_s(std::uint32_t) = 0;
    virtual std::uint32_t max_rows_per_s() = 0;
    /// The gate does not know its state any more: it is rebuilt. Often is no harm.
    virtual void gate_lost() noexcept = 0;
    /// The gate may count what is not so: it is rebuilt even if it seems whole.
    virtual void gate_doubt() noexcept = 0;
    /// Takes no new commands, decides what is on the log while time allows, answers every waiting
    /// caller (late ones: unknown), stops all threads. Idempotent.
    virtual void stop(MonoTime by) = 0;
};

/// Makes the domains: one set for each lane, whose handlers keep statements of its session, and one
/// for everybody else.
using MakeApps = std::function<std::vector<std::unique_ptr<App>>()>;

/// What is given outlives the node.
std::unique_ptr<Node> make_node(Env&, Log&, Gate&, Store&, MakeApps, NodeOptions, RuntimeObserver&);

}  // namespace penstock
