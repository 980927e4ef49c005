#pragma once

#include <map>
#include <string>
#include <vector>

#include "penstock/store/postgres/connection.h"
#include "penstock/store/postgres/plan.h"

namespace penstock::postgres {

/// A Session on one connection. BEGIN and SAVEPOINT go out with the statement that follows them.
/// Threads: one.
class PostgresSession final : public Session {
public:
    PostgresSession(const PostgresOptions& options, Env& env, Role role,
                    const SessionLimits& limits);
    Result<void> open();

    Result<StatementId> prepare(std::string_view sql) override;
    Result<void> begin() override;
    std::size_t run(std::span<const Call> calls, std::span<Result<Rows>> out) override;
    Result<Rows> run_many(StatementId id, std::span<const Value> rows) override;
    Result<void> savepoint() override;
    Result<void> rollback_to_savepoint() override;
    Result<void> commit() override;
    void rollback() noexcept override;
    Result<void> reconnect() override;
    std::string server_id() const override { return server_id_; }

private:
    const Plan& plan_of(StatementId id) const;
    Result<void> check_open() const;
    Result<void> check_running() const;
    /// Queues what has to go before the next statement; returns how many questions that are.
    std::size_t ask_waiting();
    Result<void> waiting_done(std::size_t count);
    Result<void> order(const char* sql);
    Error failed(Error failure) const;
    Error failed(const Answer& answer, const Plan& plan) const;
    Result<void> run_piece(const Plan& plan, std::span<const Value> rows, Rows& into);
    Result<void> run_at_once(const Plan& plan, std::span<const Value> rows, Rows& into);
    Result<void> committed(const Answer& answer);

    const Role role_;
    const SessionLimits limits_;
    Connection connection_;
    std::string server_id_;
    bool open_ = false;       // between begin() and commit() or rollback()
    bool begun_ = false;      // the server has heard of it
    bool savepoint_ = false;  // one stands, or goes out with the next statement
    std::vector<const char*> waiting_;
    std::vector<Plan> plans_;  // by StatementId
    std::map<std::string, StatementId, std::less<>> ids_;
    Parameters parameters_;
};

}  // namespace penstock::postgres
