#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "penstock/core/command.h"
#include "penstock/core/decide.h"
#include "penstock/core/outcome.h"
#include "penstock/store/store.h"

namespace penstock {

/// A recorded outcome.
struct Recorded {
    Hash128 body;
    Outcome outcome;
    Offset offset;
    LogTime decided_at{};
};

/// One row to record.
struct OutcomeRow {
    Uuid id;
    Hash128 body;
    const Outcome* outcome;
    const TopicPartition* at;
    Offset offset;
    LogTime decided_at{};
};

struct DeadRow {
    const TopicPartition* at;
    Offset offset;
    std::optional<Uuid> id;
    std::string_view type;
    std::optional<Bytes> key, value;
    std::string_view cause;
    LogTime decided_at{};
};

/// The table of processed ids and the one of dead letters, through one session.
class Outcomes {
public:
    Result<void> prepare(Session& session, const Dialect& dialect);
    /// For each id: the body hash it was recorded with, if it was. `ids` sorted.
    Result<void> seen(Session& session, std::span<const Uuid> ids,
                      std::span<std::optional<Seen>> found);
    /// The whole outcome of one id.
    Result<std::optional<Recorded>> find(Session& session, const Uuid& id);
    /// `rows` sorted by id. Error constraint: an id is on record already.
    Result<void> record(Session& session, std::span<const OutcomeRow> rows);
    Result<void> record_dead(Session& session, const DeadRow& row);
    /// Forgets up to `limit` rows decided before `before`, looking from `cursor` on; moves it, back
    /// to the start at the end of the table. Returns how many were forgotten.
    Result<std::size_t> prune(Session& session, Uuid& cursor, LogTime before, std::size_t limit);

private:
    StatementId seen_{}, find_{}, record_{}, dead_{}, walk_{}, forget_{};
    std::vector<Value> values_;
};

/// For readers: what is recorded of each id, in one question; the statement is prepared in the
/// session's cache. `ids` sorted, each once.
Result<std::vector<std::optional<Recorded>>> find_outcomes(Session& reader,
                                                           std::span<const Uuid> ids);

}  // namespace penstock
