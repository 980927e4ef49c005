#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdint>

namespace penstock::cli {

/// Latencies in buckets that are at most 1/32 wide of their value. Threads: one.
class LatencyTable {
public:
    void add(std::chrono::nanoseconds took) {
        const auto us = static_cast<std::uint64_t>(took.count() < 0 ? 0 : took.count() / 1000);
        ++counts_[bucket_of(us)];
        ++total_;
        if (us > max_us_) max_us_ = us;
    }
    /// Milliseconds below which this part of all lies; 0 if there are none.
    double percentile_ms(double percent) const {
        const auto wanted =
            static_cast<std::uint64_t>(percent / 100 * static_cast<double>(total_) + 0.5);
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            seen += counts_[i];
            if (seen >= wanted && seen != 0) {
                return std::min(static_cast<double>(highest_of(i)) / 1000, max_ms());
            }
        }
        return max_ms();
    }
    double max_ms() const { return static_cast<double>(max_us_) / 1000; }
    std::uint64_t count() const { return total_; }

private:
    static constexpr int kSubBits = 5;
    static constexpr std::uint64_t kSub = 1 << kSubBits;

    static std::size_t bucket_of(std::uint64_t us) {
        if (us < kSub) return us;
        const int shift = std::bit_width(us) - kSubBits - 1;
        return static_cast<std::size_t>(kSub * static_cast<std::uint64_t>(shift) + (us >> shift));
    }
    static std::uint64_t highest_of(std::size_t bucket) {
        if (bucket < kSub) return bucket;
        const std::uint64_t shift = bucket / kSub - 1;
        return ((bucket % kSub + kSub + 1) << shift) - 1;
    }

    std::array<std::uint64_t, kSub * 60> counts_{};
    std::uint64_t total_ = 0, max_us_ = 0;
};

}  // namespace penstock::cli
