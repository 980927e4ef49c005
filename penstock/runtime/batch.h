#pragma once

#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "penstock/base/time.h"
#include "penstock/core/decide.h"
#include "penstock/core/handler.h"
#include "penstock/runtime/outcomes.h"
#include "penstock/runtime/ownership.h"

namespace penstock {

/// A record in hand and what became of it. Borrowed from the poll that brought it.
struct Item {
    const Logged* record = nullptr;
    Owned* owned = nullptr;         ///< its partition
    std::string_view default_type;  ///< of its topic; may be empty
    Command command;
    Hash128 body{};
    Step step = Step::run;
    bool decodable = false;
    bool failed_alone = false;  ///< `cause` is what its statements said: it is not run again
    std::string cause;          ///< why it goes to the dead letters; empty: it does not
    Outcome outcome;            ///< run, expired, duplicate: what its caller gets
};

/// How a handler is found, and what every partition knows of itself.
struct BatchRules {
    const std::unordered_map<std::string_view, const Route*>* routes;
    std::chrono::milliseconds dedup_horizon{};
    Owner owner;
};

/// Why a batch did not happen.
struct BatchFailure {
    Error error;
    bool handlers = false;  ///< the statement of a handler failed: perhaps a command's own fault
    bool guessed = false;   ///< things were taken for granted; the next run asks the store
};

/// One transaction for commands in log order: fence, decide, run, record. Threads: the lane's.
class Batch {
public:
    Batch(Session& session, const Dialect& dialect, BatchRules rules)
        : session_(session),
          dialect_(dialect),
          rules_(std::move(rules)),
          ownership_(rules_.owner) {}

    Result<void> prepare();
    /// Reads the records of a poll; once per poll.
    static void decode(std::span<Item> items);
    /// Everything for these items in one transaction, up to and without the commit. `items` are
    /// neighbours in their partitions. nullopt: ready to commit. `turn`: the last reading of the
    /// clock; it is read once, when the store has let the transaction in, so that a wait for it
    /// does not make late commands look early.
    std::optional<BatchFailure> run(std::span<Item> items, Clock& clock, LogTime& turn);
    /// After the commit: the partitions move on.
    void keep();
    /// After a COMMIT of unknown outcome and a reconnect: was it done?
    Result<bool> was_committed();
    Result<Owned> take(const TopicPartition& at, bool* fresh) {
        return ownership_.take(session_, at, fresh);
    }
    Result<void> give_up(const Owned& owned) { return ownership_.give_up(session_, owned); }
    Result<bool> still_owns(const Owned& owned) { return ownership_.still_owns(session_, owned); }
    Result<std::string> session_of(const TopicPartition& at) {
        return ownership_.session_of(session_, at);
    }
    Result<std::size_t> prune(Uuid& cursor, LogTime before, std::size_t limit) {
        return outcomes_.prune(session_, cursor, before, limit);
    }

private:
    struct Move {
        Owned* owned;
        Advance advance;
    };

    void plan_moves(std::span<Item> items, LogTime now);
    Result<void> fence();
    Result<void> decide_all(std::span<Item> items, LogTime now);
    bool decide_each(LogTime now);
    void settle_known(Item& item) const;
    Result<void> run_handlers(std::span<Item> items, LogTime now, bool* handlers);
    Result<void> run_neighbours(const Route& route, const Turn& turn);
    Result<void> record(std::span<Item> items, LogTime now);
    Result<void> load_duplicates(std::span<Item> items);
    const Route* route_of(const Item& item) const;

    Session& session_;
    const Dialect& dialect_;
    const BatchRules rules_;
    Ownership ownership_;
    Outcomes outcomes_;
    std::size_t all_new_ = 0;  // batches in a row without an id that was on record
    bool guess_ = false;       // this batch takes things for granted

    // Lent to each batch, so that none allocates anew.
    std::vector<Move> moves_;
    std::vector<Item*> by_id_;  // decodable ones, sorted by id and log order
    std::vector<Uuid> ids_;
    std::vector<std::optional<Seen>> seen_;
    std::vector<Item*> neighbours_;
    std::vector<Command> commands_;
    std::vector<Verdict> verdicts_;
    std::vector<OutcomeRow> rows_;
};

}  // namespace penstock
