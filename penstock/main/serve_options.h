#pragma once

#include "penstock/edge/cli/config.h"
#include "penstock/main/embedded.h"

namespace penstock {

/// What `serve` runs with; decided before the data directory is touched. unsafe: an address that
/// is not one, or that other hosts could reach.
Result<EmbeddedOptions> serve_options(const cli::Settings& settings);

}  // namespace penstock
