#include "penstock/gate/local/local_resource.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace penstock {
namespace {

// An entry of the id table: units, and in the top bit whether they are granted. Quantities are at
// most 2^31 - 1 (kMaxUnits); a larger one, which no resource can grant, counts as that.
constexpr std::uint32_t kGrantedBit = 1U << 31;

constexpr std::uint32_t units_of(std::uint32_t entry) {
    return entry & ~kGrantedBit;
}
constexpr bool is_granted(std::uint32_t entry) {
    return (entry & kGrantedBit) != 0;
}
constexpr std::uint32_t clamped(std::uint32_t quantity) {
    return std::min(quantity, kMaxUnits);
}

}  // namespace

LocalResource::LocalResource(const KeyedHash& holder_hash, Random& random, SegmentPool& pool)
    : holder_hash_(holder_hash), random_(random), pool_(pool), tables_(random, pool) {}

void LocalResource::decide(std::span<const Ask> asks, LogTime now, Decisions& decisions) {
    PENSTOCK_CHECK(asks.size() <= kDecideBatch);
    std::array<Hash128, kDecideBatch> holder;
    std::array<UnitTable::Spot, kDecideBatch> id_spot;
    std::array<UnitTable::Spot, kDecideBatch> holder_spot;
    const MutexLock lock(mutex_);
    // First bring every cache line on its way, then decide.
    for (std::size_t i = 0; i < asks.size(); ++i) {
        id_spot[i] = tables_.ids.spot_of(asks[i].id);
        tables_.ids.prefetch(id_spot[i]);
        holder_spot[i] = 0;
        if (!limited_) continue;
        holder[i] = holder_hash_(as_bytes(asks[i].holder));
        holder_spot[i] = tables_.holders.spot_of(holder[i]);
        tables_.holders.prefetch(holder_spot[i]);
    }
    for (std::size_t i = 0; i < asks.size(); ++i) {
        decisions.admission[i] = decide_one(asks[i], id_spot[i], holder[i], holder_spot[i], now);
        decisions.left[i] = static_cast<std::uint32_t>(free_units());
    }
    decisions.generation = counts_.generation;
}

Admission LocalResource::decide_one(const Ask& ask, UnitTable::Spot id_spot, const Hash128& holder,
                                    UnitTable::Spot holder_spot, LogTime now) {
    if (state_ == State::dropped) return Admission::no_resource;
    if (state_ == State::rebuilding) return Admission::rebuilding;
    if (tables_.ids.find(ask.id, id_spot) != nullptr) return Admission::again;
    const ResourceSpec& spec = counts_.spec;
    if (spec.closed || (spec.closes_at && *spec.closes_at <= now)) {
        ++counts_.refused_closed;
        return Admission::closed;
    }
    if (spec.opens_at && now < *spec.opens_at) {
        ++counts_.refused_not_open;
        return Admission::not_open;
    }
    std::uint32_t* const held = limited_ ? tables_.holders.find(holder, holder_spot) : nullptr;
    if (limited_ && std::uint64_t{held ? *held : 0} + ask.quantity > *spec.per_holder) {
        ++counts_.refused_limit;
        return Admission::limit_reached;
    }
    const std::uint64_t free = free_units();
    if (ask.quantity > free) return without_units(free);
    tables_.ids.insert(ask.id, id_spot, ask.quantity);
    counts_.reserved += ask.quantity;
    if (held != nullptr) {
        *held += ask.quantity;
    } else if (limited_) {
        tables_.holders.insert(holder, holder_spot, ask.quantity);
    }
    return Admission::admitted;
}

Admission LocalResource::without_units(std::uint64_t free) {
    if (counts_.granted >= counts_.spec.quantity) {
        ++counts_.refused_sold_out;
        return Admission::sold_out;
    }
    if (free == 0) {
        ++counts_.refused_none_free;
        return Admission::none_free;
    }
    ++counts_.refused_not_enough;
    return Admission::not_enough;
}

std::uint64_t LocalResource::free_units() const {
    // Grants that came past the gate may exceed the quantity.
    const std::uint64_t used = counts_.granted + counts_.reserved;
    return used >= counts_.spec.quantity ? 0 : counts_.spec.quantity - used;
}

void LocalResource::settle(std::span<const Settled> settled) {
    const MutexLock lock(mutex_);
    if (state_ == State::dropped || counts_.spec.final_granted) return;
    for (const Settled& one : settled) settle_one(one);
}

void LocalResource::settle_one(const Settled& settled) {
    if (!settled.granted) return give_back(settled.id, settled.holder);
    std::uint32_t* const entry = tables_.ids.find(settled.id, tables_.ids.spot_of(settled.id));
    if (entry != nullptr) {
        grant(*entry);
    } else if (settled.quantity != 0) {
        take(settled.id, settled.holder, clamped(settled.quantity), true);
    }
}

void LocalResource::grant(std::uint32_t& entry) {
    if (is_granted(entry)) return;
    counts_.reserved -= units_of(entry);
    counts_.granted += units_of(entry);
    entry |= kGrantedBit;
}

