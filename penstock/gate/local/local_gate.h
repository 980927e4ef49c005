#pragma once

#include <map>
#include <memory>
#include <string>

#include "penstock/base/env.h"
#include "penstock/gate/gate.h"
#include "penstock/gate/local/local_resource.h"

namespace penstock {

/// The gate of one process: tables in memory, answers before ask() returns, gone with the process
/// and rebuilt at its start. Threads: any; asks of one resource take turns by the batch.
class LocalGate final : public Gate {
public:
    explicit LocalGate(Env& env);

    void ask(std::span<const Ask> asks, LogTime now, std::uint64_t first_tag,
             GateSink& sink) override;
    void settle(std::span<const Settled> settled) override;
    Result<void> begin_rebuild(const ResourceSpec& spec, GateGeneration generation) override;
    Result<void> load(const ResourceId& resource, GateGeneration generation,
                      std::span<const Holding> holdings) override;
    Result<void> open(const ResourceId& resource, GateGeneration generation) override;
    Result<void> alter(const ResourceSpec& spec) override;
    Result<GateCounts> counts(const ResourceId& resource) override;
    Result<void> drop(const ResourceId& resource) override;

    /// Of the resource's tables; 0 if there is no such resource.
    std::uint64_t memory_bytes(const ResourceId& resource);
#if PENSTOCK_FAILPOINTS
    /// The fault that `verify` must find: the granted counter moves without a grant.
    void shift_granted(const ResourceId& resource, std::int64_t units);
#endif

private:
    /// Shared: a resource may be dropped while another thread is inside it.
    using Resource = std::shared_ptr<LocalResource>;

    Resource find(std::string_view resource);

    Random& random_;
    const KeyedHash holder_hash_;
    SegmentPool pool_;
    Mutex mutex_;
    std::map<std::string, Resource, std::less<>> resources_ GUARDED_BY(mutex_);
};

}  // namespace penstock
