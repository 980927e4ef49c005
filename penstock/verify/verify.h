#pragma once

#include <chrono>
#include <functional>
#include <istream>
#include <string>
#include <vector>

#include "penstock/gate/gate.h"
#include "penstock/log/log.h"
#include "penstock/store/store.h"

/// Replays the log through a model of its own and compares log, store, gate and callers. Shares no
/// code with what it judges: not the decoding of records, not the rules, not the JSON.
namespace penstock::verify {

struct VerifyInput {
    Log& log;
    Session& reader;  ///< Role::reader, outside a transaction; one snapshot is taken of it
    LogTime now{};    ///< older outcomes than the horizon may have been forgotten
    std::string group = "penstock";
    std::chrono::milliseconds dedup_horizon{};
    /// Counts of every resource; called before the snapshot is taken and again at the end. A
    /// resource that stood still in between is compared exactly, others by these bounds. Empty: the
    /// gate is not compared.
    std::function<Result<std::vector<GateCounts>>()> gate;
    /// The callers' side: one JSON object per line and answered request, in any order, with the
    /// members
    ///   id       text    the command's id
    ///   type     text    "sale.claim", "sale.create", "sale.close"
    ///   key      text    the campaign
    ///   user_id  text    claims only
    ///   quantity integer claims only
    ///   status   integer the HTTP status, 0 where the connection broke before an answer
    ///   body     text    the answer's body as it came: the reply, or a problem with its `code`
    /// Other members are passed over. nullptr: not compared.
    std::istream* history = nullptr;
};

struct Check {
    std::string name;                 ///< "positions 1..N without a gap"
    bool ok = true;                   ///< nothing was found against it
    std::string figure;               ///< what was compared: "50000 grants"
    std::vector<std::string> faults;  ///< the first few
    std::uint64_t fault_count = 0;
    std::uint64_t not_compared = 0;  ///< beyond retention or the dedup horizon
};

struct Verdict {
    std::vector<Check> checks;
    bool ok() const;
};

/// Memory: a few MiB, 8 bytes a grant, a bit a unit of the campaign in hand, and about 100 bytes
/// for each campaign, each record that is not applied yet and each id of the history. Error:
/// damaged (log or store cannot be read as what they are), io, and what the ports say. What is read
/// and differs is a failed check.
Result<Verdict> verify(const VerifyInput& input);

/// A line per check, then its faults: for people.
std::string to_text(const Verdict& verdict);
/// {"ok":…,"checks":[{"name":…,"ok":…,"figure":…,"faults":[…],"fault_count":…,"not_compared":…}]}
std::string to_json(const Verdict& verdict);

}  // namespace penstock::verify
