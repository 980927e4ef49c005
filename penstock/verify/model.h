#pragma once

#include <map>
#include <optional>
#include <string>

#include "penstock/verify/body.h"
#include "penstock/verify/entry.h"

namespace penstock::verify {

/// A campaign as the log tells it.
struct Campaign {
    CampaignBody body;
    std::int64_t granted = 0;
    bool closed = false;
    bool adopted = false;       ///< created in the part of the log that retention let go
    bool maybe_closed = false;  ///< the close cannot be read any more, or its outcome is forgotten
    std::int64_t created_at_ms = 0;
    std::int64_t created_offset = 0;
    bool seen_in_store = false;  ///< set by the comparison at the end
};

/// What the model says of a claim: units, from `position` on.
struct Granted {
    std::int64_t position = 0;
    std::int64_t quantity = 0;
    std::string user_id;
};

/// What must be recorded for a command.
struct Expected {
    bool done = false;
    std::string reason;  ///< of a refusal
    /// Exact bytes; none: a text for people that the model does not foretell.
    std::optional<std::string> reply;
    std::optional<Granted> granted;
};

/// The sale's rules, for one command after the other in the order of the log.
class Model {
public:
    /// `decided_at_ms`: as recorded. `held`: units that the user has already, if there is a limit.
    /// `claim`: the body of a claim that could be read.
    Expected decide(const Entry& entry, std::int64_t decided_at_ms, const ClaimBody* claim,
                    std::int64_t held);
    void apply(const Entry& entry, const Expected& expected, std::int64_t decided_at_ms);

    std::map<std::string, Campaign, std::less<>>& campaigns() { return campaigns_; }
    Campaign* find(std::string_view id);

private:
    Expected create(const Entry& entry);
    Expected close(const Entry& entry);
    Expected claim(const Entry& entry, const ClaimBody* claim, std::int64_t held);

    std::map<std::string, Campaign, std::less<>> campaigns_;
};

}  // namespace penstock::verify
