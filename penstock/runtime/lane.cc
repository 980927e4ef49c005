#include "penstock/runtime/lane.h"

#include <fmt/format.h>

#include <algorithm>

#include "penstock/base/failpoint.h"

namespace penstock {
namespace {

constexpr std::uint32_t kMaxReruns = 3;
constexpr std::size_t kMinWidth = 16;
constexpr std::size_t kPruneChunk = 1'000;
constexpr std::chrono::milliseconds kPruneEvery{100};
constexpr std::chrono::milliseconds kFirstBackOff{10};
constexpr std::chrono::milliseconds kLongestBackOff{1'000};

/// Could the statement have failed because of what one command says?
bool may_be_commands_fault(const Error& error) {
    return error.lost != Lost::session &&
           (error.code == Code::constraint || error.code == Code::invalid ||
            error.code == Code::too_large || error.code == Code::out_of_range);
}

}  // namespace

Lane::Lane(Env& env, Log& log, Store& store, std::vector<std::unique_ptr<App>> apps,
           LaneOptions options, Decided& decided, RuntimeObserver& observer)
    : env_(env),
      log_(log),
      store_(store),
      apps_(std::move(apps)),
      options_(std::move(options)),
      decided_(decided),
      observer_(observer),
      pause_(env.executor.make_wake()),
      orders_(kMaxPartitions * 4, *pause_),
      width_(options_.batch_commands) {
    for (const auto& app : apps_) {
        for (Route& route : app->routes()) all_routes_.push_back(std::move(route));
    }
    for (const Route& route : all_routes_) routes_.emplace(route.type, &route);
}

void Lane::stop() noexcept {
    stopping_ = true;
    pause_->notify();
    if (subscription_) subscription_->wake();
}

void Lane::run() {
    while (!stopping_ && obey_orders() && take_turn()) {
    }
    give_up_all();
}

/// One turn: what is ready, in order, as one transaction (or, after a failure, a few).
bool Lane::take_turn() {
    const MonoTime now = env_.clock.mono();
    if (now >= next_prune_) prune_some();
    const std::size_t allowed = pace_.allow(now, width_);
    if (allowed == 0) {
        pause_->wait_until(pace_.next_at(now));
        return true;
    }
    auto polled = subscription_->poll(ReadLimits{allowed, kMaxPollBytes}, next_prune_);
    if (!polled) {
        if (polled.error().code == Code::stopped) return false;
        fatal(polled.error());
        return false;
    }
    if (!start_granted(polled->granted)) return false;
    collect(polled->slices);
    if (items_.empty()) return true;
    Batch::decode(items_);
    const bool busy = items_.size() == allowed;
    if (!decide_items(items_)) return false;
    pace_.decided(env_.clock.mono(), items_.size(), busy);
    return true;
}

bool Lane::start_granted(std::span<const TopicPartition> granted) {
    for (const TopicPartition& at : granted) {
        if (!state_of(at).held) continue;
        if (auto started = subscription_->start(at, state_of(at).owned.next); !started) {
            fatal(started.error());
            return false;
        }
    }
    return true;
}

PartitionState& Lane::state_of(const TopicPartition& at) {
    const auto found = std::find_if(partitions_.begin(), partitions_.end(),
                                    [&](const PartitionState& s) { return s.at == at; });
    PENSTOCK_CHECK(found != partitions_.end());
    return *found;
}

void Lane::collect(std::span<const Slice> slices) {
    items_.clear();
    for (const Slice& slice : slices) {
        PartitionState& state = state_of(slice.at);
        for (const Logged& record : slice.records) {
            Item& item = items_.emplace_back();
            item.record = &record;
            item.owned = &state.owned;
            item.default_type = state.default_type;
        }
    }
}

/// False: the lane cannot go on. A batch can always be run again from its first command.
bool Lane::decide_items(std::span<Item> items) {
    std::size_t piece = items.size();
    while (!items.empty()) {
        if (stopping_) return false;
        const auto head = items.first(std::min(piece, items.size()));
        switch (run_once(head)) {
            case Ran::committed:
                items = items.subspan(head.size());
                reruns_ = 0;
                break;
            case Ran::again:
                break;
            case Ran::smaller:
                piece = (head.size() + 1) / 2;
                break;
            case Ran::failed_alone:
                break;
            case Ran::lost:
                return true;  // what is still owned comes again
            case Ran::stop:
                return false;
        }
    }
    return true;
}

Lane::Ran Lane::run_once(std::span<Item> items) {
#if PENSTOCK_FAILPOINTS
    stop_at_failpoint("lane.before_transaction");
#endif
    began_ = env_.clock.mono();
    if (const auto failure = batch_->run(items, env_.clock, turn_)) {
        return after_failure(*failure, items);
    }
    return commit(items);
}

Lane::Ran Lane::after_failure(const BatchFailure& failure, std::span<Item> items) {
    const Error& error = failure.error;
    if (error.code == Code::fenced) return drop_lost(error, items);
    if (error.code == Code::damaged) return fatal(error);
    if (failure.guessed && may_be_commands_fault(error)) return Ran::again;
    if (failure.handlers && may_be_commands_fault(error)) {
        if (items.size() > 1) return Ran::smaller;
        items.front().cause = error.text;
        items.front().failed_alone = true;
        return Ran::failed_alone;
    }
    // A constraint of ours: another lane has recorded an id since it was looked up.
    if (error.code == Code::conflict || error.code == Code::constraint) {
        if (++reruns_ <= kMaxReruns) return Ran::again;
        if (items.size() > 1) {
            reruns_ = 0;
            return Ran::smaller;
        }
    }
    if (may_be_commands_fault(error)) return fatal(error);
    // A failure of the store is nobody's attempt.
    back_off(error);
    if (error.lost == Lost::session) mend_session();
    return Ran::again;
}

Lane::Ran Lane::commit(std::span<Item> items) {
    const auto committed = session_->commit();
    if (committed) {
#if PENSTOCK_FAILPOINTS
        stop_at_failpoint("lane.after_commit");
#endif
        publish(items);
        return Ran::committed;
    }
    if (committed.error().effect == Effect::unknown)
        return settle_unknown_commit(committed.error(), items);
    session_->rollback();
    return after_failure(BatchFailure{committed.error(), false}, items);
}

/// COMMIT unknown: the owner row, read back under a lock, says whether it was done.
Lane::Ran Lane::settle_unknown_commit(const Error& unknown, std::span<Item> items) {
    while (!stopping_) {
        mend_session();
        const auto done = batch_->was_committed();
        if (!done && done.error().code == Code::fenced) return drop_lost(done.error(), items);
        if (!done) {
            back_off(done.error());
            continue;
        }
        if (!*done) {
            back_off(unknown);
            return Ran::again;
        }
        publish(items);
        return Ran::committed;
    }
    return Ran::stop;
}

/// After the commit: the partitions move on, then whoever waits is told.
void Lane::publish(std::span<Item> items) {
    failures_ = 0;
    batch_->keep();
    const auto took = env_.clock.mono() - began_;
    if (took > options_.batch_time) {
        width_ = std::max(kMinWidth, width_ / 2);
    } else if (took * 2 < options_.batch_time) {
        width_ = std::min(options_.batch_commands, width_ * 2);
    }
    RuntimeObserver::Batch told{items.size(), 0, 0, 0, 0, took};
    for (const Item& item : items) {
        const bool ran = item.decodable && (item.step == Step::run || item.step == Step::expired);
        told.done += ran && std::holds_alternative<Done>(item.outcome);
        told.refused += ran && std::holds_alternative<Refused>(item.outcome);
        told.duplicates += item.step == Step::duplicate;
        told.dead += !item.cause.empty();
    }
    for (PartitionState& state : partitions_) {
        if (!state.held || state.next == state.owned.next.value()) continue;
        state.next = state.owned.next.value();
        subscription_->report(state.owned.at, state.owned.next);
    }
    observer_.batch(told);
    decided_.decided(items);
}

void Lane::mend_session() {
    if (const auto mended = session_->reconnect(); !mended) back_off(mended.error());
}

void Lane::back_off(const Error& failure) {
    const auto delay = std::min(kFirstBackOff * (1 << std::min(failures_, 7u)), kLongestBackOff);
    if (++failures_ == 1) {
        observer_.say(RuntimeObserver::Level::warning,
                      fmt::format("the store fails, trying again: {}", failure.text));
    }
    if (!stopping_) pause_->wait_until(env_.clock.mono() + delay);
}

/// Old ids are forgotten a little at a time, between batches.
void Lane::prune_some() {
    next_prune_ = env_.clock.mono() + kPruneEvery;
    if (options_.dedup_horizon.count() == 0) return;
    if (!session_->begin()) return;
    const LogTime before = std::max(turn_, env_.clock.wall()) - options_.dedup_horizon;
    const auto pruned = batch_->prune(prune_cursor_, before, kPruneChunk);
    if (!pruned || *pruned == 0) {
        session_->rollback();
    } else if (const auto committed = session_->commit(); !committed) {
        session_->rollback();
    }
}

Lane::Ran Lane::fatal(const Error& failure) {
    decided_.stopped(failure);
    return Ran::stop;
}

}  // namespace penstock
