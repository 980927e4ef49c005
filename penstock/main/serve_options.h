#pragma once

#include "penstock/edge/cli/config.h"
#include "penstock/main/process.h"

namespace penstock {

/// What `serve` runs with; decided before anything is touched. unsafe: an address that is not one,
/// or that other hosts could reach; engines that do not go together.
Result<ProcessOptions> serve_options(const cli::Settings& settings);

}  // namespace penstock
