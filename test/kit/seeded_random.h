#pragma once

#include <atomic>

#include "penstock/base/random.h"

namespace penstock::test {

/// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
/// Threads: any; the sequence is that of the seed if one thread asks.
class SeededRandom final : public Random {
public:
    explicit SeededRandom(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() override {
        std::uint64_t z = state_.fetch_add(kGamma, std::memory_order_relaxed) + kGamma;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
        return z ^ (z >> 31);
    }
    std::uint64_t below(std::uint64_t limit) { return next() % limit; }

private:
    static constexpr std::uint64_t kGamma = 0x9e3779b97f4a7c15ull;
    std::atomic<std::uint64_t> state_;
};

}  // namespace penstock::test
