#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

namespace penstock::load {

/// Latencies in buckets that grow with the value: 32 to each doubling, so that a percentile is at
/// most 3.2 % above the true one. From 1 µs to 36 hours; what is beyond counts as the nearest.
/// 9 KiB, whatever is added. Threads: one.
class LatencyHistogram {
public:
    LatencyHistogram();

    void add(std::chrono::nanoseconds latency);
    std::uint64_t count() const { return count_; }
    /// The upper end of the bucket with the value at `percent` (0..100], never above the largest.
    /// Zero when nothing was added.
    double percentile_ms(double percent) const;
    double max_ms() const;  ///< exact

private:
    std::vector<std::uint64_t> buckets_;
    std::uint64_t count_ = 0;
    std::chrono::nanoseconds max_{0};
};

}  // namespace penstock::load
