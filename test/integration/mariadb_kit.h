#pragma once

#include <memory>
#include <string>
#include <vector>

#include "penstock/store/mariadb/connection.h"
#include "penstock/store/mariadb/mariadb_store.h"
#include "test/kit/engines.h"

namespace penstock::test {

/// A MariaDB server of a test program. Threads: one.
class MariadbServer {
public:
    explicit MariadbServer(const Engines::Options& options = {});

    /// The one that most tests share.
    static MariadbServer& shared();

    int port() const { return at_.port; }
    std::string new_database();
    std::string url(const std::string& database, int port = 0,
                    const std::string& account = "root") const;
    /// As root, on a connection of its own.
    std::vector<std::vector<std::string>> ask(const std::string& sql,
                                              const std::string& database = "penstock") const;
    void kill();
    void restart();

private:
    Engines engines_;
    EngineAt at_;
};

std::unique_ptr<MariadbStore> open_store(MariadbOptions options);
std::unique_ptr<Session> open_session(Store& store, Role role = Role::owner,
                                      SessionLimits limits = {});

/// The statement's rows; a failed call fails the test.
Rows run_sql(Session& session, const std::string& sql, const std::vector<Value>& values = {});
Rows run_sql_many(Session& session, const std::string& sql, const std::vector<Value>& rows);
/// The error that is expected.
Error sql_error(Session& session, const std::string& sql, const std::vector<Value>& values = {});
/// The first cell, in a transaction of its own.
std::int64_t number(Session& session, const std::string& sql);

}  // namespace penstock::test
