#pragma once

#include <string>
#include <vector>

#include "penstock/base/env.h"
#include "penstock/core/handler.h"
#include "penstock/log/log.h"
#include "penstock/runtime/ownership.h"
#include "penstock/store/store.h"

namespace penstock {

struct GateRebuildParts {
    Env& env;
    Gate& gate;
    Log& log;
    Store& store;
    Owner owner;
    std::vector<Route> routes;
    std::vector<TopicPartition> partitions;  ///< of these routes, sorted; their owner rows are made
};

/// Fills an empty gate from a snapshot of the store alone: what a start would find.
Result<void> fill_gate(Gate& gate, std::span<const Route> routes, Session& reader,
                       GateGeneration generation);

/// Makes the gate anew from store and log: at the start, and whenever it lost what it knew. Lanes
/// of all processes may go on deciding meanwhile; what they tell the gate is idempotent by id.
/// Threads: one.
class GateRebuild {
public:
    explicit GateRebuild(GateRebuildParts parts) : parts_(std::move(parts)) {}

    Result<void> prepare(Session& owner, const Dialect& dialect);
    struct State {
        GateGeneration generation;  ///< that the owner rows name
        bool whole;                 ///< every resource is open, and of this generation
    };
    Result<State> look(Session& owner);
    /// Closes, loads, opens, under the next generation. conflict: another process that is alive is
    /// at it, or has begun since; look() again a little later.
    Result<void> run(Session& owner);

private:
    struct Range {
        TopicPartition at;
        Offset from, end;
    };

    Result<GateGeneration> generation(Session& owner);
    Result<GateGeneration> begin_generation(Session& owner);
    Result<void> rebuild(Session& owner, GateGeneration generation);
    Result<void> let_others(Session& owner);
    Value member() const { return as_bytes(parts_.owner.member); }
    Result<void> set_ends(Session& owner, GateGeneration generation,
                          const std::vector<Range>& ranges);
    Result<std::vector<Range>> ends();
    Result<void> load_log(const std::vector<Range>& ranges, GateGeneration generation);
    Result<void> find_applied(Session& reader, std::vector<Range>& ranges);
    const GateLink* link_of(std::string_view type) const;

    const GateRebuildParts parts_;
    StatementId newest_{}, advance_{}, release_{}, set_end_{}, note_cut_{};
    bool held_ = false;  ///< the owner rows name this process as the one that rebuilds
};

}  // namespace penstock
