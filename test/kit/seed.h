#pragma once

#include <cstdint>

namespace penstock::test {

/// The seed of a random test: `--seed N` or `--seed=N` of the test program, else the environment's
/// PENSTOCK_SEED, else a new one. Says on stderr how to run the test again if it failed.
class Seed {
public:
    Seed();
    ~Seed();
    Seed(const Seed&) = delete;
    Seed& operator=(const Seed&) = delete;

    std::uint64_t value() const { return value_; }
    bool is_given() const { return given_; }

private:
    std::uint64_t value_ = 0;
    bool given_ = false;
};

}  // namespace penstock::test
