#pragma once

#include <libpq-fe.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "penstock/base/env.h"
#include "penstock/base/result.h"
#include "penstock/store/postgres/binary.h"
#include "penstock/store/postgres/postgres_store.h"

/// The C library behind types that close themselves. Internal to this folder.
namespace penstock::postgres {

struct FinishConnection {
    void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct ClearResult {
    void operator()(PGresult* result) const { PQclear(result); }
};
using Answer = std::unique_ptr<PGresult, ClearResult>;

bool succeeded(const Answer& answer);

/// invalid if the url is none. The error does not repeat the url: it may hold a password.
Result<void> check_url(const std::string& url);

/// One connection in pipeline mode: what is asked for collects, trip() sends it as one and brings
/// the answers. Threads: one; blocks.
class Connection {
public:
    Connection(const PostgresOptions& options, Env& env) : options_(options), env_(env) {}
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Connects (again). unreachable: nobody is there; invalid: the server is, and does not take
    /// the url's user, password or database; both name host and port. Both sides give up a silent
    /// line after about the limit on idle transactions.
    Result<void> open(const SessionLimits& limits);
    void close() { connection_.reset(); }
    bool is_open() const { return connection_ != nullptr; }
    /// After trip(): inside a transaction, in a failed one, in none.
    PGTransactionStatusType transaction() const { return PQtransactionStatus(connection_.get()); }
    /// Of this session: beyond the server's own limits on locks and statements.
    std::chrono::milliseconds reply_time() const { return reply_time_; }
    PGconn* get() const { return connection_.get(); }

    void ask(const char* sql);
    void ask_to_prepare(const std::string& name, const std::string& sql,
                        std::span<const Oid> types);
    void ask_to_describe(const std::string& name);
    void ask(const std::string& name, const Parameters& parameters);

    /// Brings an answer for each question, in order; behind one that failed the server does nothing
    /// more, so the rest is not there. An error is one of the connection, which is closed then
    /// (Lost::session): what was under way may have been done. The answers of before stand.
    Result<void> trip();
    std::span<Answer> answers() { return answers_; }
    /// One question and its answer; an error of the server is one, too.
    Result<Answer> query(const char* sql);

private:
    Result<void> read_answers(MonoTime& give_up);
    Result<void> wait(MonoTime& give_up);
    Result<Answer> next_answer(MonoTime& give_up);
    Error broken(std::string_view said);

    const PostgresOptions& options_;
    Env& env_;
    std::unique_ptr<PGconn, FinishConnection> connection_;
    std::chrono::milliseconds reply_time_{};
    std::size_t asked_ = 0;
    bool failed_ = false;  // a question could not be queued
    std::vector<Answer> answers_;
};

}  // namespace penstock::postgres
