#include "penstock/runtime/pending.h"

#include <algorithm>

#include "penstock/log/partitioner.h"
#include "penstock/runtime/pending_parts.h"

namespace penstock {
namespace {

constexpr std::chrono::minutes kMaxIdAhead{10};
constexpr double kGuessedRate = 10'000;  // commands/s before anything was measured

Error left_at_stop() {
    return unknown_effect(Code::stopped,
                          "the server stopped before the outcome was known; ask again with the "
                          "same id");
}

}  // namespace

std::size_t LineRequester::IdHash::operator()(const Uuid& id) const {
    std::uint64_t halves[2];
    static_assert(sizeof halves == sizeof id.bytes);
    __builtin_memcpy(halves, id.bytes.data(), sizeof halves);
    std::uint64_t mixed = (halves[0] ^ seed) * 0x9e3779b97f4a7c15ull;
    mixed = (mixed ^ (mixed >> 32) ^ halves[1]) * 0xd6e8feb86659fd93ull;
    return mixed ^ (mixed >> 32);
}

LineRequester::LineRequester(Env& env, Log& log, Gate& gate, Reader& reader,
                             const LineProgress& progress, RequesterOptions options,
                             RuntimeObserver& observer)
    : env_(env),
      log_(log),
      gate_(gate),
      reader_(reader),
      progress_(progress),
      options_(options),
      observer_(observer),
      by_id_(0, IdHash{env.random.next()}),
      refusing_(error(Code::not_ready, "the server is starting; try again in a moment")) {}

void LineRequester::set_destinations(std::vector<Destination> destinations) {
    destinations_ = std::move(destinations);
}

void LineRequester::refuse_all(std::optional<Error> why) {
    const MutexLock lock(mutex_);
    refusing_ = std::move(why);
}

void LineRequester::submit(std::span<const Submission> submissions, std::uint64_t first_tag,
                           ReplySink& sink) {
    std::vector<SlotIndex> taken;
    {
        Outbox out;  // sends after the lock is let go
        const MutexLock lock(mutex_);
        taken.reserve(submissions.size());
        for (std::size_t i = 0; i < submissions.size(); ++i) {
            admit(submissions[i], Waiter{&sink, first_tag + i, true}, out, taken);
        }
    }
    if (!taken.empty()) ask_gate(taken);
}

/// What can be said without the gate; otherwise the command takes a slot.
void LineRequester::admit(const Submission& submission, Waiter waiter, Outbox& out,
                          std::vector<SlotIndex>& taken) {
    const Command& command = submission.command;
    const auto answer = [&](Answered answered) { out.add(waiter, std::move(answered)); };
    const Hash128 body = body_hash(command);
    if (const auto found = by_id_.find(command.id); found != by_id_.end()) {
        Slot& slot = slots_[found->second];
        if (slot.body != body) return answer(IdReused{});
        // In line already: this caller waits for that outcome.
        waiter.first = false;
        slot.waiters.push_back(waiter);
        return;
    }
    if (refusing_) return answer(*refusing_);
    const LogTime now = env_.clock.wall();
    if (beyond_horizon(command.id, now, options_.dedup_horizon)) return answer(IdTooOld{});
    if (const auto made_at = uuid_v7_time(command.id); made_at && *made_at > now + kMaxIdAhead) {
        return answer(error(Code::invalid,
                            "the id is a version 7 UUID whose time is more than 10 "
                            "minutes ahead; make it from the present time"));
    }
    const auto destination =
        std::find_if(destinations_.begin(), destinations_.end(),
                     [&](const Destination& d) { return d.route.type == command.type; });
    if (destination == destinations_.end()) {
        return answer(error(Code::not_found, "no handler is registered for this command type"));
    }
    const std::size_t ahead = slots_.size() - free_.size();
    if (ahead >= options_.max_in_line) {
        return answer(error(Code::overloaded, "too many commands wait in line; try again later"));
    }
    const TopicPartition at{TopicId(destination->route.topic),
                            partition_of_key(as_bytes(command.key), destination->partitions)};
    if (submission.patience && time_of(ahead, at) > *submission.patience) {
        return answer(error(Code::overloaded,
                            "the line is longer than callers wait; try again later, or ask for an "
                            "asynchronous answer"));
    }
    const SlotIndex index = take_slot(submission, body, *destination, at);
    slots_[index].waiters.push_back(waiter);
    taken.push_back(index);
}

/// How long so many commands take at the partition's present pace.
std::chrono::milliseconds LineRequester::time_of(std::uint64_t commands,
                                                 const TopicPartition& at) const {
    double rate = progress_.rate(at);
    if (rate <= 0) rate = kGuessedRate;
    return std::chrono::milliseconds(
        static_cast<std::int64_t>(static_cast<double>(commands) * 1000 / rate));
}

LineRequester::SlotIndex LineRequester::take_slot(const Submission& submission, const Hash128& body,
                                                  const Destination& destination,
                                                  const TopicPartition& at) {
    if (free_.empty()) {
        free_.push_back(static_cast<SlotIndex>(slots_.size()));
        slots_.emplace_back();
    }
    const SlotIndex index = free_.back();
    free_.pop_back();
    Slot& slot = slots_[index];
    slot.fresh_id = submission.fresh_id;
    slot.decided = false;
    slot.pinned = true;
    slot.stale = false;
    slot.offset.reset();
    slot.body = body;
    slot.destination = &destination;

    const Command& from = submission.command;
    slot.bytes.clear();
    // On the heap always: the command keeps borrowing when the block changes hands.
    slot.bytes.reserve(64 + from.id_text.size() + from.type.size() + from.target.size() +
                       from.key.size() + from.data.size() + from.traceparent.size());
    const auto copy = [&](std::string_view text) {
        const std::size_t at = slot.bytes.size();
        slot.bytes.append(text);
        return std::string_view(slot.bytes).substr(at, text.size());
    };
    slot.command = from;
    slot.command.id_text = copy(from.id_text);
    slot.command.type = copy(from.type);
    slot.command.target = copy(from.target);
    slot.command.key = copy(from.key);
    slot.command.data = as_bytes(copy(as_text(from.data)));
    slot.command.traceparent = copy(from.traceparent);
    slot.command.layout = destination.layout;
    slot.command.reply_to = reply_to_;
    slot.at = at;
    by_id_.emplace(from.id, index);
    return index;
}

void LineRequester::free_slot(SlotIndex index) {
    Slot& slot = slots_[index];
    ++slot.generation;
    slot.waiters.clear();
    free_.push_back(index);
    if (free_.size() == slots_.size() && emptied_ != nullptr) emptied_->notify();
}

std::uint64_t LineRequester::tag_of(SlotIndex index, const Slot& slot) {
    return std::uint64_t{slot.generation} << 32 | index;
}

LineRequester::Slot* LineRequester::slot_of(std::uint64_t tag) {
    const auto index = static_cast<SlotIndex>(tag);
    if (index >= slots_.size() || slots_[index].generation != tag >> 32) return nullptr;
    return &slots_[index];
}

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
    append(admitted);
}

