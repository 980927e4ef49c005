#pragma once

#include <istream>
#include <optional>
#include <string>

#include "penstock/main/embedded.h"
#include "penstock/verify/verify.h"

namespace penstock {

struct CheckOptions {
    DataDirectory data;
    std::optional<std::string> server;  ///< URL of the node that runs on it; none: none runs
    std::string group = "penstock";
    std::chrono::milliseconds dedup_horizon{};
    std::istream* history = nullptr;
};

/// Verifies a data directory without a lock: the store in one snapshot, the log below its
/// next_offset, the gate's counts from the running node or, without one, as a start would have
/// them.
Result<verify::Verdict> check(Env& env, const CheckOptions& options);

}  // namespace penstock
