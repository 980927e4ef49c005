#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// What Redis runs for us. A resource is a hash and, while it is rebuilt, a second one, in one hash
/// slot. Fields of <prefix>{<name>}:
///   "s"                the state, 191 bytes: the marker and version "penstock-gate 1 ", generation
///                      (20 digits), run id of the server that it was built on (40), a byte each
///                      for the phase (1 rebuilding, 2 open, 3 lost, 4 dropped), closed and final,
///                      and big-endian doubles: quantity, units a holder may have (-1: no limit),
///                      opens_at and closes_at (Unix ms, or beyond every time), units granted,
///                      units reserved, fields without this one, writes since the rebuild, attempts
///                      refused by reason
///   16 bytes           a command id → "+units" granted, "units" reserved
///   "h" and a holder   its units, if there is a limit; where that were 16 bytes: "g", holder, "."
/// <prefix>{<name>}:back has the ids given back during the rebuild.
/// Every script reads and checks all that it needs before its first write, makes no protected call,
/// and its first write is the one that Redis refuses if any: so it does all or nothing.
namespace penstock {

/// The checks of the scripts. Test builds can leave one out to see what it protects from.
enum class GateCheck : std::uint8_t {
    none,
    again,       ///< an id that has its units is not given more
    run_id,      ///< state of another server process is not trusted
    generation,  ///< nor one older than what was seen, in generation or in writes
    current,     ///< what is said under another generation may be late, and is not taken
    whole,       ///< nor one whose fields are not as many as were written
    types,       ///< keys that hold something else are not touched
};

#if PENSTOCK_FAILPOINTS
GateCheck gate_check_of(std::string_view name);
#endif

/// KEYS: the hash, back. ARGV: run id, the generation (20 digits) that the caller saw last and the
/// least number of writes that it must have, generation for a load or empty, fields (MessagePack:
/// "s", the ids of the ops, their holders), kinds (a byte each; empty: all asks), quantities
/// (MessagePack; empty: all 1), log time, what to add to it (MessagePack; empty: nothing). Replies
/// {"ok", generation, writes, units free before (may be below 0), a byte for each op: its
/// Admission, units left after each op (MessagePack; empty: only asks)}, {"missing"}, {"dropped"},
/// {"lost", why}, {"foreign", key}, {"fenced", generation}, {"opened"}, or, but for loads,
/// {"generation", generation}: a later one than the caller saw; nothing is done.
std::string claims_script(GateCheck without = GateCheck::none);

/// KEYS and the first three ARGV the same, then a verb and its arguments:
/// begin GENERATION QUANTITY LIMIT OPENS CLOSES CLOSED FINAL_GRANTED (or empty) | open GENERATION |
/// alter QUANTITY LIMIT OPENS CLOSES CLOSED | counts | drop TOMBSTONE_MS.
/// Replies as above, {"ok", state, why it is lost}, or {"differs"}: alter with another quantity or
/// limit.
std::string control_script(GateCheck without = GateCheck::none);

/// Kinds of the ops in a call of the claims script.
enum class OpKind : std::uint8_t { ask = 0, grant = 1, give_back = 2, load_reserved = 3 };

}  // namespace penstock
