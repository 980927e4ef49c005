#include "penstock/edge/load/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace penstock::load {
namespace {

using std::chrono::microseconds;

TEST(LatencyHistogram, IsZeroWhenNothingWasAdded) {
    const LatencyHistogram latency;
    EXPECT_EQ(latency.count(), 0u);
    EXPECT_EQ(latency.percentile_ms(99), 0);
    EXPECT_EQ(latency.max_ms(), 0);
}

TEST(LatencyHistogram, IsNearTheSortedValuesAndNeverBelow) {
    const char* seed_text = std::getenv("PENSTOCK_SEED");
    const std::uint64_t seed = seed_text ? std::strtoull(seed_text, nullptr, 10) : 42;
    SCOPED_TRACE("PENSTOCK_SEED=" + std::to_string(seed));
    std::mt19937_64 random(seed);
    std::lognormal_distribution<double> us(6, 2);
    LatencyHistogram latency;
    std::vector<double> values;
    for (int i = 0; i < 20'000; ++i) {
        const auto value = static_cast<std::int64_t>(us(random));
        latency.add(microseconds(value));
        values.push_back(static_cast<double>(value) / 1000);
    }
    std::sort(values.begin(), values.end());
    for (const double percent : {1.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
        const auto rank = static_cast<std::size_t>(std::ceil(percent / 100 * 20'000));
        const double exact = values[rank - 1];
        EXPECT_GE(latency.percentile_ms(percent), exact) << percent;
        EXPECT_LE(latency.percentile_ms(percent), exact * 1.032 + 0.001) << percent;
    }
    EXPECT_EQ(latency.max_ms(), values.back());
}

TEST(LatencyHistogram, CountsWhatIsBeyondItsEnds) {
    LatencyHistogram latency;
    latency.add(std::chrono::nanoseconds(-5));
    latency.add(std::chrono::hours(1000));
    EXPECT_EQ(latency.count(), 2u);
    EXPECT_EQ(latency.max_ms(), 3.6e9);
    EXPECT_LE(latency.percentile_ms(100), latency.max_ms());
}

}  // namespace
}  // namespace penstock::load
