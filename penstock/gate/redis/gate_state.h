#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "penstock/gate/gate.h"

namespace penstock {

/// What the scripts keep of a resource as its state (scripts.h).
struct GateState {
    GateCounts counts;  ///< without the resource's name; open: in the phase open
    std::uint64_t writes = 0;
};

/// Empty: not a state of this version.
std::optional<GateState> parse_state(std::string_view bytes);

/// The number that a text of digits only is; everything else is empty.
std::optional<std::uint64_t> parse_number(std::string_view text);

}  // namespace penstock
