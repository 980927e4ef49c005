#include "penstock/store/postgres/postgres_session.h"

#include <fmt/format.h>

#include <algorithm>

#include "penstock/store/postgres/settings.h"
#include "penstock/store/postgres/sqlstate.h"

namespace penstock::postgres {
namespace {

constexpr const char* kBegin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
constexpr const char* kBeginSnapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
constexpr const char* kSavepoint = "SAVEPOINT penstock";
constexpr const char* kRelease = "RELEASE SAVEPOINT penstock";
// Rows that are run one by one in one trip; bounds what waits in memory on both sides.
constexpr std::size_t kPiece = 512;

Rows rows_of(const Answer& answer) {
    Rows rows;
    name_columns(answer.get(), rows.table);
    add_rows(answer.get(), rows.table);
    rows.matched = matched_by(answer.get());
    return rows;
}

void add_to(Rows& rows, const Answer& answer) {
    if (rows.table.names().empty()) name_columns(answer.get(), rows.table);
    add_rows(answer.get(), rows.table);
    rows.matched += matched_by(answer.get());
}

}  // namespace

PostgresSession::PostgresSession(const PostgresOptions& options, Env& env, Role role,
                                 const SessionLimits& limits)
    : role_(role), limits_(limits), connection_(options, env) {}

Result<void> PostgresSession::open() {
    PENSTOCK_TRY(connection_.open(limits_));
    auto id = configure(connection_, role_, limits_);
    if (!id) {
        connection_.close();
        return id.error();
    }
    server_id_ = *std::move(id);
    return {};
}

Result<StatementId> PostgresSession::prepare(std::string_view sql) {
    if (const auto found = ids_.find(sql); found != ids_.end()) return found->second;
    PENSTOCK_TRY(check_open());
    const StatementId id(static_cast<std::uint32_t>(plans_.size()));
    auto plan = Plan::make(connection_, fmt::format("penstock_{}", id.value()), sql, !begun_);
    if (!plan) {
        Error failure = std::move(plan).error();
        // What the server refuses inside a transaction takes it along.
        if (begun_ && connection_.is_open() && connection_.transaction() == PQTRANS_INERROR) {
            return failed(std::move(failure));
        }
        return failure;
    }
    plans_.push_back(*std::move(plan));
    ids_.emplace(std::string(sql), id);
    return id;
}

const Plan& PostgresSession::plan_of(StatementId id) const {
    PENSTOCK_CHECK(id.value() < plans_.size());
    return plans_[id.value()];
}

Result<void> PostgresSession::check_open() const {
    if (connection_.is_open()) return {};
    Error gone = error(Code::unreachable, "the session is closed; reconnect it");
    gone.lost = Lost::session;
    return gone;
}

/// The transaction that began is still the one we are in.
Result<void> PostgresSession::check_running() const {
    PENSTOCK_TRY(check_open());
    if (!begun_ || connection_.transaction() == PQTRANS_INTRANS) return {};
    Error gone = error(Code::conflict, "the transaction was lost by an earlier error; roll back");
    gone.lost = Lost::transaction;
    return gone;
}

/// Every error of a statement takes the transaction, unless a savepoint stands behind it.
Error PostgresSession::failed(Error failure) const {
    const Lost least = savepoint_ ? Lost::statement : Lost::transaction;
    failure.lost = std::max(failure.lost, least);
    return failure;
}

Error PostgresSession::failed(const Answer& answer, const Plan& plan) const {
    return failed(error_of(answer.get(), plan.sql()));
}

Result<void> PostgresSession::begin() {
    PENSTOCK_CHECK(!open_);
    PENSTOCK_TRY(check_open());
    waiting_.clear();
    savepoint_ = false;
    begun_ = false;
    if (role_ == Role::owner) {
        waiting_.push_back(kBegin);
        open_ = true;
        return {};
    }
    // The first query fixes the snapshot; BEGIN alone does not.
    connection_.ask(kBeginSnapshot);
    connection_.ask("SELECT 1");
    open_ = begun_ = true;
    auto done = connection_.trip();
    if (done) done = waiting_done(2);
    if (!done) rollback();
    return done;
}

std::size_t PostgresSession::ask_waiting() {
    for (const char* sql : waiting_) connection_.ask(sql);
    begun_ = true;
    return std::exchange(waiting_, {}).size();
}

/// The first `count` answers are those of ask_waiting().
Result<void> PostgresSession::waiting_done(std::size_t count) {
    const auto answers = connection_.answers();
    for (std::size_t i = 0; i < count; ++i) {
        PENSTOCK_CHECK(i < answers.size());
        if (succeeded(answers[i])) continue;
        Error failure = error_of(answers[i].get(), "cannot begin");
        failure.lost = std::max(failure.lost, Lost::transaction);
        return failure;
    }
    return {};
}

std::size_t PostgresSession::run(std::span<const Call> calls, std::span<Result<Rows>> out) {
    PENSTOCK_CHECK(open_ && out.size() >= calls.size());
    if (calls.empty()) return 0;
    const auto stop = [&](std::size_t at, Error failure) {
        out[at] = std::move(failure);
        return at + 1;
    };
    if (auto running = check_running(); !running) return stop(0, running.error());
    const std::size_t before = ask_waiting();
    std::size_t asked = 0;
    Result<void> fit;  // a value that does not fit is not sent; those before it are run
    while (asked < calls.size() && fit) {
        const Plan& plan = plan_of(calls[asked].statement);
        PENSTOCK_CHECK(calls[asked].parameters.size() == plan.width());
        fit = plan.ask_one(connection_, calls[asked].parameters, parameters_);
        if (fit) ++asked;
    }
    const auto done = connection_.trip();
    if (!done && connection_.answers().size() <= before) return stop(0, done.error());
    if (auto waited = waiting_done(before); !waited) return stop(0, waited.error());
    const auto answers = connection_.answers().subspan(before);
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (!succeeded(answers[i])) {
            return stop(i, failed(answers[i], plan_of(calls[i].statement)));
        }
        out[i] = rows_of(answers[i]);
    }
    // The connection broke: what it brought before does not outlive it.
    if (!done) return stop(std::min(answers.size(), calls.size() - 1), done.error());
    if (!fit) return stop(asked, fit.error());
    if (auto running = check_running(); !running) return stop(asked - 1, running.error());
    return asked;
}

