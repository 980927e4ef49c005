#include "penstock/runtime/batch.h"

#include <algorithm>

namespace penstock {
namespace {

/// After so many batches whose ids were all new, ids are no longer looked up (the key of the table
/// tells when one is on record after all), and handlers may guess, too.
constexpr std::size_t kGuessAfter = 16;

bool recorded_now(const Item& item) {
    return item.decodable && (item.step == Step::run || item.step == Step::expired);
}

}  // namespace

Result<void> Batch::prepare() {
    PENSTOCK_TRY(ownership_.prepare(session_, dialect_));
    PENSTOCK_TRY(outcomes_.prepare(session_, dialect_));
    for (const auto& [type, route] : *rules_.routes) {
        PENSTOCK_TRY(route->handler->prepare(session_, dialect_));
    }
    return {};
}

void Batch::decode(std::span<Item> items) {
    for (Item& item : items) {
        auto decoded = penstock::decode(*item.record, item.default_type);
        item.decodable = std::holds_alternative<Command>(decoded);
        if (item.decodable) {
            item.command = std::get<Command>(decoded);
            item.body = body_hash(item.command);
        } else {
            auto& undecodable = std::get<Undecodable>(decoded);
            item.cause = undecodable.why;
            item.command.id = undecodable.id.value_or(Uuid{});
        }
    }
}

std::optional<BatchFailure> Batch::run(std::span<Item> items, Clock& clock, LogTime& turn) {
    bool handlers = false;
    guess_ = all_new_ >= kGuessAfter;
    for (Item& item : items) {
        // What a run said that came to nothing.
        if (item.decodable && !item.failed_alone) item.cause.clear();
    }
    const auto steps = [&]() -> Result<void> {
        PENSTOCK_TRY(session_.begin());
        const LogTime now = turn = std::max(turn, clock.wall());
        plan_moves(items, now);
        PENSTOCK_TRY(fence());
        PENSTOCK_TRY(decide_all(items, now));
        PENSTOCK_TRY(run_handlers(items, now, &handlers));
        PENSTOCK_TRY(record(items, now));
        return load_duplicates(items);
    };
    auto result = steps();
    if (result) return std::nullopt;
    session_.rollback();
    if (guess_) all_new_ = 0;
    return BatchFailure{std::move(result).error(), handlers, guess_};
}

void Batch::keep() {
    for (const Move& move : moves_) Ownership::keep(*move.owned, move.advance);
}

Result<bool> Batch::was_committed() {
    // All partitions of the batch moved in one transaction: any one of them tells.
    return ownership_.was_committed(session_, *moves_.front().owned);
}

void Batch::plan_moves(std::span<Item> items, LogTime now) {
    moves_.clear();
    for (std::size_t i = 0; i < items.size(); ++i) {
        const bool last = i + 1 == items.size() || items[i + 1].owned != items[i].owned;
        if (!last) continue;
        const Logged& record = *items[i].record;
        moves_.push_back(
            {items[i].owned, Advance{Offset(record.offset.value() + 1), fingerprint(record), now}});
    }
    std::sort(moves_.begin(), moves_.end(),
              [](const Move& a, const Move& b) { return a.owned->at < b.owned->at; });
}

Result<void> Batch::fence() {
    for (const Move& move : moves_) {
        PENSTOCK_TRY(ownership_.fence(session_, *move.owned, move.advance));
        auto cut = ownership_.gate_cut(session_, move.owned->at);
        if (!cut) return std::move(cut).error();
        move.owned->gate = *cut;
    }
    return {};
}

Result<void> Batch::decide_all(std::span<Item> items, LogTime now) {
    by_id_.clear();
    for (Item& item : items) {
        if (item.decodable) by_id_.push_back(&item);
    }
    std::stable_sort(by_id_.begin(), by_id_.end(),
                     [](const Item* a, const Item* b) { return a->command.id < b->command.id; });
    ids_.clear();
    for (const Item* item : by_id_) {
        if (ids_.empty() || ids_.back() != item->command.id) ids_.push_back(item->command.id);
    }
    if (guess_) {
        seen_.assign(ids_.size(), std::nullopt);
        if (decide_each(now)) return {};
    }
    seen_.assign(ids_.size(), std::nullopt);
    PENSTOCK_TRY(outcomes_.seen(session_, ids_, seen_));
    const bool all_new = std::none_of(seen_.begin(), seen_.end(),
                                      [](const std::optional<Seen>& seen) { return seen; });
    all_new_ = all_new ? all_new_ + 1 : 0;
    decide_each(now);
    return {};
}

/// By what `seen_` says. False: some command leaves no row, so that the table's key does not tell
/// whether its id is on record.
bool Batch::decide_each(LogTime now) {
    bool all_recorded = true;
    Rules rules{now, rules_.dedup_horizon, {}, {}};
    std::size_t at = 0;
    for (Item* item : by_id_) {
        while (ids_[at] != item->command.id) ++at;
        rules.gate = item->owned->gate;
        rules.layout = item->owned->layout;
        item->step = decide(item->command, item->body, seen_[at] ? &*seen_[at] : nullptr, rules);
        if (recorded_now(*item)) {
            seen_[at] = Seen{item->body};
        } else {
            all_recorded = false;
        }
        settle_known(*item);
    }
    return all_recorded;
}

/// What needs no handler has its outcome here.
void Batch::settle_known(Item& item) const {
    if (item.step == Step::expired) {
        item.outcome = Refused{kReasonExpired, "its deadline had passed when its turn came"};
    } else if (item.step == Step::run && item.failed_alone) {
        // Refused for ever, and a dead letter.
        item.outcome = Refused{kReasonFailed, item.cause};
    } else if (item.step == Step::run && item.command.type == kLineMarkType) {
        item.outcome = Done{};
    } else if (item.step == Step::run && route_of(item) == nullptr) {
        item.outcome = Refused{kReasonUnknownType, "no handler is registered for this type"};
    }
}

const Route* Batch::route_of(const Item& item) const {
    const auto found = rules_.routes->find(item.command.type);
    return found == rules_.routes->end() ? nullptr : found->second;
}

/// Cuts the batch into neighbours of one type in log order, each as wide as its handler takes.
Result<void> Batch::run_handlers(std::span<Item> items, LogTime now, bool* handlers) {
    const Route* route = nullptr;
    neighbours_.clear();
    const auto flush = [&]() -> Result<void> {
        if (neighbours_.empty()) return {};
        const Epoch epoch = neighbours_.front()->owned->epoch;
        auto ran = run_neighbours(*route, Turn{now, epoch, 1, guess_});
        *handlers = !ran;
        neighbours_.clear();
        return ran;
    };
    for (Item& item : items) {
        if (!item.decodable || item.step != Step::run || item.failed_alone) continue;
        const Route* own = route_of(item);
        if (own == nullptr) continue;
        if (own != route || neighbours_.size() >= own->handler->widest()) {
            PENSTOCK_TRY(flush());
            route = own;
        }
        neighbours_.push_back(&item);
    }
    return flush();
}

Result<void> Batch::run_neighbours(const Route& route, const Turn& turn) {
    commands_.clear();
    for (const Item* item : neighbours_) commands_.push_back(item->command);
    verdicts_.assign(commands_.size(), Verdict{});
    Tx tx(session_);
    route.handler->run(turn, commands_, tx, verdicts_);
    if (tx.failure()) return *tx.failure();
    for (std::size_t i = 0; i < neighbours_.size(); ++i) {
        Item& item = *neighbours_[i];
        if (auto* failed = std::get_if<Failed>(&verdicts_[i])) {
            item.cause = failed->why;
            item.outcome = Refused{kReasonFailed, failed->why};
        } else if (auto* refused = std::get_if<Refused>(&verdicts_[i])) {
            item.outcome = std::move(*refused);
        } else {
            item.outcome = std::move(std::get<Done>(verdicts_[i]));
        }
    }
    return {};
}

Result<void> Batch::record(std::span<Item> items, LogTime now) {
    rows_.clear();
    for (const Item* item : by_id_) {
        if (!recorded_now(*item)) continue;
        rows_.push_back({item->command.id, item->body, &item->outcome, &item->owned->at,
                         item->command.offset, now});
    }
    PENSTOCK_TRY(outcomes_.record(session_, rows_));
    for (const Item& item : items) {
        if (item.cause.empty() || (item.decodable && item.step != Step::run)) continue;
        DeadRow row{&item.owned->at,  item.record->offset, std::nullopt, item.command.type,
                    item.record->key, item.record->value,  item.cause,   now};
        if (item.command.id != Uuid{}) row.id = item.command.id;
        PENSTOCK_TRY(outcomes_.record_dead(session_, row));
    }
    return {};
}

/// Duplicate: its caller gets the saved outcome; nothing runs again.
Result<void> Batch::load_duplicates(std::span<Item> items) {
    for (Item& item : items) {
        if (!item.decodable || item.step != Step::duplicate) continue;
        auto recorded = outcomes_.find(session_, item.command.id);
        if (!recorded) return std::move(recorded).error();
        PENSTOCK_CHECK(recorded->has_value());
        item.outcome = std::move((*recorded)->outcome);
    }
    return {};
}

}  // namespace penstock
