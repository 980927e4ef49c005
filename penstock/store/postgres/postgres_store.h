#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "penstock/base/env.h"
#include "penstock/store/postgres/postgres_dialect.h"
#include "penstock/store/store.h"

namespace penstock {

struct PostgresOptions {
    /// postgresql://user:password@host:port/database?parameters, as libpq takes it.
    std::string url;
    std::uint32_t writers = 2;  ///< owner sessions of this process
    /// For one host of the url; whole seconds.
    std::chrono::milliseconds connect_time{5'000};
    /// A server that says nothing for so long is taken for gone; at least twice
    /// SessionLimits::busy. It ends a statement itself after three quarters of that.
    std::chrono::milliseconds reply_time{30'000};
};

/// A database of PostgreSQL 12 or newer. Owners: READ COMMITTED; readers: REPEATABLE READ, READ
/// ONLY. A commit is on the server's disk when it returns: settings that break this are refused
/// with their name (unsafe) wherever an owner's session is opened.
/// An error takes the transaction unless a savepoint stands. Texts have no zero byte (invalid).
/// Outlives its sessions. Threads: any.
class PostgresStore final : public Store {
public:
    /// Connects once. invalid: the url; unreachable: names host and port, never the password;
    /// unsafe: the server's version, encoding or a setting.
    static Result<std::unique_ptr<PostgresStore>> open(PostgresOptions options, Env& env);

    const Dialect& dialect() const override { return dialect_; }
    Result<void> prepare_schema(std::span<const Migration> migrations) override;
    Result<std::unique_ptr<Session>> open(Role role, const SessionLimits& limits) override;
    std::uint32_t writers() const override { return options_.writers; }
    Result<void> end_session(std::string_view server_id) override;
    /// "PostgreSQL 15.18" and the library's, for what is shown at the start.
    std::string about() const override { return about_; }

private:
    PostgresStore(PostgresOptions options, Env& env);

    const PostgresOptions options_;
    Env& env_;
    const PostgresDialect dialect_;
    std::string about_;
};

}  // namespace penstock
