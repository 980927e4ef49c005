#include "penstock/runtime/heartbeat.h"

namespace penstock {
namespace {

constexpr std::chrono::milliseconds kEvery{250};

}  // namespace

Heartbeat::Heartbeat(HeartbeatParts parts)
    : parts_(std::move(parts)),
      membership_(parts_.owner.group, parts_.owner.member, parts_.lease),
      wake_(parts_.env.executor.make_wake()) {}

Result<void> Heartbeat::open() {
    auto session = parts_.store.open(Role::owner, SessionLimits{});
    if (!session) return std::move(session).error();
    session_ = std::move(*session);
    PENSTOCK_TRY(membership_.prepare(*session_, parts_.store.dialect()));
    beat_at_ = parts_.env.clock.mono();
    const auto joined = membership_.beat(*session_);
    if (!joined) return joined.error();
    return {};
}

void Heartbeat::start() {
    task_ = parts_.env.executor.spawn("heartbeat", [this] { run(); });
}

void Heartbeat::stop() {
    stopping_ = true;
    wake_->notify();
    task_.reset();
}

void Heartbeat::leave() {
    if (session_) (void)membership_.leave(*session_);
    session_.reset();
}

void Heartbeat::run() {
    while (!stopping_) {
        beat();
        wake_->wait_until(parts_.env.clock.mono() + kEvery);
    }
}

void Heartbeat::beat() {
    const MonoTime begun = parts_.env.clock.mono();
    const auto view = membership_.beat(*session_);
    if (view) {
        beat_at_ = begun;
        if (failed_.exchange(false)) {
            parts_.observer.say(RuntimeObserver::Level::info, "the database answers again");
        }
        act_on(*view);
        // Whoever takes a dead one's row away sees to what it had admitted.
        const auto died = membership_.bury_dead(*session_);
        if (died ? *died : died.error().effect == Effect::unknown) parts_.on_death();
        return;
    }
    if (!failed_.exchange(true)) {
        parts_.observer.say(RuntimeObserver::Level::warning,
                            "the lease could not be renewed, trying again: " + view.error().text);
    }
    if (view.error().lost == Lost::session) (void)session_->reconnect();
}

void Heartbeat::act_on(const MemberView& view) {
    std::vector<PartitionOwner> partitions;
    Lane* lane = nullptr;
    const bool moves = !still_ && !stopping_;
    for (const SeenOwner& seen : view.owners) {
        PartitionState* state = find(seen.partition.at, &lane);
        if (state == nullptr) continue;  // of a topic of later versions
        // How far others are.
        std::uint64_t known = state->next;
        while (!state->held && known < seen.next.value() &&
               !state->next.compare_exchange_weak(known, seen.next.value())) {
        }
        // Taken while this process slept; a lane that writes is told, too, but may have nothing to.
        const auto& owner = seen.partition.owner;
        if (state->held && owner && *owner != parts_.owner.member) lane->hand_back(state->at);
        // Nobody else may take it, and the fair share takes it for held.
        if (moves && state->half_held && owner == parts_.owner.member) lane->hand_over(state->at);
        partitions.push_back(seen.partition);
    }
    if (!moves) return;
    const Share share = fair_share(parts_.owner.member, view.members, partitions);
    for (const TopicPartition& at : share.give) {
        if (find(at, &lane) != nullptr) lane->hand_back(at);
    }
    for (const TopicPartition& at : share.take) {
        if (find(at, &lane) != nullptr) lane->hand_over(at);
    }
}

PartitionState* Heartbeat::find(const TopicPartition& at, Lane** lane) const {
    for (Lane* one : parts_.lanes) {
        for (PartitionState& state : one->partitions()) {
            if (state.at != at) continue;
            *lane = one;
            return &state;
        }
    }
    return nullptr;
}

bool Heartbeat::is_late() const {
    // A database that hangs fails no call; the lease runs out all the same.
    return failed_ || parts_.env.clock.mono() - beat_at_.load() > parts_.lease;
}

}  // namespace penstock
