// What the requester asks the gate, and what it makes of the answers.
#include "penstock/base/failpoint.h"
#include "penstock/runtime/pending_parts.h"

namespace penstock {

LineRequester::Asks LineRequester::asks_of(std::span<const SlotIndex> taken) {
    Asks asks;
    for (const SlotIndex index : taken) {
        const Slot& slot = slots_[index];
        const GateLink* link = slot.destination->route.gate;
        const auto ask = link == nullptr ? std::nullopt : link->ask(slot.command);
        if (ask) {
            asks.gated.emplace_back(tag_of(index, slot), *ask);
        } else {
            asks.free.push_back(index);
        }
    }
    return asks;
}

/// One call per run of commands of neighbouring tags: neighbouring slots of one generation.
void LineRequester::ask_gate(const Asks& asks, LogTime now) {
    const auto& gated = asks.gated;
    boost::container::small_vector<Ask, 2> span;
    for (std::size_t i = 0; i < gated.size(); ++i) {
        span.push_back(gated[i].second);
        const bool last = i + 1 == gated.size() || gated[i + 1].first != gated[i].first + 1;
        if (!last) continue;
        gate_.ask(span, now, gated[i].first + 1 - span.size(), *this);
        span.clear();
    }
    append(asks.free);
}

void LineRequester::ask_again(std::span<const SlotIndex> again) {
    if (again.empty()) return;
    Asks asks;
    {
        const MutexLock lock(mutex_);
        asks = asks_of(again);
    }
    ask_gate(asks, env_.clock.wall());
}

void LineRequester::answered(std::span<const Answer> answers) noexcept {
    SlotIndices admitted;
    Outbox out;
    {
        const MutexLock lock(mutex_);
        for (const Answer& answer : answers) {
            Slot* slot = slot_of(answer.tag);
            if (slot == nullptr) continue;
            if (answer.admission.ok() && *answer.admission == Admission::admitted) {
                slot->command.admitted_under = answer.generation;
                admitted.push_back(static_cast<SlotIndex>(answer.tag));
            } else {
                refuse(static_cast<SlotIndex>(answer.tag), answer, out);
            }
        }
    }
    bool lost = false, in_doubt = false;
    for (const Answer& answer : answers) {
        if (!answer.admission) {
            lost = lost || answer.admission.error().code == Code::unreachable;
            // Perhaps admitted, and never to come: only a rebuild gives such a unit back.
            in_doubt = in_doubt || answer.admission.error().effect == Effect::unknown;
            continue;
        }
        observer_.admission(*answer.admission, 1);
        lost = lost || *answer.admission == Admission::rebuilding;
    }
    if (lost && options_.on_gate_lost) options_.on_gate_lost();
    if (in_doubt && options_.on_in_doubt) options_.on_in_doubt();
#if PENSTOCK_FAILPOINTS
    if (!admitted.empty()) die_at_failpoint("gate.after_ask");
#endif
    append(admitted);
}

/// The gate's no: ids are asked of the store first, since a recorded outcome is the answer for
/// ever, also after sold out.
void LineRequester::refuse(SlotIndex index, const Answer& answer, Outbox& out) {
    Slot& slot = slots_[index];
    // Decided meanwhile, by a record of an earlier attempt: its callers have that answer.
    if (slot.decided) return free_slot(index);
    by_id_.erase(slot.command.id);
    if (answer.admission.ok() && *answer.admission == Admission::no_resource) {
        refuse_unknown(slot, out);
        return free_slot(index);
    }
    Answered refusal = Error{};
    if (!answer.admission) {
        refusal = answer.admission.error();
    } else if (*answer.admission == Admission::again) {
        refusal = in_line_elsewhere();
    } else {
        refusal = NotAdmitted{*answer.admission, answer.left};
    }
    if (slot.fresh_id) {
        out.add_all(slot.waiters, refusal);
    } else {
        answer_from_store(slot.command.id, slot.body, std::move(slot.waiters), std::move(refusal),
                          out);
    }
    free_slot(index);
}

/// The gate knows no such resource. Where the store does, it has lost it.
void LineRequester::refuse_unknown(Slot& slot, Outbox& out) {
    const GateLink* link = slot.destination->route.gate;
    const bool queued =
        reader_.run([this, link, resource = std::string(link->ask(slot.command)->resource),
                     id = slot.command.id, body = slot.body, fresh = slot.fresh_id,
                     waiters = slot.waiters](Session& session) {
            Outbox told;
            const auto exists = link->exists(session, resource);
            if (!exists) {
                Error failed = exists.error();
                failed.effect = Effect::none;
                return told.add_all(waiters, failed);
            }
            if (*exists && options_.on_gate_lost) options_.on_gate_lost();
            const NotAdmitted refusal{*exists ? Admission::rebuilding : Admission::no_resource, 0};
            if (fresh) return told.add_all(waiters, refusal);
            answer_from_store(id, body, waiters, refusal, told);
        });
    if (!queued) out.add_all(slot.waiters, too_many_questions());
}

}  // namespace penstock
