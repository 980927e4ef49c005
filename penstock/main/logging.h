#pragma once

#include <string>
#include <string_view>

#include "penstock/edge/cli/config.h"

namespace penstock {

/// Sends the process's log to stderr, one line a message, text or JSON. Times are UTC.
void set_up_logging(const cli::Settings::Logging& logging);

/// `text` as part of one line: control characters, which could forge further lines or drive a
/// terminal, become \xNN.
std::string one_line(std::string_view text);

}  // namespace penstock
