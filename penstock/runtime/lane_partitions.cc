// Which partitions a lane owns: taking them, giving them up, losing them.
#include <fmt/format.h>

#include <algorithm>

#include "penstock/runtime/lane.h"

namespace penstock {
namespace {

Error diverged(const TopicPartition& at, std::string what) {
    return error(Code::damaged,
                 fmt::format("topic {} partition {}: {}; log and database do not belong together: "
                             "restore the pair that does, or verify each against a backup",
                             at.topic.value(), at.partition.value(), what));
}

}  // namespace

Result<void> Lane::open(std::span<const TopicPartition> partitions) {
    auto session = store_.open(Role::owner, options_.session);
    if (!session) return session.error();
    session_ = std::move(session).value();
    batch_ = std::make_unique<Batch>(
        *session_, store_.dialect(),
        BatchRules{&routes_, options_.dedup_horizon, options_.owner, store_.writers() == 1});
    PENSTOCK_TRY(batch_->prepare());
    for (const TopicPartition& at : partitions) {
        PartitionState& state = partitions_.emplace_back();
        state.at = at;
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
    if (!owned) return std::move(owned).error();
    PENSTOCK_TRY(check_history(*owned, *info, fresh));
    PENSTOCK_TRY(subscription_->assign(at));
    PartitionState& state = state_of(at);
    state.owned = std::move(*owned);
    turn_ = std::max(turn_, state.owned.turn_time);
    state.next = state.owned.next.value();
    state.epoch = state.owned.epoch.value();
    state.held = true;
    return {};
}

Result<void> Lane::check_history(const Owned& owned, const PartitionInfo& info, bool fresh) {
    // Among others a partition's first owner comes after the first commands may have.
    if (fresh && !options_.owner.alone) return {};
    if (fresh) return check_replayable(owned.at, info);
    if (owned.log_uuid != info.uuid) {
        return diverged(owned.at, "the log's partition is not the one this database was fed from");
    }
    if (info.end < owned.next) {
        return diverged(owned.at, fmt::format("the log ends at offset {}, but the database has "
                                              "applied up to {}",
                                              info.end.value(), owned.next.value()));
    }
    if (owned.next < info.start) {
        return diverged(owned.at, fmt::format("the log begins at offset {}, but {} was to be "
                                              "applied next",
                                              info.start.value(), owned.next.value()));
    }
    return owned.next == info.start ? Result<void>{} : check_fingerprint(owned);
}

Result<void> Lane::check_fingerprint(const Owned& owned) {
    const auto last =
        log_.read(owned.at, Offset(owned.next.value() - 1), ReadLimits{1, kMaxPollBytes});
    if (!last) return last.error();
    const auto records = (*last)->records();
    if (!records.empty() && fingerprint(records.front()) == owned.fingerprint) return {};
    return diverged(owned.at, fmt::format("the record at offset {} is not the one that the "
                                          "database has applied",
                                          owned.next.value() - 1));
}

/// A fresh database may be rebuilt from a log that is whole, unless an outcome hung on the clock.
Result<void> Lane::check_replayable(const TopicPartition& at, const PartitionInfo& info) {
    if (info.start != Offset(0)) {
        return diverged(at, fmt::format("there is no database, and the log begins at offset {}",
                                        info.start.value()));
    }
    Offset next = info.start;
    while (next < info.end) {
        const auto read = log_.read(at, next, ReadLimits{10'000, kMaxPollBytes});
        if (!read) return read.error();
        if ((*read)->records().empty()) break;  // only marks of transactions up to the end
        for (const Logged& record : (*read)->records()) {
            for (const Header& header : record.headers) {
                if (header.name != header::kDeadline) continue;
                return diverged(at, fmt::format("there is no database, and the command at offset "
                                                "{} has a deadline, so its outcome cannot be "
                                                "computed again",
                                                record.offset.value()));
            }
            next = Offset(record.offset.value() + 1);
        }
    }
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
    // Not done: the lease ends it.
    if (const auto given = batch_->give_up(state.owned); !given) {
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
        decided_.lost(state.at);
    }
    return Ran::lost;
}

}  // namespace penstock
