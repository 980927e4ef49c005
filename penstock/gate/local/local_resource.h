#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "penstock/base/guarded.h"
#include "penstock/gate/gate.h"
#include "penstock/gate/local/unit_table.h"

namespace penstock {

/// Asks decided under one lock: enough for their cache misses to overlap, and a short wait for
/// whoever else wants the resource.
inline constexpr std::size_t kDecideBatch = 16;

/// What was decided about each ask of a batch.
struct Decisions {
    std::array<Admission, kDecideBatch> admission;
    std::array<std::uint32_t, kDecideBatch> left;
    GateGeneration generation;
};

/// What a resource remembers of single commands and holders. Threads: the owner's.
struct ResourceTables {
    ResourceTables(Random& random, SegmentPool& pool)
        : ids(random, pool), holders(random, pool), returned(random, pool) {}
    std::uint64_t memory_bytes() const {
        return ids.memory_bytes() + holders.memory_bytes() + returned.memory_bytes();
    }

    UnitTable ids;      ///< command id → units, and whether they are granted
    UnitTable holders;  ///< hash of the holder → units; empty if there is no limit
    /// Ids given back during a rebuild: what load() still brings of them is out of date.
    UnitTable returned;
};

/// One resource of the local gate. Threads: any.
class LocalResource {
public:
    /// All of them outlive it.
    LocalResource(const KeyedHash& holder_hash, Random& random, SegmentPool& pool);

    /// At most kDecideBatch asks, each of 1 unit or more, decided in order.
    void decide(std::span<const Ask> asks, LogTime now, Decisions& decisions);
    /// All of this resource.
    void settle(std::span<const Settled> settled);
    /// Swaps the tables with `empty`, for the caller to free where nobody waits for it.
    Result<void> begin_rebuild(const ResourceSpec& spec, GateGeneration generation,
                               ResourceTables& empty);
    Result<void> load(GateGeneration generation, std::span<const Holding> holdings);
    Result<void> open(GateGeneration generation);
    Result<void> alter(const ResourceSpec& spec);
    GateCounts counts();
    /// From now on it answers no_resource: others may still hold a pointer to it.
    void drop();
    std::uint64_t memory_bytes();
#if PENSTOCK_FAILPOINTS
    void shift_granted(std::int64_t units);
#endif

private:
    enum class State : std::uint8_t { rebuilding, open, dropped };

    Admission decide_one(const Ask& ask, UnitTable::Spot id_spot, const Hash128& holder,
                         UnitTable::Spot holder_spot, LogTime now) REQUIRES(mutex_);
    void settle_one(const Settled& settled) REQUIRES(mutex_);
    Admission without_units(std::uint64_t free) REQUIRES(mutex_);
    void take(const Uuid& id, std::string_view holder, std::uint32_t quantity, bool granted)
        REQUIRES(mutex_);
    void grant(std::uint32_t& entry) REQUIRES(mutex_);
    void give_back(const Uuid& id, std::string_view holder) REQUIRES(mutex_);
    void add_to_holder(const Hash128& holder, UnitTable::Spot spot, std::uint32_t quantity)
        REQUIRES(mutex_);
    Result<void> check_generation(GateGeneration generation) REQUIRES(mutex_);
    std::uint64_t free_units() const REQUIRES(mutex_);

    const KeyedHash& holder_hash_;
    Random& random_;
    SegmentPool& pool_;
    Mutex mutex_;
    State state_ GUARDED_BY(mutex_) = State::dropped;
    bool limited_ GUARDED_BY(mutex_) = false;  ///< spec has per_holder
    GateCounts counts_ GUARDED_BY(mutex_);
    ResourceTables tables_ GUARDED_BY(mutex_);
};

}  // namespace penstock
