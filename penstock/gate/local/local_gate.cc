#include "penstock/gate/local/local_gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <utility>

namespace penstock {
namespace {

Error no_resource(const ResourceId& resource) {
    return error(Code::not_found, fmt::format("the gate has no resource {}", resource.value()));
}

/// The next neighbours that one call of LocalResource::decide() takes: same resource, a quantity.
std::size_t batch_length(std::span<const Ask> asks) {
    const std::size_t most = std::min(asks.size(), kDecideBatch);
    std::size_t length = 0;
    while (length < most && asks[length].quantity != 0 &&
           asks[length].resource == asks[0].resource) {
        ++length;
    }
    return length;
}

/// Fills answers that are made once and hands them to the sink by the batch, with no lock held.
class Answers {
public:
    Answers(std::size_t count, std::uint64_t first_tag, GateSink& sink)
        : tag_(first_tag),
          sink_(sink),
          batch_(std::min(count, kDecideBatch), {0, Admission::no_resource, 0, {}}) {}

    void give(const Decisions& decisions, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            batch_[i].tag = tag_++;
            batch_[i].admission = decisions.admission[i];
            batch_[i].left = decisions.left[i];
            batch_[i].generation = decisions.generation;
        }
        sink_.answered({batch_.data(), count});
    }

    void give_no_resource(std::size_t count) {
        Decisions none;
        none.admission.fill(Admission::no_resource);
        none.left.fill(0);
        give(none, count);
    }

    void give_invalid() {
        const Answer invalid{tag_++, error(Code::invalid, "ask for one unit or more"), 0, {}};
        sink_.answered({&invalid, 1});
    }

private:
    std::uint64_t tag_;
    GateSink& sink_;
    boost::container::small_vector<Answer, 1> batch_;
};

}  // namespace

LocalGate::LocalGate(Env& env) : random_(env.random), holder_hash_(env.random) {}

void LocalGate::ask(std::span<const Ask> asks, LogTime now, std::uint64_t first_tag,
                    GateSink& sink) {
    Answers answers(asks.size(), first_tag, sink);
    Decisions decisions;
    Resource resource;
    std::string_view name;
    while (!asks.empty()) {
        const std::size_t count = batch_length(asks);
        if (count == 0) {
            answers.give_invalid();
            asks = asks.subspan(1);
            continue;
        }
        if (!resource || name != asks[0].resource) {
            name = asks[0].resource;
            resource = find(name);
        }
        if (resource) {
            resource->decide(asks.first(count), now, decisions);
            answers.give(decisions, count);
        } else {
            answers.give_no_resource(count);
        }
        asks = asks.subspan(count);
    }
}

void LocalGate::settle(std::span<const Settled> settled) {
    while (!settled.empty()) {
        const std::string_view name = settled.front().resource;
        const auto end = std::find_if(settled.begin(), settled.end(),
                                      [&](const Settled& one) { return one.resource != name; });
        const auto count = static_cast<std::size_t>(end - settled.begin());
        if (const Resource resource = find(name)) resource->settle(settled.first(count));
        settled = settled.subspan(count);
    }
}

Result<void> LocalGate::begin_rebuild(const ResourceSpec& spec, GateGeneration generation) {
    PENSTOCK_TRY(check_spec(spec));
    ResourceTables tables(random_, pool_);  // takes the old ones out of the lock
    const MutexLock lock(mutex_);
    const auto at = resources_.find(spec.resource.value());
    if (at != resources_.end()) return at->second->begin_rebuild(spec, generation, tables);
    auto made = std::make_shared<LocalResource>(holder_hash_, random_, pool_);
    PENSTOCK_TRY(made->begin_rebuild(spec, generation, tables));
    resources_.emplace(spec.resource.value(), std::move(made));
    return {};
}

Result<void> LocalGate::load(const ResourceId& resource, GateGeneration generation,
                             std::span<const Holding> holdings) {
    const Resource found = find(resource.value());
    return found ? found->load(generation, holdings) : no_resource(resource);
}

Result<void> LocalGate::open(const ResourceId& resource, GateGeneration generation) {
    const Resource found = find(resource.value());
    return found ? found->open(generation) : no_resource(resource);
}

Result<void> LocalGate::alter(const ResourceSpec& spec) {
    const Resource found = find(spec.resource.value());
    return found ? found->alter(spec) : no_resource(spec.resource);
}

Result<GateCounts> LocalGate::counts(const ResourceId& resource) {
    const Resource found = find(resource.value());
    if (!found) return no_resource(resource);
    return found->counts();
}

Result<void> LocalGate::drop(const ResourceId& resource) {
    Resource dropped;  // its tables are freed out of the lock
    const MutexLock lock(mutex_);
    const auto at = resources_.find(resource.value());
    if (at == resources_.end()) return {};
    dropped = std::move(at->second);
    dropped->drop();
    resources_.erase(at);
    return {};
}

std::uint64_t LocalGate::memory_bytes(const ResourceId& resource) {
    const Resource found = find(resource.value());
    return found ? found->memory_bytes() : 0;
}

#if PENSTOCK_FAILPOINTS
void LocalGate::shift_granted(const ResourceId& resource, std::int64_t units) {
    if (const Resource found = find(resource.value())) found->shift_granted(units);
}
#endif

LocalGate::Resource LocalGate::find(std::string_view resource) {
    const MutexLock lock(mutex_);
    const auto at = resources_.find(resource);
    return at == resources_.end() ? nullptr : at->second;
}

}  // namespace penstock
