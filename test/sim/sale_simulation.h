#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace penstock::test {

/// Faults that a simulation must find.
enum class PlantedBug {
    none,
    sync_lies,          ///< the disk says that it synced, and did not
    store_not_durable,  ///< commits return before they are durable
};

struct SimulationOptions {
    std::uint64_t seed = 1;
    bool file_log = false;
    PlantedBug bug = PlantedBug::none;
};

struct SimulationReport {
    std::uint64_t trace = 0;         ///< hash of all that was asked, answered and cut
    std::vector<std::string> wrong;  ///< what does not hold; empty: everything does
    std::size_t claims = 0, answers = 0, units = 0, power_cuts = 0, cuts_in_flight = 0;
};

/// The whole runtime with 296 callers on one thread in simulated time: campaigns that open during
/// the run, limits, deadlines, repeated ids; the power fails at random moments and callers ask
/// again under the same id. At the end every campaign is sold out and the invariants are checked.
SimulationReport simulate_sale(const SimulationOptions& options);

}  // namespace penstock::test