Result<Rows> PostgresSession::run_many(StatementId id, std::span<const Value> rows) {
    PENSTOCK_CHECK(open_);
    const Plan& plan = plan_of(id);
    const std::size_t width = plan.width();
    PENSTOCK_CHECK(width == 0 ? rows.empty() : rows.size() % width == 0);
    PENSTOCK_TRY(check_running());
    Rows result;
    if (width != 0 && rows.empty()) return result;
    if (plan.takes_many() && rows.size() > width) {
        PENSTOCK_TRY(run_at_once(plan, rows, result));
        return result;
    }
    do {
        const auto piece = rows.first(std::min(rows.size(), kPiece * width));
        PENSTOCK_TRY(run_piece(plan, piece, result));
        rows = rows.subspan(piece.size());
    } while (!rows.empty());
    return result;
}

/// As one statement with an array for each parameter.
Result<void> PostgresSession::run_at_once(const Plan& plan, std::span<const Value> rows,
                                          Rows& into) {
    const std::size_t before = ask_waiting();
    auto fit = plan.ask_many(connection_, rows, parameters_);
    PENSTOCK_TRY(connection_.trip());
    PENSTOCK_TRY(waiting_done(before));
    if (!fit) return fit;
    const Answer& answer = connection_.answers()[before];
    if (!succeeded(answer)) return failed(answer, plan);
    into = rows_of(answer);
    return check_running();
}

