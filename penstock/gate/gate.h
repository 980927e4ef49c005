#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/base/strong_id.h"
#include "penstock/base/time.h"
#include "penstock/base/uuid.h"

/// How many may enter the line. Advisory: it may refuse early and never grants; the store's
/// conditional update decides. What it lost it says (rebuilding) and refuses until it is rebuilt.
namespace penstock {

using ResourceId = StrongId<std::string, struct ResourceTag>;
using HolderId = StrongId<std::string, struct HolderTag>;  ///< 1 to 256 bytes
/// Goes up with every rebuild of a resource; travels in the record of what was admitted under it.
using GateGeneration = StrongId<std::uint64_t, struct GateGenerationTag>;

inline constexpr std::uint32_t kMaxUnits = 2'147'483'647;  ///< 2^31 - 1, of one resource

struct ResourceSpec {
    ResourceId resource;
    std::uint32_t quantity = 0;                  ///< cap, in units, at most kMaxUnits
    std::optional<std::uint32_t> per_holder;     ///< units a holder may have; none: no limit
    std::optional<LogTime> opens_at, closes_at;  ///< open from, closed from
    bool closed = false;                         ///< by command, for good
    /// Units granted, of a resource that is over: it is closed, or they are all that there were.
    /// Nothing of it is loaded, and no settlement changes it: what it says is counted here.
    std::optional<std::uint32_t> final_granted;
};
/// invalid: more units than kMaxUnits, or final with units that somebody could still get.
Result<void> check_spec(const ResourceSpec& spec);

/// May `quantity` units of `resource` enter the line for `holder`, under command id `id`?
struct Ask {
    Uuid id;
    std::string_view resource;
    std::string_view holder;
    std::uint32_t quantity;
};

enum class Admission : std::uint8_t {
    admitted,
    again,          ///< this id is reserved or settled already: ask the store
    limit_reached,  ///< the holder would have more than per_holder
    none_free,      ///< all units are granted or reserved; reserved ones may come back
    not_enough,     ///< fewer units are left than asked for; `left` says how many
    sold_out,       ///< granted == quantity; final
    not_open,
    closed,
    rebuilding,  ///< the gate's state is not known: ask again
    no_resource,
};
const char* to_string(Admission admission);

struct Answer {
    std::uint64_t tag;
    Result<Admission> admission;  ///< error: the gate could not be asked; effect unknown possible
    std::uint32_t left = 0;       ///< units that are neither granted nor reserved
    GateGeneration generation;
};

/// Threads: the local gate answers on the caller's, before ask() returns; others on their own.
class GateSink {
public:
    virtual ~GateSink() = default;
    virtual void answered(std::span<const Answer>) noexcept = 0;
};

/// What became of an admission (or of a claim that reached the log past the gate).
struct Settled {
    Uuid id;
    std::string_view resource;
    std::string_view holder;
    std::uint32_t quantity;
    bool granted;  ///< false: given back
};

/// A unit count that somebody has, for a rebuild.
struct Holding {
    Uuid id;
    std::string_view holder;
    std::uint32_t quantity;
    bool granted;  ///< false: reserved, in line
};

struct GateCounts {
    ResourceSpec spec;
    GateGeneration generation;
    bool open = false;           ///< false: rebuilding
    std::uint64_t granted = 0;   ///< units
    std::uint64_t reserved = 0;  ///< units
    /// Attempts refused since the rebuild, by reason (Admission's order from limit_reached on).
    std::uint64_t refused_limit = 0, refused_none_free = 0, refused_not_enough = 0,
                  refused_sold_out = 0, refused_not_open = 0, refused_closed = 0;
};

/// Threads: any.
class Gate {
public:
    virtual ~Gate() = default;
    /// Server and library with their versions, for people; empty: nothing runs beside this process.
    virtual std::string about() const { return {}; }
    /// Answer i comes under first_tag + i, in any number of calls. No units asked for: invalid.
    /// Asks of a span are decided in order, each by the first that applies: no_resource,
    /// rebuilding, again, closed, not_open, limit_reached, sold_out, none_free, not_enough.
    /// Idempotent by id: an id that holds a reservation or a grant gets `again`, whatever else it
    /// asks for. `now` judges opening times.
    virtual void ask(std::span<const Ask>, LogTime now, std::uint64_t first_tag, GateSink&) = 0;
    /// By id; idempotent; unknown ids are taken (granted counts, given back does nothing). Units
    /// are those admitted, whatever `quantity` says. A grant is final; an id given back is
    /// forgotten and may ask again. Counts during a rebuild, too: an id given back then stays so
    /// whatever load() brings of its reservation, before or after.
    virtual void settle(std::span<const Settled>) = 0;
    /// Closes the resource (answers rebuilding) and empties it. An older or equal generation than
    /// the present one: fenced. What check_spec() refuses: invalid.
    virtual Result<void> begin_rebuild(const ResourceSpec&, GateGeneration) = 0;
    /// From the store, then from the log below the cut; an id twice counts once, granted wins. Of
    /// a resource that is final nothing is taken.
    virtual Result<void> load(const ResourceId&, GateGeneration, std::span<const Holding>) = 0;
    virtual Result<void> open(const ResourceId&, GateGeneration) = 0;
    /// Changes opening times or closes, keeping what is held. quantity and per_holder must stay,
    /// and what is closed stays closed.
    virtual Result<void> alter(const ResourceSpec&) = 0;
    virtual Result<GateCounts> counts(const ResourceId&) = 0;
    /// Done, too, if it is not there.
    virtual Result<void> drop(const ResourceId&) = 0;
};

}  // namespace penstock
