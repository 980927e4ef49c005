#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "penstock/base/env.h"
#include "penstock/store/mariadb/endpoint.h"
#include "penstock/store/mariadb/mariadb_dialect.h"
#include "penstock/store/store.h"

namespace penstock {

struct MariadbOptions {
    /// mariadb://user:password@host:port/database. TCP; the password is shown nowhere.
    std::string url;
    /// A connection that is not there after this time is given up.
    std::chrono::seconds connect_time{5};
    /// A server that says nothing for so long is taken for gone: more than the longest statement;
    /// at least twice SessionLimits::busy.
    std::chrono::seconds reply_time{30};
    std::uint32_t writers = 2;
    /// Settings of the server that may lose a commit with the power are let pass.
    bool accept_data_loss = false;
#if PENSTOCK_FAILPOINTS
    /// CLIENT_FOUND_ROWS. False only for a test that must fail: `matched` then counts changed rows.
    bool found_rows = true;
#endif
};

/// A database of a MariaDB server, 10.6 or newer (DDL is atomic from there), on InnoDB.
/// Sessions: READ COMMITTED, strict sql_mode, prepared statements on the server, no option file
/// read. An owner's open transaction is ended by the server after SessionLimits::idle_transaction;
/// that and `busy` count in whole seconds here, rounded up, at least one. A reader holds no lock
/// and is not watched. Outlives its sessions. Threads: any.
class MariadbStore final : public Store {
public:
    /// Connects once. invalid: the url, the account or the database; unreachable: names host and
    /// port; too_new or unsafe: not a MariaDB server that this was tested with.
    static Result<std::unique_ptr<MariadbStore>> open(MariadbOptions options, Env& env);

    std::string about() const override { return about_; }
    const Dialect& dialect() const override { return dialect_; }
    /// DDL commits by itself on MariaDB, so each step is noted before it is taken: after a crash
    /// the next call goes on where this one ended. One process at a time, under GET_LOCK.
    Result<void> prepare_schema(std::span<const Migration> migrations) override;
    Result<std::unique_ptr<Session>> open(Role role, const SessionLimits& limits) override;
    std::uint32_t writers() const override { return options_.writers; }
    Result<void> end_session(std::string_view server_id) override;

private:
    MariadbStore(Env& env, MariadbOptions options, mariadb::Endpoint endpoint);

    Env& env_;
    const MariadbOptions options_;
    const mariadb::Endpoint endpoint_;
    const MariadbDialect dialect_;
    std::string about_;  ///< constant after open()
};

}  // namespace penstock