/// One after the other in one trip.
Result<void> PostgresSession::run_piece(const Plan& plan, std::span<const Value> rows, Rows& into) {
    const std::size_t width = plan.width();
    const std::size_t count = width == 0 ? 1 : rows.size() / width;
    const std::size_t before = ask_waiting();
    Result<void> fit;
    for (std::size_t row = 0; row < count && fit; ++row) {
        fit = plan.ask_one(connection_, rows.subspan(row * width, width), parameters_);
    }
    PENSTOCK_TRY(connection_.trip());
    PENSTOCK_TRY(waiting_done(before));
    for (const Answer& answer : connection_.answers().subspan(before)) {
        if (!succeeded(answer)) return failed(answer, plan);
        add_to(into, answer);
    }
    if (!fit) return fit;
    return check_running();
}

Result<void> PostgresSession::savepoint() {
    PENSTOCK_CHECK(open_);
    PENSTOCK_TRY(check_running());
    const bool waits = !waiting_.empty() && waiting_.back() == kSavepoint;
    if (waits) return {};
    if (savepoint_) waiting_.push_back(kRelease);
    waiting_.push_back(kSavepoint);
    savepoint_ = true;
    return {};
}

Result<void> PostgresSession::rollback_to_savepoint() {
    PENSTOCK_CHECK(open_ && savepoint_);
    PENSTOCK_TRY(check_open());
    if (!waiting_.empty()) return check_running();  // nothing was done since
    return order("ROLLBACK TO SAVEPOINT penstock");
}

/// One statement of ours; after it the transaction must stand.
Result<void> PostgresSession::order(const char* sql) {
    connection_.ask(sql);
    PENSTOCK_TRY(connection_.trip());
    const Answer& answer = connection_.answers().front();
    if (!succeeded(answer)) {
        Error failure = error_of(answer.get(), sql);
        failure.lost = std::max(failure.lost, Lost::transaction);
        return failure;
    }
    return check_running();
}

Result<void> PostgresSession::commit() {
    PENSTOCK_CHECK(open_);
    PENSTOCK_TRY(check_running());
    if (!begun_) {
        open_ = false;  // nothing was run
        return {};
    }
    connection_.ask("COMMIT");
    auto done = connection_.trip();
    if (done) return committed(connection_.answers().front());
    // Sent, perhaps, and perhaps done.
    Error failure = std::move(done).error();
    failure.effect = Effect::unknown;
    failure.lost = Lost::session;
    return failure;
}

/// The server answered a COMMIT. An ERROR, and the word ROLLBACK, mean that it rolled back: behind
/// the commit record an error would be a PANIC.
Result<void> PostgresSession::committed(const Answer& answer) {
    Error failure = error(Code::conflict, "the server rolled back instead of the commit");
    if (succeeded(answer)) {
        if (std::string_view(PQcmdStatus(answer.get())) == "COMMIT") {
            open_ = begun_ = false;
            return {};
        }
    } else {
        failure = error_of(answer.get(), "commit");
    }
    failure.lost = std::max(failure.lost, Lost::transaction);
    if (failure.lost == Lost::session) {
        failure.effect = Effect::unknown;
        connection_.close();
    }
    return failure;
}

void PostgresSession::rollback() noexcept {
    open_ = false;
    savepoint_ = false;
    waiting_.clear();
    if (!std::exchange(begun_, false) || !connection_.is_open()) return;
    if (connection_.transaction() == PQTRANS_IDLE) return;
    connection_.ask("ROLLBACK");
    const auto done = connection_.trip();
    // What is not clean now is thrown away; the next begin() says so.
    if (done && connection_.transaction() != PQTRANS_IDLE) connection_.close();
}

Result<void> PostgresSession::reconnect() {
    open_ = begun_ = savepoint_ = false;
    waiting_.clear();
    const auto again = [this]() -> Result<void> {
        PENSTOCK_TRY(open());
        for (Plan& plan : plans_) PENSTOCK_TRY(plan.make_again(connection_));
        return {};
    };
    auto done = again();
    if (done) return {};
    connection_.close();
    Error failure = std::move(done).error();
    failure.lost = Lost::session;
    return failure;
}

}  // namespace penstock::postgres