/// The gate's no: ids are asked of the store first, since a recorded outcome is the answer for
/// ever, also after sold out.
void LineRequester::refuse(SlotIndex index, const Answer& answer, Outbox& out) {
    Slot& slot = slots_[index];
    // Decided meanwhile, by a record of an earlier attempt: its callers have that answer.
    if (slot.decided) return free_slot(index);
    by_id_.erase(slot.command.id);
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
    std::vector<SlotIndex> again;
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
    if (!again.empty()) ask_gate(again);
    if (in_doubt && options_.on_in_doubt) options_.on_in_doubt();
}

/// The record of this slot does not count; the command asks for a new admission.
void LineRequester::send_again(SlotIndex index, std::vector<SlotIndex>& again) {
    Slot& slot = slots_[index];
    slot.stale = false;
    slot.pinned = true;
    slot.offset.reset();
    again.push_back(index);
}

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

std::optional<InLine> LineRequester::in_line(const Uuid& id) {
    InLine place;
    {
        const MutexLock lock(mutex_);
        const auto found = by_id_.find(id);
        if (found == by_id_.end()) return std::nullopt;
        const Slot& slot = slots_[found->second];
        place.at = slot.at;
        place.offset = slot.offset;
    }
    if (!place.offset) return place;
    const std::uint64_t next = progress_.next(place.at).value();
    place.place = place.offset->value() > next ? place.offset->value() - next : 0;
    place.estimated_wait = time_of(place.place + 1, place.at);
    return place;
}

bool LineRequester::wait_until_empty(Wake& wake, MonoTime by) {
    for (;;) {
        {
            const MutexLock lock(mutex_);
            emptied_ = &wake;
            if (free_.size() == slots_.size()) {
                emptied_ = nullptr;
                return true;
            }
        }
        if (!wake.wait_until(by)) break;
    }
    const MutexLock lock(mutex_);
    emptied_ = nullptr;
    return free_.size() == slots_.size();
}

void LineRequester::abandon_all() {
    Outbox out;
    const MutexLock lock(mutex_);
    for (Slot& slot : slots_) {
        out.add_all(slot.waiters, left_at_stop());
        slot.waiters.clear();
    }
    for (const Question& question : questions_) out.add(question.waiter, left_at_stop());
    questions_.clear();
}

}  // namespace penstock
