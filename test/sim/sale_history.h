#pragma once

#include <map>
#include <string>
#include <vector>

#include "test/sim/claims.h"

namespace penstock::test {

/// What callers asked and were told, id by id; it outlives every crash. Says at once when two
/// answers for one id contradict each other. Threads: one.
class SaleHistory {
public:
    struct Told {
        ClaimForm claim;
        std::string settled;            ///< settled_bytes() of the first such answer
        std::uint32_t attempts = 0;     ///< begun
        std::uint32_t definite_no = 0;  ///< attempts that certainly wrote no record
    };

    void asked(const ClaimForm& claim);
    /// A contradiction, or empty.
    std::string answered(const ClaimForm& claim, const Answered& answer);

    const std::map<std::string, Told>& by_id() const { return by_id_; }
    std::size_t settled() const { return settled_; }

private:
    std::map<std::string, Told> by_id_;
    std::size_t settled_ = 0;
};

/// Units that a campaign must have granted in the end, and the limit of each user.
struct Expected {
    std::uint64_t granted = 0;
    std::optional<std::uint32_t> per_user;
};

/// The invariants I1 to I7 of a node at rest: what callers were told, the log, the store and the
/// gate agree. Returns what does not hold.
std::vector<std::string> check_sale(const SaleHistory& history,
                                    const std::map<std::string, Expected>& campaigns, Log& log,
                                    Store& store, Gate& gate);

/// Of these, only that what callers were told is still there, of a node in any state.
std::vector<std::string> check_told(const SaleHistory& history, Log& log, Store& store);

}  // namespace penstock::test
