#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "penstock/gate/gate.h"

namespace penstock {

/// What the scripts keep of a resource in one line (scripts.h).
struct StateLine {
    GateCounts counts;  ///< without the resource's name; open: in the phase open
    std::uint64_t writes = 0;
};

std::optional<StateLine> parse_state(std::string_view line);

/// The number that a text of digits only is; everything else is empty.
std::optional<std::uint64_t> parse_number(std::string_view text);

}  // namespace penstock
