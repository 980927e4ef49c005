#pragma once

#include "penstock/core/command.h"

namespace penstock {

/// What is known of an id: recorded in the store, or decided earlier in this batch.
struct Seen {
    Hash128 body;
};

/// What happens to a command on the log.
enum class Step : std::uint8_t {
    run,
    duplicate,  ///< same id, same body: its recorded outcome is the answer
    id_reused,  ///< same id, another body: refused to this caller, nothing recorded
    too_old,    ///< the id's own time is beyond the dedup horizon: nothing recorded, never run
    expired,    ///< past its deadline: refused, recorded
    stale,      ///< under an older layout, or behind a rebuild of the gate: nothing recorded
};

/// What was admitted under an older generation counts only below `end`: from what lies there the
/// gate was rebuilt, so that it may say no to an id that it has lost.
struct GateCut {
    GateGeneration generation;
    Offset end;
};

/// The rules of the partition at this moment.
struct Rules {
    LogTime now{};                              ///< the batch's one reading of the clock
    std::chrono::milliseconds dedup_horizon{};  ///< ids are remembered for so long
    LayoutId layout;  ///< present one; a command of generation 0 carries none and always fits
    GateCut gate;     ///< of the command's partition
};

/// The whole life of a record in one pure function.
Step decide(const Command& command, const Hash128& body, const Seen* seen, const Rules& rules);

/// True if the id tells its own time and that is older than the horizon: never executed.
bool beyond_horizon(const Uuid& id, LogTime now, std::chrono::milliseconds horizon);

}  // namespace penstock
