// What the requester gives to the log, and what it makes of the answers.
#include "penstock/runtime/pending_parts.h"

namespace penstock {

void LineRequester::append(std::span<const SlotIndex> admitted) {
    for (const SlotIndex index : admitted) {
        const Slot* slot;
        std::uint64_t tag;
        {
            const MutexLock lock(mutex_);
            slot = &slots_[index];  // pinned until the log has answered: what it reads is constant
            tag = tag_of(index, *slot);
        }
        const CommandRecord command(slot->command);
        const Record record = command.record();
        log_.append(slot->at, {&record, 1}, tag, *this);
    }
}

void LineRequester::appended(std::span<const Appended> results) noexcept {
    struct GivenBack {
        const GateLink* link;
        Command command;
        std::string bytes;
    };
    Outbox out;  // sends last: who asks again at once finds the unit given back
    std::vector<GivenBack> given_back;
    SlotIndices again;
    bool in_doubt = false;
    {
        const MutexLock lock(mutex_);
        for (const Appended& result : results) {
            Slot* slot = slot_of(result.tag);
            if (slot == nullptr) continue;
            slot->pinned = false;
            if (result.offset) {
                slot->offset = *result.offset;
                slot->logged_at = env_.clock.mono();
            }
            if (slot->stale) {
                send_again(static_cast<SlotIndex>(result.tag), again);
                continue;
            }
            if (!result.offset && !slot->decided) {
                out.add_all(slot->waiters, result.offset.error());
                by_id_.erase(slot->command.id);
                slot->decided = true;
            }
            // Certainly not there: the unit flows back. Unknown: the gate's rebuild sees to it.
            in_doubt =
                in_doubt || (!result.offset && result.offset.error().effect == Effect::unknown);
            if (!result.offset && result.offset.error().effect == Effect::none) {
                GivenBack& back = given_back.emplace_back();
                back.link = slot->destination->route.gate;
                back.command = slot->command;
                back.bytes.swap(slot->bytes);  // keeps the heap block that command borrows
            }
            if (slot->decided) free_slot(static_cast<SlotIndex>(result.tag));
        }
    }
    for (const GivenBack& back : given_back) {
        if (back.link == nullptr) continue;
        const auto ask = back.link->ask(back.command);
        if (!ask) continue;
        const Settled settled{ask->id, ask->resource, ask->holder, ask->quantity, false};
        gate_.settle({&settled, 1});
    }
    ask_again(again);
    if (in_doubt && options_.on_in_doubt) options_.on_in_doubt();
}

/// The record of this slot does not count; the command asks for a new admission.
void LineRequester::send_again(SlotIndex index, SlotIndices& again) {
    Slot& slot = slots_[index];
    slot.stale = false;
    slot.pinned = true;
    slot.offset.reset();
    again.push_back(index);
}

}  // namespace penstock
