// Which partitions a lane owns: taking them, giving them up, losing them.
#include <fmt/format.h>

#include <algorithm>

#include "penstock/base/failpoint.h"
#include "penstock/runtime/history.h"
#include "penstock/runtime/lane.h"

namespace penstock {

Result<void> Lane::open(std::span<const LinePartition> partitions) {
    auto session = store_.open(Role::owner, options_.session);
    if (!session) return session.error();
    session_ = std::move(session).value();
    batch_ = std::make_unique<Batch>(*session_, store_.dialect(),
                                     BatchRules{&routes_, options_.dedup_horizon, options_.owner});
    PENSTOCK_TRY(batch_->prepare());
    for (const auto& [at, layout] : partitions) {
        PartitionState& state = partitions_.emplace_back();
        state.at = at;
        state.layout = layout;
        for (const auto& app : apps_) {
            if (!state.default_type.empty()) break;
            state.default_type = app->default_type(at.topic.value());
        }
    }
    auto subscription = log_.subscribe(GroupSpec{options_.owner.group, {}});
    if (!subscription) return subscription.error();
    subscription_ = std::move(*subscription);
    return {};
}

Result<void> Lane::take(const TopicPartition& at) {
    const auto described = log_.describe(at.topic);
    if (!described) return described.error();
    const auto& partitions = described->front().partitions;
    const auto info =
        std::find_if(partitions.begin(), partitions.end(),
                     [&](const PartitionInfo& p) { return p.partition == at.partition; });
    if (info == partitions.end()) {
        return diverged(at, "the log has no such partition any more");
    }
    bool fresh = false;
    auto owned = batch_->take(at, &fresh);
    if (!owned && owned.error().code == Code::in_use) return std::move(owned).error();
    PartitionState& state = state_of(at);
    state.half_held = true;
    if (!owned) return std::move(owned).error();
    PENSTOCK_TRY(begin(state, *std::move(owned), *info, fresh));
    state.half_held = false;
    return {};
}

/// The row is this lane's; now the log.
Result<void> Lane::begin(PartitionState& state, Owned owned, const PartitionInfo& info,
                         bool fresh) {
#if PENSTOCK_FAILPOINTS
    if (fail_at_failpoint("lane.fail_begin")) return error(Code::unreachable, "a failpoint");
#endif
    // Of a fresh one nothing is known yet; it was looked at when the line began (LineTopics).
    if (!fresh) PENSTOCK_TRY(check_history(log_, owned, info));
    PENSTOCK_TRY(subscription_->assign(state.at));
    state.owned = std::move(owned);
    state.owned.layout = state.layout;
    turn_ = std::max(turn_, state.owned.turn_time);
    state.next = state.owned.next.value();
    state.epoch = state.owned.epoch.value();
    state.held = true;
    return {};
}

void Lane::order(const TopicPartition& at, bool take) {
    orders_.push({at, take});
    subscription_->wake();
}

/// False: the lane cannot go on.
bool Lane::obey_orders() {
    orders_.drain(orders_in_hand_);
    for (const Order& order : orders_in_hand_) {
        PartitionState& state = state_of(order.at);
        if (order.take == state.held) continue;
        if (!order.take) {
            give_up(state);
        } else if (!take_ordered(order.at)) {
            return false;
        }
    }
    return true;
}

bool Lane::take_ordered(const TopicPartition& at) {
    const auto taken = take(at);
    if (taken || taken.error().code == Code::in_use) return true;
    if (taken.error().code == Code::damaged) {
        fatal(taken.error());
        return false;
    }
    // The former owner may be stopped with the row locked: the server is told to end its session.
    if (taken.error().code == Code::conflict) {
        if (const auto holder = batch_->session_of(at); holder && !holder->empty()) {
            (void)store_.end_session(*holder);
        }
    }
    observer_.say(RuntimeObserver::Level::warning,
                  fmt::format("topic {} partition {} could not be taken, trying again: {}",
                              at.topic.value(), at.partition.value(), taken.error().text));
    if (taken.error().lost == Lost::session) mend_session();
    return true;
}

void Lane::give_up(PartitionState& state) {
    subscription_->release(state.at);
    state.held = false;
    const auto given = batch_->give_up(state.owned);
    state.half_held = !given;
    if (!given) {
        observer_.say(RuntimeObserver::Level::warning, given.error().text);
    }
}

void Lane::give_up_all() {
    for (PartitionState& state : partitions_) {
        if (state.held) give_up(state);
    }
}

/// Somebody else owns one of these now: it is his, and nothing of this batch was done. The others'
/// records come again.
Lane::Ran Lane::drop_lost(const Error& failure, std::span<Item> items) {
    if (options_.owner.alone) return fatal(failure);
    for (PartitionState& state : partitions_) {
        const bool touched = std::any_of(items.begin(), items.end(), [&](const Item& item) {
            return item.owned == &state.owned;
        });
        if (!state.held || !touched) continue;
        Result<bool> mine = batch_->still_owns(state.owned);
        while (!mine && !stopping_) {
            back_off(mine.error());
            if (mine.error().lost == Lost::session) mend_session();
            mine = batch_->still_owns(state.owned);
        }
        if (mine && *mine) {
            if (auto started = subscription_->start(state.at, state.owned.next); !started) {
                return fatal(started.error());
            }
            continue;
        }
        subscription_->release(state.at);
        state.held = false;
        observer_.say(RuntimeObserver::Level::warning, failure.text);
    }
    return Ran::lost;
}

}  // namespace penstock
