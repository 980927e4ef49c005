#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "penstock/base/random.h"
#include "penstock/core/decide.h"
#include "penstock/core/handler.h"
#include "penstock/log/log.h"
#include "penstock/store/store.h"

namespace penstock {

/// A partition's owner row as this process holds it.
struct Owned {
    TopicPartition at;
    Uuid log_uuid;
    Epoch epoch;
    std::uint64_t seq = 0;
    Offset next;                    ///< all below is applied
    std::uint32_t fingerprint = 0;  ///< of record next - 1; 0 if next is 0
    LogTime turn_time{};            ///< last reading of the clock
    GateCut gate;                   ///< as of the batch in hand
    LayoutId layout;                ///< of the topic's partition count
};

/// Where a batch takes its partition.
struct Advance {
    Offset next;
    std::uint32_t fingerprint;
    LogTime turn_time;
};

/// Whose rows these are. `alone`: no other process can have the store, so that what a former one
/// left behind is nobody's.
struct Owner {
    std::string group;
    Uuid member;
    bool alone = true;
};

/// A condition on penstock_owner: in `column` stands :member, nobody, or one whose lease is over.
/// Who is alone needs none.
std::string if_free(std::string_view column, const Owner& owner, const Dialect& dialect);

/// :grp, :topic, :part of its rows. Borrows from both.
std::vector<Value> owner_key(const Owner& owner, const TopicPartition& at);

/// The owner rows of one session. Every statement of fencing stands here.
class Ownership {
public:
    explicit Ownership(Owner owner) : owner_(std::move(owner)) {}

    Result<void> prepare(Session& session, const Dialect& dialect);
    /// The row, where it is not there yet; in the caller's transaction.
    Result<void> make(Session& session, const TopicPartition& at, const Uuid& log_uuid);
    /// One short transaction: lock the row that make() left, epoch + 1. `fresh`: it is the first
    /// owner ever. in_use: another member that is alive has it.
    Result<Owned> take(Session& session, const TopicPartition& at, bool* fresh);
    /// After the batch in hand: others may take it at once. Done, too, if another has it already.
    Result<void> give_up(Session& session, const Owned& owned);
    /// First statement of a batch: only the owner of this epoch and seq passes (else fenced), and
    /// the batch's progress is written with it. Call keep() after the commit.
    Result<void> fence(Session& session, const Owned& owned, const Advance& advance);
    /// After fence(), under its lock.
    Result<GateCut> gate_cut(Session& session, const TopicPartition& at);
    static void keep(Owned& owned, const Advance& advance);
    /// After a COMMIT of unknown outcome, under a lock: true if the batch that fenced with `owned`
    /// was committed, false if not; fenced if somebody else owns it now.
    Result<bool> was_committed(Session& session, const Owned& owned);
    /// After `fenced`: is it still this one's?
    Result<bool> still_owns(Session& session, const Owned& owned);
    /// The server's name of the session that holds the row, for Store::end_session(); may be empty.
    Result<std::string> session_of(Session& session, const TopicPartition& at);

private:
    Result<Rows> read_locked(Session& session, const TopicPartition& at);
    std::vector<Value> key_of(const TopicPartition& at) const { return owner_key(owner_, at); }

    const Owner owner_;
    StatementId select_{}, insert_{}, take_{}, give_up_{}, fence_{}, gate_cut_{}, session_of_{};
};

/// How far each partition is applied, for the log's check of itself before it opens; empty on a
/// fresh store. The tables are there.
Result<std::map<TopicPartition, Owned>> read_owned(Store& store, const std::string& group);

}  // namespace penstock