void LocalResource::take(const Uuid& id, std::string_view holder, std::uint32_t quantity,
                         bool granted) {
    tables_.ids.insert(id, tables_.ids.spot_of(id), quantity | (granted ? kGrantedBit : 0));
    (granted ? counts_.granted : counts_.reserved) += quantity;
    if (!limited_) return;
    const Hash128 hash = holder_hash_(as_bytes(holder));
    add_to_holder(hash, tables_.holders.spot_of(hash), quantity);
}

void LocalResource::add_to_holder(const Hash128& holder, UnitTable::Spot spot,
                                  std::uint32_t quantity) {
    std::uint32_t* const held = tables_.holders.find(holder, spot);
    if (held == nullptr) return tables_.holders.insert(holder, spot, quantity);
    const std::uint32_t room = std::numeric_limits<std::uint32_t>::max() - *held;
    *held += std::min(quantity, room);
}

void LocalResource::give_back(const Uuid& id, std::string_view holder) {
    const UnitTable::Spot spot = tables_.ids.spot_of(id);
    const std::uint32_t* const entry = tables_.ids.find(id, spot);
    // A grant is final: what says otherwise is older than the grant.
    if (entry != nullptr && is_granted(*entry)) return;
    if (state_ == State::rebuilding) {
        const UnitTable::Spot mark = tables_.returned.spot_of(id);
        if (tables_.returned.find(id, mark) == nullptr) tables_.returned.insert(id, mark, 1);
    }
    if (entry == nullptr) return;
    const std::uint32_t quantity = units_of(*entry);
    tables_.ids.erase(id, spot);
    counts_.reserved -= quantity;
    if (!limited_) return;
    const Hash128 hash = holder_hash_(as_bytes(holder));
    const UnitTable::Spot holder_spot = tables_.holders.spot_of(hash);
    std::uint32_t* const held = tables_.holders.find(hash, holder_spot);
    if (held == nullptr) return;
    if (*held > quantity) {
        *held -= quantity;
    } else {
        tables_.holders.erase(hash, holder_spot);
    }
}

Result<void> LocalResource::check_generation(GateGeneration generation) {
    if (state_ == State::dropped) return error(Code::not_found, "no such resource");
    if (generation != counts_.generation) {
        return error(Code::fenced, fmt::format("the gate is at generation {}, not {}",
                                               counts_.generation.value(), generation.value()));
    }
    return {};
}

Result<void> LocalResource::begin_rebuild(const ResourceSpec& spec, GateGeneration generation,
                                          ResourceTables& empty) {
    const MutexLock lock(mutex_);
    if (state_ != State::dropped && generation <= counts_.generation) {
        return error(Code::fenced, fmt::format("the gate is at generation {} already",
                                               counts_.generation.value()));
    }
    std::swap(empty, tables_);
    counts_ = GateCounts{
        .spec = spec, .generation = generation, .granted = spec.final_granted.value_or(0)};
    limited_ = spec.per_holder.has_value();
    state_ = State::rebuilding;
    return {};
}

Result<void> LocalResource::load(GateGeneration generation, std::span<const Holding> holdings) {
    const MutexLock lock(mutex_);
    PENSTOCK_TRY(check_generation(generation));
    if (state_ != State::rebuilding) return error(Code::invalid, "load() after open()");
    for (const Holding& holding : holdings) {
        if (holding.quantity == 0) return error(Code::invalid, "a holding of no units");
        if (counts_.spec.final_granted) continue;
        std::uint32_t* const entry = tables_.ids.find(holding.id, tables_.ids.spot_of(holding.id));
        if (entry != nullptr) {
            if (holding.granted) grant(*entry);
            continue;
        }
        // Settled as given back while the rebuild was reading: do not reserve it again.
        if (!holding.granted &&
            tables_.returned.find(holding.id, tables_.returned.spot_of(holding.id)) != nullptr) {
            continue;
        }
        take(holding.id, holding.holder, clamped(holding.quantity), holding.granted);
    }
    return {};
}

Result<void> LocalResource::open(GateGeneration generation) {
    const MutexLock lock(mutex_);
    PENSTOCK_TRY(check_generation(generation));
    state_ = State::open;
    counts_.open = true;
    tables_.returned = UnitTable(random_, pool_);
    return {};
}

Result<void> LocalResource::alter(const ResourceSpec& spec) {
    const MutexLock lock(mutex_);
    if (state_ == State::dropped) return error(Code::not_found, "no such resource");
    ResourceSpec& mine = counts_.spec;
    if (spec.quantity != mine.quantity || spec.per_holder != mine.per_holder) {
        return error(Code::invalid, "quantity and per_holder of a resource cannot change");
    }
    mine.opens_at = spec.opens_at;
    mine.closes_at = spec.closes_at;
    mine.closed = mine.closed || spec.closed;
    return {};
}

GateCounts LocalResource::counts() {
    const MutexLock lock(mutex_);
    return counts_;
}

void LocalResource::drop() {
    const MutexLock lock(mutex_);
    state_ = State::dropped;
}

std::uint64_t LocalResource::memory_bytes() {
    const MutexLock lock(mutex_);
    return tables_.memory_bytes();
}

#if PENSTOCK_FAILPOINTS
void LocalResource::shift_granted(std::int64_t units) {
    const MutexLock lock(mutex_);
    counts_.granted = static_cast<std::uint64_t>(
        std::max<std::int64_t>(0, static_cast<std::int64_t>(counts_.granted) + units));
}
#endif

}  // namespace penstock
