// The whole runtime on one thread in simulated time, seed by seed. --seed S: the first seed;
// --seeds N: how many (default 100, half of them on log files). A fixed first seed by default, so
// that a failure is the change's and not the day's.
#include <gtest/gtest.h>

#include <charconv>
#include <cstring>
#include <iostream>

#include "test/sim/sale_simulation.h"

namespace penstock::test {
namespace {

std::uint64_t first_seed = 1;
std::uint64_t seeds = 100;

std::string joined(const std::vector<std::string>& lines) {
    std::string all;
    for (const std::string& line : lines) all += line + "\n";
    return all;
}

TEST(SaleSimulation, EverySeedIsExactAndLosesNothingAcknowledged) {
    SimulationReport sum;
    for (std::uint64_t seed = first_seed; seed < first_seed + seeds; ++seed) {
        const SimulationReport report = simulate_sale({seed, seed % 2 == 0, PlantedBug::none});
        EXPECT_EQ(joined(report.wrong), "") << "run again with --seed " << seed << " --seeds 1";
        sum.claims += report.claims;
        sum.answers += report.answers;
        sum.units += report.units;
        sum.power_cuts += report.power_cuts;
        sum.cuts_in_flight += report.cuts_in_flight;
    }
    std::cout << seeds << " seeds: " << sum.claims << " claims, " << sum.answers << " answers, "
              << sum.units << " units, " << sum.power_cuts << " power cuts, " << sum.cuts_in_flight
              << " with claims in flight\n";
    EXPECT_GT(sum.cuts_in_flight, 0u);
}

TEST(SaleSimulation, TheSameSeedGivesTheSameHistory) {
    for (std::uint64_t seed = first_seed; seed < first_seed + std::min<std::uint64_t>(seeds, 4);
         ++seed) {
        const SimulationOptions options{seed, seed % 2 == 0, PlantedBug::none};
        EXPECT_EQ(simulate_sale(options).trace, simulate_sale(options).trace) << "seed " << seed;
    }
}

/// How many of the first seeds notice.
std::uint64_t caught(PlantedBug bug, bool file_log) {
    std::uint64_t count = 0;
    for (std::uint64_t seed = first_seed; seed < first_seed + 10; ++seed) {
        count += !simulate_sale({seed, file_log, bug}).wrong.empty();
    }
    return count;
}

TEST(SaleSimulation, ADiskThatOnlySaysThatItSyncedIsNoticed) {
    EXPECT_GE(caught(PlantedBug::sync_lies, true), 5u);
}

TEST(SaleSimulation, CommitsThatReturnBeforeTheyAreDurableAreNoticed) {
    EXPECT_GE(caught(PlantedBug::store_not_durable, false), 1u);
}

void read_arguments(int count, char** arguments) {
    for (int i = 1; i + 1 < count; ++i) {
        std::uint64_t* const into = std::strcmp(arguments[i], "--seed") == 0    ? &first_seed
                                    : std::strcmp(arguments[i], "--seeds") == 0 ? &seeds
                                                                                : nullptr;
        if (into == nullptr) continue;
        const char* const text = arguments[i + 1];
        std::from_chars(text, text + std::strlen(text), *into);
    }
    const char* const seed = std::getenv("PENSTOCK_SEED");
    if (seed != nullptr) std::from_chars(seed, seed + std::strlen(seed), first_seed);
}

}  // namespace
}  // namespace penstock::test

int main(int count, char** arguments) {
    ::testing::InitGoogleTest(&count, arguments);
    penstock::test::read_arguments(count, arguments);
    return RUN_ALL_TESTS();
}
