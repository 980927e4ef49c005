#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "penstock/base/random.h"
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
};

/// Where a batch takes its partition.
struct Advance {
    Offset next;
    std::uint32_t fingerprint;
    LogTime turn_time;
};

/// The owner rows of one session. Every statement of fencing stands here.
class Ownership {
public:
    explicit Ownership(std::string group) : group_(std::move(group)) {}

    Result<void> prepare(Session& session, const Dialect& dialect);
    /// One short transaction: lock or make the row, epoch + 1. `fresh`: the row was made now.
    Result<Owned> take(Session& session, const TopicPartition& at, const Uuid& log_uuid,
                       bool* fresh);
    /// First statement of a batch: only the owner of this epoch and seq passes (else fenced), and
    /// the batch's progress is written with it. Call keep() after the commit.
    Result<void> fence(Session& session, const Owned& owned, const Advance& advance);
    static void keep(Owned& owned, const Advance& advance);
    /// After a COMMIT of unknown outcome, under a lock: true if the batch that fenced with `owned`
    /// was committed, false if not; fenced if somebody else owns it now.
    Result<bool> was_committed(Session& session, const Owned& owned);

private:
    Result<Rows> read_locked(Session& session, const TopicPartition& at);

    const std::string group_;
    StatementId select_{}, insert_{}, take_{}, fence_{};
};

/// How far each partition is applied, for the log's check of itself before it opens. Makes the
/// runtime's tables where there are none. Empty on a fresh store.
Result<std::map<TopicPartition, Owned>> read_owned(Store& store, const std::string& group);

}  // namespace penstock
