// What the requester hears of the lanes, of this process and of others.
#include "penstock/runtime/pending_parts.h"

namespace penstock {

/// `found`: its id in by_id_. The last who waits takes the outcome.
void LineRequester::settle(ById::iterator found, Told& told, Outbox& out, SlotIndices& again) {
    const SlotIndex index = found->second;
    Slot& slot = slots_[index];
    if (slot.body != told.body) return;  // another command under this id; ours comes later
    if (told.step == Step::stale) {
        slot.stale = true;
        if (!slot.pinned) send_again(index, again);
        return;
    }
    for (const Waiter& waiter : slot.waiters) {
        const bool last = &waiter == &slot.waiters.back();
        switch (told.step) {
            case Step::run:
            case Step::expired:
            case Step::duplicate: {
                Outcome outcome = last ? std::move(told.outcome) : told.outcome;
                const bool first = told.step != Step::duplicate && waiter.first;
                out.add(waiter, Settlement{std::move(outcome), first});
                break;
            }
            case Step::id_reused:
                out.add(waiter, IdReused{});
                break;
            case Step::too_old:
                out.add(waiter, IdTooOld{});
                break;
            case Step::stale:
                break;
        }
    }
    by_id_.erase(found);
    slot.waiters.clear();
    slot.decided = true;
    if (!slot.pinned) free_slot(index);
}

void LineRequester::decided(std::span<Item> items) {
    SlotIndices again;
    {
        Outbox out(items.size());
        const MutexLock lock(mutex_);
        for (Item& item : items) {
            if (!item.decodable) continue;
            const auto found = by_id_.find(item.command.id);
            if (found == by_id_.end()) continue;
            Told told{item.command.id, item.body, item.step, std::move(item.outcome)};
            settle(found, told, out, again);
        }
    }
    ask_again(again);
}

void LineRequester::told(std::span<Told> outcomes) {
    SlotIndices again;
    {
        Outbox out(outcomes.size());
        const MutexLock lock(mutex_);
        for (Told& one : outcomes) {
            const auto found = by_id_.find(one.id);
            if (found != by_id_.end()) settle(found, one, out, again);
        }
    }
    ask_again(again);
}

}  // namespace penstock
