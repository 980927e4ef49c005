#pragma once

#include <cstdint>
#include <string>

/// What Redis runs for us. A resource is four keys in one hash slot:
///   <prefix>{<name>}:state    string, one line: the marker and version "penstock-gate 1", then
///                             generation (20 digits), run id of the server it was built on, phase
///                             (rebuilding, open, lost, dropped), quantity, units a holder may have
///                             or -, opens_at, closes_at (Unix ms or -), closed (0 or 1), units
///                             granted, units reserved, entries in ids, entries in holders, writes
///                             since the rebuild, attempts refused by reason (6 of them)
///   <prefix>{<name>}:ids      hash, 16-byte command id → "+units" granted, or "units ms" reserved
///                             and the log time of its admission (0: loaded)
///   <prefix>{<name>}:holders  hash, holder → units; only if there is a limit
///   <prefix>{<name>}:back     hash, ids given back during a rebuild
/// Every script reads and checks all that it needs before its first write, makes no protected call
/// and writes first what Redis refuses when memory is short: so it does all or nothing.
namespace penstock {

/// The checks of the scripts. Test builds can leave one out to see what it protects from.
enum class GateCheck : std::uint8_t {
    none,
    again,       ///< an id that has its units is not given more
    run_id,      ///< state of another server process is not trusted
    generation,  ///< nor one older than what was seen, in generation or in writes
    whole,       ///< nor one whose entries are not as many as were written
    types,       ///< keys that hold something else are not touched
};

/// KEYS: state, ids, holders, back. ARGV: run id, least generation (20 digits) and least number of
/// writes that it must have, generation for a load or empty, ids (16 bytes each), holders
/// (MessagePack), kinds (a byte each; empty: all asks), quantities (MessagePack; empty: all 1), log
/// time, what to add to it (MessagePack; empty: nothing).
/// Replies {"ok", generation, writes, a byte for each op: its Admission, MessagePack of the units
/// left after each op}, {"missing"}, {"dropped"}, {"lost", why}, {"foreign", key}, {"fenced",
/// generation} or {"opened"}.
std::string claims_script(GateCheck without = GateCheck::none);

/// KEYS the same. ARGV: run id, least generation, least number of writes, verb, its arguments:
/// begin GENERATION QUANTITY LIMIT OPENS CLOSES CLOSED | open GENERATION |
/// alter QUANTITY LIMIT OPENS CLOSES CLOSED | counts | drop TOMBSTONE_MS.
/// Replies as above, {"ok", state}, or {"differs"}: alter with another quantity or limit.
std::string control_script(GateCheck without = GateCheck::none);

/// Kinds of the ops in a call of the claims script.
enum class OpKind : std::uint8_t { ask = 0, grant = 1, give_back = 2, load_reserved = 3 };

}  // namespace penstock
