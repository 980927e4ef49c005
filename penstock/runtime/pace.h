#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "penstock/base/time.h"

namespace penstock {

/// How fast a lane may go, and how fast it went. Threads: the lane's; the limit and rate() any.
class Pace {
public:
    /// Commands decided per second at most; 0: no limit.
    void set_limit(std::uint32_t per_s) { limit_.store(per_s, std::memory_order_relaxed); }
    std::uint32_t limit() const { return limit_.load(std::memory_order_relaxed); }

    /// How many of `wanted` may be decided now; 0: none before next_at().
    std::size_t allow(MonoTime now, std::size_t wanted) {
        const std::uint32_t per_s = limit();
        if (per_s == 0) return wanted;
        const double cap = std::max(1.0, per_s * kBurstSeconds);
        const double elapsed = std::chrono::duration<double>(now - refilled_at_).count();
        tokens_ = std::min(cap, tokens_ + elapsed * per_s);
        refilled_at_ = now;
        return std::min(wanted, static_cast<std::size_t>(tokens_));
    }
    MonoTime next_at(MonoTime now) const {
        const std::uint32_t per_s = limit();
        if (per_s == 0 || tokens_ >= 1) return now;
        const double seconds = std::min((1 - tokens_) / per_s + kBurstSeconds / 4, 1.0);
        return now + std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
    }

    /// `commands` were decided; `busy`: more were waiting all the time since the last call.
    void decided(MonoTime now, std::size_t commands, bool busy) {
        if (limit() != 0) tokens_ -= static_cast<double>(commands);
        const double elapsed = std::chrono::duration<double>(now - measured_at_).count();
        measured_at_ = now;
        if (!busy || elapsed <= 0) return;
        // Older readings fade with a time constant of a second.
        const double weight = std::min(1.0, elapsed);
        const double old = rate_.load(std::memory_order_relaxed);
        const double latest = static_cast<double>(commands) / elapsed;
        rate_.store(old == 0 ? latest : old + weight * (latest - old), std::memory_order_relaxed);
    }
    /// Commands per second while there was work; 0: not known yet.
    double rate() const {
        const double measured = rate_.load(std::memory_order_relaxed);
        const double limited = limit();
        if (limited == 0) return measured;
        return measured == 0 ? limited : std::min(measured, limited);
    }

private:
    static constexpr double kBurstSeconds = 0.05;

    std::atomic<std::uint32_t> limit_{0};
    std::atomic<double> rate_{0};
    double tokens_ = 0;
    MonoTime refilled_at_{}, measured_at_{};
};

}  // namespace penstock
