#pragma once

#include <functional>
#include <span>
#include <vector>

#include "penstock/core/handler.h"
#include "penstock/runtime/batch.h"
#include "penstock/runtime/observer.h"

namespace penstock {

/// Tells the gate what became of each admission. Threads: the lanes'.
class GateFeed {
public:
    /// `on_gate_lost`: the gate does not have what the store says, and has to be rebuilt.
    GateFeed(Gate& gate, std::vector<Route> routes, std::function<void()> on_gate_lost);

    void decided(std::span<const Item> items);

private:
    const GateLink* link_of(std::string_view type) const;
    void apply_change(const GateLink::Change& change, GateGeneration generation);

    Gate& gate_;
    const std::vector<Route> routes_;
    const std::function<void()> on_gate_lost_;
};

}  // namespace penstock
