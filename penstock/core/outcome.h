#pragma once

#include <string>
#include <variant>
#include <vector>

namespace penstock {

/// Published after the commit, through the outbox, in order per key.
struct Event {
    std::string type;
    std::string key;
    std::string data;  ///< JSON
};

/// The command took effect. `reply` is what its caller gets, the same bytes for ever.
struct Done {
    std::string reply;  ///< JSON
    std::vector<Event> events;
};

/// Final for this id; no effect. `reason` is a stable code, `text` is for people.
struct Refused {
    std::string reason;
    std::string text;
};

/// The handler cannot say: undo, dead letter, and Refused{"failed"} to the caller.
struct Failed {
    std::string why;
};

/// What a handler says of one command.
using Verdict = std::variant<Done, Refused, Failed>;

/// What is recorded for an id and never changes.
using Outcome = std::variant<Done, Refused>;

// Reasons of the runtime itself.
inline constexpr const char* kReasonExpired = "expired";
inline constexpr const char* kReasonFailed = "failed";
inline constexpr const char* kReasonUnknownType = "unknown_type";

}  // namespace penstock
