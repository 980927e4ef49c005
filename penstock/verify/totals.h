#pragma once

#include "penstock/verify/replay.h"

namespace penstock::verify {

/// What holds over whole tables, once everything on the log was replayed.
Result<void> check_totals(const VerifyInput& input, Tables& tables, Replay& replay, Report& report);

/// Counts of the gate before the snapshot and after the replay against the store's.
Result<void> check_gate(const std::vector<GateCounts>& before, const std::vector<GateCounts>& after,
                        Tables& tables, Replay& replay, Report& report);

/// The callers' side.
Result<void> check_history(std::istream& history, Tables& tables, const Replay& replay,
                           Report& report);

}  // namespace penstock::verify
