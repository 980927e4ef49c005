// What the requester asks the gate, and what it makes of the answers.
#include "penstock/base/failpoint.h"
#include "penstock/runtime/pending_parts.h"

namespace penstock {

/// One call per run of commands, whose tags need not be neighbours: an ask per command for those
/// with a gate; the rest goes straight to the log.
void LineRequester::ask_gate(std::span<const SlotIndex> taken) {
    std::vector<SlotIndex> without_gate;
    std::vector<std::pair<std::uint64_t, Ask>> asks;
    {
        const MutexLock lock(mutex_);
        for (const SlotIndex index : taken) {
            const Slot& slot = slots_[index];
            const GateLink* link = slot.destination->route.gate;
            const auto ask = link == nullptr ? std::nullopt : link->ask(slot.command);
            if (ask) {
                asks.emplace_back(tag_of(index, slot), *ask);
            } else {
                without_gate.push_back(index);
            }
        }
    }
    const LogTime now = env_.clock.wall();
    // Neighbouring slots of one generation go to the gate as one span.
    std::vector<Ask> span;
    for (std::size_t i = 0; i < asks.size(); ++i) {
        span.push_back(asks[i].second);
        const bool last = i + 1 == asks.size() || asks[i + 1].first != asks[i].first + 1;
        if (!last) continue;
        gate_.ask(span, now, asks[i].first + 1 - span.size(), *this);
        span.clear();
    }
    append(without_gate);
}

void LineRequester::answered(std::span<const Answer> answers) noexcept {
    std::vector<SlotIndex> admitted;
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
