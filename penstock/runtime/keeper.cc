#include "penstock/runtime/keeper.h"

#include <fmt/format.h>

#include <algorithm>

#include "penstock/base/failpoint.h"

namespace penstock {
namespace {

constexpr std::chrono::milliseconds kEvery{250};
constexpr std::chrono::milliseconds kGatePause{500};
constexpr std::chrono::seconds kRetentionEvery{10};

Error low_on_space(std::uint64_t free_bytes) {
    return error(Code::no_space,
                 fmt::format("the disk is nearly full ({} MiB left): free some space; what was "
                             "accepted is safe",
                             free_bytes >> 20));
}

}  // namespace

Keeper::Keeper(KeeperParts parts)
    : parts_(std::move(parts)),
      gate_doubt_(alone()),  // nobody else can have seen to what a former process left
      wake_(parts_.env.executor.make_wake()) {}

Result<void> Keeper::open() {
    auto session = parts_.store.open(Role::owner, SessionLimits{});
    if (!session) return std::move(session).error();
    session_ = std::move(*session);
    return parts_.gate_rebuild.prepare(*session_, parts_.store.dialect());
}

void Keeper::start() {
    task_ = parts_.env.executor.spawn("keeper", [this] { run(); });
}

void Keeper::stop() {
    stopping_ = true;
    wake_->notify();
    task_.reset();
}

void Keeper::run() {
    while (!stopping_) {
        if (!ready_ && !failed_ && caught_up()) wait_for("the gate");
        if ((gate_lost_ || gate_doubt_) && !failed_ && (ready_ || caught_up())) mend_gate();
        watch_space();
        apply_retention();
        const MonoTime now = parts_.env.clock.mono();
        parts_.sweep(now);
        const bool waits = alone() && !ready_ && !gate_lost_;
        wake_->wait_until(waits ? kNever : now + kEvery);
    }
}

bool Keeper::caught_up() const {
    return std::all_of(parts_.goals.begin(), parts_.goals.end(),
                       [](const auto& goal) { return goal.first->next >= goal.second; });
}

void Keeper::mend_gate() {
    const MonoTime now = parts_.env.clock.mono();
    if (now < next_gate_) return;
    next_gate_ = now + kGatePause;
    const bool doubt = gate_doubt_.exchange(false);  // what comes meanwhile is another one
    const auto state = parts_.gate_rebuild.look(*session_);
    Result<void> mended;
    if (!state) {
        if (doubt) gate_doubt_ = true;
        mended = state.error();
    } else {
        if (doubt) doubted_ = state->generation;
#if PENSTOCK_FAILPOINTS
        if (failpoint("doubt.off")) doubted_.reset();
#endif
        // Rebuilt since, by another process: nothing of before counts.
        if (state->whole && doubted_ && *doubted_ < state->generation) doubted_.reset();
        if (!state->whole || doubted_) mended = parts_.gate_rebuild.run(*session_);
        if (mended) doubted_.reset();
    }
    if (!mended) {
        const Error& why = mended.error();
        if (why.lost == Lost::session) (void)session_->reconnect();
        wait_for("the gate: " + why.text);
        gate_lost_ = true;
        if (alone() && why.code != Code::unreachable) parts_.observer.fatal(why);
        return;
    }
    gate_lost_ = false;
    if (ready_ || stopping_ || failed_) return;
    parts_.refuse_all(std::nullopt);
    ready_ = true;
    wait_for("");
    parts_.observer.say(RuntimeObserver::Level::info, "ready");
}

void Keeper::gate_lost() noexcept {
    if (!gate_lost_.exchange(true)) wake_->notify();
}

void Keeper::gate_doubt() noexcept {
    if (!gate_doubt_.exchange(true)) wake_->notify();
}

void Keeper::watch_space() {
    if (parts_.options.data_directory.empty() || !ready_ || stopping_ || failed_) return;
    const auto free_bytes = parts_.env.files.free_bytes(parts_.options.data_directory);
    if (!free_bytes) return;
    parts_.observer.disk_free(*free_bytes);
    const bool low = *free_bytes < parts_.options.low_water_bytes;
    if (low == low_on_space_) return;
    low_on_space_ = low;
    parts_.refuse_all(low ? std::optional<Error>(low_on_space(*free_bytes)) : std::nullopt);
    parts_.observer.say(RuntimeObserver::Level::warning,
                        low ? "the disk is nearly full: nothing is admitted until space is back"
                            : "there is space on the disk again");
}

void Keeper::apply_retention() {
    const MonoTime now = parts_.env.clock.mono();
    if (now < next_retention_) return;
    next_retention_ = now + kRetentionEvery;
    for (const auto& [state, end] : parts_.goals) {
        if (!state->held) continue;
        if (parts_.log.down()) return;  // one that hangs would let each partition wait
        const auto trimmed =
            parts_.log.trim(state->at, Offset(state->next), parts_.env.clock.wall());
        if (!trimmed) {
            parts_.observer.say(RuntimeObserver::Level::warning, trimmed.error().text);
        }
    }
}

void Keeper::wait_for(const std::string& what) {
    waits_for_.with([&](std::string& text) { text = what; });
}

void Keeper::failed(const std::string& why) {
    failed_ = true;
    wait_for(why);
}

Readiness Keeper::readiness() {
    if (stopping_) return {false, "the server is stopping"};
    if (!ready_ || failed_) {
        return {false, waits_for_.with([](const std::string& text) { return text; })};
    }
    if (!alone() && parts_.heartbeat->is_late()) return {false, "the database"};
    if (gate_lost_) return {false, "the gate"};
    if (const auto down = parts_.log.down()) return {false, "the log: " + down->text};
    return {true, ""};
}

}  // namespace penstock
