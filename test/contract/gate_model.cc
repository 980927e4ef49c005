#include "test/contract/gate_model.h"

namespace penstock::contract {

std::uint64_t GateModel::Resource::units(bool granted) const {
    if (counts.spec.final_granted) return granted ? *counts.spec.final_granted : 0;
    std::uint64_t sum = 0;
    for (const auto& [id, entry] : entries) sum += entry.granted == granted ? entry.quantity : 0;
    return sum;
}

std::uint64_t GateModel::Resource::units_of(const std::string& holder) const {
    std::uint64_t sum = 0;
    for (const auto& [id, entry] : entries) sum += entry.holder == holder ? entry.quantity : 0;
    return sum;
}

std::uint32_t GateModel::Resource::left() const {
    const std::uint64_t used = units(true) + units(false);
    return used >= counts.spec.quantity ? 0
                                        : static_cast<std::uint32_t>(counts.spec.quantity - used);
}

std::pair<Admission, std::uint32_t> GateModel::ask(const Claim& claim, LogTime now) {
    const auto at = resources_.find(claim.resource);
    if (at == resources_.end()) return {Admission::no_resource, 0};
    const Admission admission = decide(at->second, claim, now);
    if (admission == Admission::admitted) {
        at->second.entries[claim.id] = {claim.holder, claim.quantity, false};
    }
    return {admission, at->second.left()};
}

Admission GateModel::decide(Resource& resource, const Claim& claim, LogTime now) {
    GateCounts& counts = resource.counts;
    if (!counts.open) return Admission::rebuilding;
    if (resource.entries.contains(claim.id)) return Admission::again;
    if (counts.spec.closed || (counts.spec.closes_at && now >= *counts.spec.closes_at)) {
        return ++counts.refused_closed, Admission::closed;
    }
    if (counts.spec.opens_at && now < *counts.spec.opens_at) {
        return ++counts.refused_not_open, Admission::not_open;
    }
    if (counts.spec.per_holder &&
        resource.units_of(claim.holder) + claim.quantity > *counts.spec.per_holder) {
        return ++counts.refused_limit, Admission::limit_reached;
    }
    if (claim.quantity <= resource.left()) return Admission::admitted;
    if (resource.units(true) >= counts.spec.quantity) {
        return ++counts.refused_sold_out, Admission::sold_out;
    }
    if (resource.left() == 0) return ++counts.refused_none_free, Admission::none_free;
    return ++counts.refused_not_enough, Admission::not_enough;
}

void GateModel::settle(const Claim& claim, bool granted) {
    const auto at = resources_.find(claim.resource);
    if (at == resources_.end()) return;
    Resource& resource = at->second;
    if (resource.counts.spec.final_granted) return;
    const auto entry = resource.entries.find(claim.id);
    if (granted && entry == resource.entries.end()) {
        resource.entries[claim.id] = {claim.holder, claim.quantity, true};
    } else if (granted) {
        entry->second.granted = true;
    } else if (entry == resource.entries.end() || !entry->second.granted) {
        if (!resource.counts.open) resource.returned[claim.id] = true;
        resource.entries.erase(claim.id);
    }
}

bool GateModel::begin_rebuild(const ResourceSpec& spec, GateGeneration generation) {
    Resource& resource = resources_[spec.resource.value()];
    if (generation <= resource.counts.generation) return false;
    resource = {};
    resource.counts.spec = spec;
    resource.counts.generation = generation;
    return true;
}

bool GateModel::load(const Claim& claim, GateGeneration generation, bool granted) {
    const auto at = resources_.find(claim.resource);
    if (at == resources_.end()) return false;
    Resource& resource = at->second;
    if (resource.counts.generation != generation || resource.counts.open) return false;
    if (resource.counts.spec.final_granted) return true;
    const auto entry = resource.entries.find(claim.id);
    if (entry != resource.entries.end()) {
        entry->second.granted = entry->second.granted || granted;
    } else if (granted || !resource.returned.contains(claim.id)) {
        resource.entries[claim.id] = {claim.holder, claim.quantity, granted};
    }
    return true;
}

bool GateModel::open(const std::string& name, GateGeneration generation) {
    const auto at = resources_.find(name);
    if (at == resources_.end() || at->second.counts.generation != generation) return false;
    at->second.counts.open = true;
    at->second.returned.clear();
    return true;
}

void GateModel::alter(const ResourceSpec& spec) {
    const auto at = resources_.find(spec.resource.value());
    if (at == resources_.end()) return;
    const ResourceSpec before = at->second.counts.spec;
    at->second.counts.spec = spec;
    at->second.counts.spec.closed = before.closed || spec.closed;
    at->second.counts.spec.final_granted = before.final_granted;
}

const GateCounts* GateModel::counts(const std::string& name) {
    const auto at = resources_.find(name);
    if (at == resources_.end()) return nullptr;
    Resource& resource = at->second;
    resource.counts.granted = resource.units(true);
    resource.counts.reserved = resource.units(false);
    return &resource.counts;
}

}  // namespace penstock::contract
