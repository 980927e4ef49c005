#pragma once

#include <istream>
#include <optional>
#include <string>

#include "penstock/base/env.h"
#include "penstock/edge/cli/config.h"
#include "penstock/verify/verify.h"

namespace penstock {

struct CheckOptions {
    cli::Settings settings;
    std::optional<std::string> server;  ///< URL of a node that runs on it; none: none runs
    std::istream* history = nullptr;
};

/// Verifies what the settings name, without a lock: the store in one snapshot, the log below its
/// next_offset, the gate's counts from the running node or, without one, as a start would have
/// them.
Result<verify::Verdict> check(Env& env, const CheckOptions& options);

}  // namespace penstock
