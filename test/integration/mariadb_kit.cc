#include "test/integration/mariadb_kit.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <stdexcept>

namespace penstock::test {

MariadbServer::MariadbServer(const Engines::Options& options)
    : at_(engines_.start("mariadb", "mariadb", options)) {}

MariadbServer& MariadbServer::shared() {
    static MariadbServer server;
    return server;
}

std::string MariadbServer::new_database() {
    static int made = 0;
    const std::string name = fmt::format("test_{}", ++made);
    ask("CREATE DATABASE " + name + " CHARACTER SET utf8mb4");
    return name;
}

std::string MariadbServer::url(const std::string& database, int port,
                               const std::string& account) const {
    return fmt::format("mariadb://{}@127.0.0.1:{}/{}", account, port == 0 ? at_.port : port,
                       database);
}

std::vector<std::vector<std::string>> MariadbServer::ask(const std::string& sql,
                                                         const std::string& database) const {
    const MariadbOptions options;
    const auto endpoint = mariadb::parse_endpoint(url(database));
    mariadb::Connection connection(options, *endpoint, {});
    if (const auto open = connection.open(Role::owner); !open) {
        throw std::runtime_error(open.error().text);
    }
    auto rows = connection.query(sql);
    if (!rows) throw std::runtime_error(rows.error().text);
    return *std::move(rows);
}

void MariadbServer::kill() {
    engines_.kill(at_.name);
}

void MariadbServer::restart() {
    at_ = engines_.restart(at_.name);
}

std::unique_ptr<MariadbStore> open_store(MariadbOptions options) {
    auto store = MariadbStore::open(std::move(options), system_env());
    EXPECT_TRUE(store) << store.error().text;
    return store ? *std::move(store) : nullptr;
}

std::unique_ptr<Session> open_session(Store& store, Role role, SessionLimits limits) {
    auto session = store.open(role, limits);
    EXPECT_TRUE(session) << session.error().text;
    return session ? *std::move(session) : nullptr;
}

Rows run_sql_many(Session& session, const std::string& sql, const std::vector<Value>& rows) {
    const auto id = session.prepare(sql);
    EXPECT_TRUE(id) << id.error().text;
    if (!id) return {};
    auto result = session.run_many(*id, rows);
    EXPECT_TRUE(result) << sql << ": " << result.error().text;
    return result ? *std::move(result) : Rows{};
}

Rows run_sql(Session& session, const std::string& sql, const std::vector<Value>& values) {
    return run_sql_many(session, sql, values);
}

Error sql_error(Session& session, const std::string& sql, const std::vector<Value>& values) {
    const auto id = session.prepare(sql);
    if (!id) return id.error();
    const auto result = session.run_many(*id, values);
    EXPECT_FALSE(result) << sql;
    return result ? Error{} : result.error();
}

std::int64_t number(Session& session, const std::string& sql) {
    EXPECT_TRUE(session.begin());
    const Table table = run_sql(session, sql).table;
    session.rollback();
    return table.rows() == 0 ? -1 : table.integer(0, 0);
}

}  // namespace penstock::test
