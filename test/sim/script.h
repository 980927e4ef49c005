#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "test/kit/seeded_random.h"
#include "test/sim/claims.h"

namespace penstock::test {

/// A campaign that opens somewhere in the run.
struct Planned {
    std::string id;
    sale::Campaign campaign;
    std::size_t opens_at_claim = 0;  ///< before the claim of this number is made
    bool asked = false;              ///< somebody is creating it
    bool created = false;            ///< and was told so
};

/// What the callers of a simulation do, from the seed: campaigns and claims, some with deadlines,
/// several units or users at their limit, two in a hundred a repeat of an earlier one.
class Script {
public:
    explicit Script(std::uint64_t seed);

    /// A campaign that is due; the caller creates it.
    Planned* next_campaign();
    /// Nothing: all claims are made, or no campaign is open yet.
    std::optional<ClaimForm> next_claim(LogTime now);
    /// By somebody who was never seen before.
    ClaimForm claim_of_newcomer(const Planned& planned);
    bool over() const { return made_ >= claims_; }

    std::deque<Planned>& campaigns() { return campaigns_; }
    std::size_t claims() const { return claims_; }
    std::size_t units() const { return units_; }
    std::uint64_t below(std::uint64_t limit) { return dice_.below(limit); }

private:
    SeededRandom dice_;
    std::deque<Planned> campaigns_;
    std::vector<ClaimForm> earlier_;
    std::size_t units_ = 0, claims_ = 0, made_ = 0, newcomers_ = 0;
};

}  // namespace penstock::test
