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
    const LogTime now = env_.clock.wall();
    Asks asks;
    {
        Outbox out;  // sends after the lock is let go
        SlotIndices taken;
        const MutexLock lock(mutex_);
        taken.reserve(submissions.size());
        for (std::size_t i = 0; i < submissions.size(); ++i) {
            admit(submissions[i], now, Waiter{&sink, first_tag + i, true}, out, taken);
        }
        asks = asks_of(taken);
    }
    ask_gate(asks, now);
}

/// What can be said without the gate; otherwise the command takes a slot.
void LineRequester::admit(const Submission& submission, LogTime now, Waiter waiter, Outbox& out,
                          SlotIndices& taken) {
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
    if (beyond_horizon(command.id, now, options_.dedup_horizon)) return answer(IdTooOld{});
    if (const auto made_at = uuid_v7_time(command.id); made_at && *made_at > now + kMaxIdAhead) {
        // On record it was made in time: then our clock is wrong.
        return answer_from_store(
            command.id, body, {waiter},
            error(Code::invalid,
                  "the id is a version 7 UUID whose time is more than 10 minutes ahead; make it "
                  "from the present time"),
            out);
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

std::size_t LineRequester::count_in_line() {
    const MutexLock lock(mutex_);
    return slots_.size() - free_.size();
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
