#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "penstock/core/command.h"
#include "penstock/core/outcome.h"
#include "penstock/store/store.h"

namespace penstock {

using Epoch = StrongId<std::uint64_t, struct EpochTag>;

/// One reading of the clock per batch, stored with its outcomes; never goes down in a partition.
struct Turn {
    LogTime now;
    Epoch epoch;
    std::uint32_t attempt = 1;
    /// A handler may take for granted what nearly always is so, instead of asking the store, if a
    /// constraint of the store fails where it is not: the batch then runs again without guesses.
    bool guess = false;
};

/// What a handler may do in the lane's transaction. After the first error every call returns it:
/// the lane undoes the batch and runs it again, in smaller pieces if need be.
class Tx {
public:
    explicit Tx(Session& session) : session_(session) {}
    Result<Rows> run(StatementId statement, std::span<const Value> parameters);
    Result<Rows> run_many(StatementId statement, std::span<const Value> rows);
    const std::optional<Error>& failure() const { return failure_; }

private:
    Result<Rows> keep(Result<Rows> result);

    Session& session_;
    std::optional<Error> failure_;
};

/// The effect of commands, computed on the lane inside the store's transaction. Threads: the
/// lane's. Must not wait, see no clock and no chance, and keep nothing outside the store: a batch
/// may be run again from its start, with fewer commands.
class Handler {
public:
    virtual ~Handler() = default;
    /// Prepares statements; again after the session was opened anew.
    virtual Result<void> prepare(Session& session, const Dialect& dialect) = 0;
    /// One verdict per command, in order. Commands are neighbours of one type, 1 to widest().
    virtual void run(const Turn& turn, std::span<const Command> commands, Tx& tx,
                     std::span<Verdict> verdicts) = 0;
    virtual std::size_t widest() const { return 1; }
};

/// Who may enter the line: links a command type to the gate. Threads: any (const).
class GateLink {
public:
    struct Change {
        ResourceSpec spec;
        bool created;  ///< nobody holds any of it
    };
    virtual ~GateLink() = default;
    /// What to ask the gate for this command; none: no gate for it. Borrows from the command.
    virtual std::optional<Ask> ask(const Command& command) const = 0;
    /// All resources with their present spec, for a rebuild.
    virtual Result<std::vector<ResourceSpec>> resources(Session& session) const = 0;
    virtual Result<bool> exists(Session& session, std::string_view resource) const = 0;
    /// Who holds what of `resource`, which is not final, in pieces; the spans live during the call
    /// of `take` only.
    virtual Result<void> holdings(
        Session& session, const ResourceSpec& resource,
        const std::function<Result<void>(std::span<const Holding>)>& take) const = 0;
    /// The resource that this command, done, has created or altered.
    virtual std::optional<Change> changed(const Command& command, const Done& done) const = 0;
};

/// Everything the runtime knows of a command type.
struct Route {
    std::string type;
    std::string topic;
    Handler* handler = nullptr;      ///< outlives the runtime
    const GateLink* gate = nullptr;  ///< none: every command enters
};

/// A domain: its tables, types and topics as data.
class App {
public:
    virtual ~App() = default;
    virtual std::vector<Migration> migrations(const Dialect& dialect) const = 0;
    virtual std::vector<Route> routes() = 0;
    /// Type of records that carry none, per topic; empty: none.
    virtual std::string default_type(std::string_view topic) const = 0;
};

}  // namespace penstock
