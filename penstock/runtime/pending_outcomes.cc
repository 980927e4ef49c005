// What the requester hears of the lanes, of this process and of others.
#include "penstock/runtime/pending_parts.h"

namespace penstock {

void LineRequester::settle(Told& told, Outbox& out, std::vector<SlotIndex>& again) {
    const auto found = by_id_.find(told.id);
    if (found == by_id_.end()) return;
    const SlotIndex index = found->second;
    Slot& slot = slots_[index];
    if (slot.body != told.body) return;  // another command under this id; ours comes later
    if (told.step == Step::stale) {
        slot.stale = true;
        if (!slot.pinned) send_again(index, again);
        return;
    }
    for (const Waiter& waiter : slot.waiters) {
        switch (told.step) {
            case Step::run:
            case Step::expired:
                out.add(waiter, Settlement{told.outcome, waiter.first});
                break;
            case Step::duplicate:
                out.add(waiter, Settlement{told.outcome, false});
                break;
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
    std::vector<SlotIndex> again;
    {
        Outbox out;
        const MutexLock lock(mutex_);
        for (Item& item : items) {
            if (!item.decodable) continue;
            Told told{item.command.id, item.body, item.step, {}};
            if (by_id_.count(told.id) == 0) continue;
            told.outcome = std::move(item.outcome);
            settle(told, out, again);
            item.outcome = std::move(told.outcome);
        }
    }
    if (!again.empty()) ask_gate(again);
}

void LineRequester::told(std::span<Told> outcomes) {
    std::vector<SlotIndex> again;
    {
        Outbox out;
        const MutexLock lock(mutex_);
        for (Told& one : outcomes) settle(one, out, again);
    }
    if (!again.empty()) ask_gate(again);
}

}  // namespace penstock
