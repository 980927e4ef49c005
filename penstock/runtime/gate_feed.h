#pragma once

#include <atomic>
#include <span>
#include <vector>

#include "penstock/core/handler.h"
#include "penstock/runtime/batch.h"
#include "penstock/runtime/observer.h"

namespace penstock {

/// Keeps the gate in step with the store: rebuilds it at the start, then tells it what became of
/// each admission. Threads: rebuild() one; decided() the lanes'.
class GateFeed {
public:
    GateFeed(Gate& gate, std::vector<Route> routes);

    /// Loads every resource from the store and opens it. Lanes may go on deciding meanwhile: what
    /// they tell is idempotent by id, and a resource that they made is left to them.
    Result<void> rebuild(Session& reader, GateGeneration generation);
    void decided(std::span<const Item> items, GateGeneration generation);

private:
    const GateLink* link_of(std::string_view type) const;
    void apply_change(const ResourceSpec& spec, GateGeneration generation);

    Gate& gate_;
    const std::vector<Route> routes_;
};

}  // namespace penstock
