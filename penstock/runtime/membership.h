#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "penstock/runtime/share.h"
#include "penstock/store/store.h"

namespace penstock {

/// An owner row as every member sees it.
struct SeenOwner {
    PartitionOwner partition;  ///< owner: only one that is alive
    Offset next;               ///< all below is applied
};

/// What a heartbeat finds.
struct MemberView {
    std::vector<Uuid> members;  ///< the living, sorted, me among them
    std::vector<SeenOwner> owners;
};

/// The member row of one process in the table of leases. A lease says who is alive, by the
/// database's clock; it is never what a write rests on (that is the epoch). Threads: one.
class Membership {
public:
    Membership(std::string group, Uuid me, std::chrono::milliseconds lease)
        : group_(std::move(group)), me_(me), lease_(lease) {}

    Result<void> prepare(Session& session, const Dialect& dialect);
    /// Renews the lease and looks around, in one transaction.
    Result<MemberView> beat(Session& session);
    /// Takes the rows of members away whose lease is over; true: some died that nobody else saw to.
    /// What they had admitted and not yet sent is nobody's then.
    Result<bool> bury_dead(Session& session);
    /// Others need not wait for the lease to end.
    Result<void> leave(Session& session);

private:
    Result<MemberView> renew_and_look(Session& session);

    const std::string group_;
    const Uuid me_;
    const std::chrono::milliseconds lease_;
    StatementId renew_{}, join_{}, bury_{}, members_{}, owners_{}, leave_{};
};

}  // namespace penstock
