#include "penstock/edge/load/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace penstock::load {
namespace {

constexpr int kSubBits = 5;  ///< 32 buckets to each doubling
constexpr std::uint64_t kSub = 1u << kSubBits;
constexpr int kMaxBits = 37;  ///< of the value in µs
constexpr std::size_t kBuckets = (kMaxBits - kSubBits + 1) * kSub;

/// Values below 32 µs have a bucket each; above, the five bits below the highest choose it.
std::size_t bucket_of(std::uint64_t us) {
    if (us < kSub) return us;
    const int shift = static_cast<int>(std::bit_width(us)) - 1 - kSubBits;
    return (static_cast<std::size_t>(shift) + 1) * kSub + ((us >> shift) - kSub);
}

/// The first value above the bucket, in µs.
std::uint64_t end_of(std::size_t bucket) {
    if (bucket < kSub) return bucket + 1;
    const std::size_t shift = bucket / kSub - 1;
    return (kSub + bucket % kSub + 1) << shift;
}

}  // namespace

LatencyHistogram::LatencyHistogram() : buckets_(kBuckets) {}

void LatencyHistogram::add(std::chrono::nanoseconds latency) {
    latency = std::max(latency, std::chrono::nanoseconds(0));
    const auto us = static_cast<std::uint64_t>(latency.count()) / 1000;
    ++buckets_[std::min(bucket_of(us), kBuckets - 1)];
    ++count_;
    max_ = std::max(max_, latency);
}

double LatencyHistogram::percentile_ms(double percent) const {
    const double exact_rank = std::ceil(percent / 100 * static_cast<double>(count_));
    const std::uint64_t rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(exact_rank));
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
        seen += buckets_[bucket];
        if (seen >= rank) return std::min(max_ms(), static_cast<double>(end_of(bucket)) / 1000);
    }
    return 0;
}

double LatencyHistogram::max_ms() const {
    return std::chrono::duration<double, std::milli>(max_).count();
}

}  // namespace penstock::load
