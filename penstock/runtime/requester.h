#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "penstock/core/command.h"
#include "penstock/core/outcome.h"
#include "penstock/gate/gate.h"

namespace penstock {

/// The gate did not let this attempt in. Concerns the attempt only, not the id.
struct NotAdmitted {
    Admission why;
    std::uint32_t left = 0;  ///< units free now
};
/// The id was used for another body before.
struct IdReused {};
/// The id tells its own time and is older than the dedup horizon.
struct IdTooOld {};

struct Settlement {
    Outcome outcome;
    bool first;  ///< false: recorded by an earlier attempt under this id
};

/// What a caller gets. Error: effect none = not on the log and never will be; unknown = may be.
using Answered = std::variant<Settlement, NotAdmitted, IdReused, IdTooOld, Error>;

struct Reply {
    std::uint64_t tag;
    Answered answer;
};

/// Threads: called on the submitter's, the log's, the lane's or the reader's thread, several
/// replies at once. Must only hand over and wake.
class ReplySink {
public:
    virtual ~ReplySink() = default;
    virtual void replied(std::span<Reply>) noexcept = 0;  ///< may be moved from
};

/// Where a command that waits in line stands.
struct InLine {
    TopicPartition at;
    std::optional<Offset> offset;  ///< none: not yet durable
    std::uint64_t place = 0;       ///< commands of its partition that are decided before it
    std::chrono::milliseconds estimated_wait{};
};

/// A command to submit; copied before submit() returns.
struct Submission {
    Command command;  ///< id, id_text, type, target, key, data, requested_at, deadline, traceparent
    bool fresh_id = false;  ///< the id was just made by us: nothing can be known of it
    /// Refused as overloaded where the line ahead would take longer; none: any place will do.
    std::optional<std::chrono::milliseconds> patience;
};

/// Asks the gate, writes to the log, remembers who waits, answers. Threads: any.
class Requester {
public:
    virtual ~Requester() = default;
    /// Submission i is answered to `sink` under first_tag + i exactly once, perhaps before this
    /// returns; `sink` lives until then. The stop of the node answers all that still wait.
    virtual void submit(std::span<const Submission>, std::uint64_t first_tag, ReplySink& sink) = 0;
    /// In line through this process and not yet decided.
    virtual std::optional<InLine> in_line(const Uuid& id) = 0;
    /// How many commands are.
    virtual std::size_t count_in_line() = 0;
    /// The recorded outcome of an id, asked of the store on the reader's thread. Answer: a
    /// Settlement (first = false), or Error not_found (no record), overloaded, io.
    virtual void look_up(const Uuid& id, std::uint64_t tag, ReplySink& sink) = 0;
};

}  // namespace penstock
