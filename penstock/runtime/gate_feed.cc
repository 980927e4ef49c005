#include "penstock/runtime/gate_feed.h"

#include <algorithm>

namespace penstock {

GateFeed::GateFeed(Gate& gate, std::vector<Route> routes, std::function<void()> on_gate_lost)
    : gate_(gate), routes_(std::move(routes)), on_gate_lost_(std::move(on_gate_lost)) {}

const GateLink* GateFeed::link_of(std::string_view type) const {
    const auto found = std::find_if(routes_.begin(), routes_.end(),
                                    [&](const Route& route) { return route.type == type; });
    return found == routes_.end() ? nullptr : found->gate;
}

void GateFeed::decided(std::span<const Item> items) {
    std::vector<Settled> settled;
    settled.reserve(items.size());
    for (const Item& item : items) {
        if (!item.decodable) continue;
        const GateLink* link = link_of(item.command.type);
        if (link == nullptr) continue;
        const bool ran = item.step == Step::run || item.step == Step::expired;
        const bool done_before =
            item.step == Step::duplicate && std::holds_alternative<Done>(item.outcome);
        if (done_before) continue;  // the gate heard of it then, or was rebuilt with it
        const Done* done = ran ? std::get_if<Done>(&item.outcome) : nullptr;
        if (const auto ask = link->ask(item.command)) {
            // Also of a duplicate that was refused: the gate forgets an id given back, and may
            // have let it in again.
            settled.push_back(
                {ask->id, ask->resource, ask->holder, ask->quantity, done != nullptr});
        } else if (done != nullptr) {
            if (const auto change = link->changed(item.command, *done)) {
                gate_.settle(settled);
                settled.clear();
                apply_change(*change, item.owned->gate.generation);
            }
        }
    }
    if (!settled.empty()) gate_.settle(settled);
}

void GateFeed::apply_change(const GateLink::Change& change, GateGeneration generation) {
    const ResourceSpec& spec = change.spec;
    if (change.created) {
        // Nothing is there, or what another database left under this name, of an older generation.
        auto made = gate_.begin_rebuild(spec, generation);
        if (made) made = gate_.open(spec.resource, generation);
        if (made) return;
        if (made.error().code != Code::fenced) return on_gate_lost_();
    }
    // A rebuild may have read it from the store already.
    if (!gate_.alter(spec)) on_gate_lost_();
}

}  // namespace penstock
