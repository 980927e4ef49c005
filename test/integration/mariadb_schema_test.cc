// Servers, accounts, settings and schemas as they are found at start.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "test/integration/mariadb_kit.h"
#include "test/kit/fault_proxy.h"

namespace penstock::test {
namespace {

const std::vector<Migration> kMigrations = {
    {"first",
     1,
     {"CREATE TABLE one (id INTEGER PRIMARY KEY)", "CREATE TABLE two (id INTEGER PRIMARY KEY)",
      "INSERT INTO one VALUES (1)", "INSERT INTO two VALUES (2)",
      "CREATE INDEX two_index ON two (id)", "INSERT INTO one VALUES (3)"}},
    {"first", 2, {"ALTER TABLE one ADD COLUMN extra INTEGER", "UPDATE one SET extra = 7"}},
    {"second", 1, {"CREATE TABLE three (id INTEGER PRIMARY KEY)"}}};

/// The parts of a statement by which the proxy knows it, in the order in which they go by.
std::vector<std::string> requests() {
    std::vector<std::string> all;
    for (const Migration& migration : kMigrations) {
        for (const std::string& sql : migration.statements) all.push_back(sql);
    }
    all.insert(all.begin(), "CREATE TABLE penstock_schema");
    all.push_back("INTO penstock_schema");  // the first of many
    return all;
}

struct Place {
    MariadbServer& server = MariadbServer::shared();
    std::string database = server.new_database();

    MariadbOptions options(int port = 0) const {
        MariadbOptions options;
        options.url = server.url(database, port);
        return options;
    }
    Result<void> prepare(int port = 0) const {
        const auto store = open_store(options(port));
        return store->prepare_schema(kMigrations);
    }
    std::string told(const std::string& sql) const {
        std::string all;
        for (const auto& row : server.ask(sql, database)) {
            for (const std::string& cell : row) all += cell + " ";
        }
        return all;
    }
    void expect_complete() const {
        EXPECT_EQ(told("SELECT component, version, step FROM penstock_schema ORDER BY 1"),
                  "first 2 0 second 1 0 ");
        EXPECT_EQ(told("SELECT id, extra FROM one ORDER BY id"), "1 7 3 7 ");
        EXPECT_EQ(told("SELECT id FROM two"), "2 ");
        EXPECT_EQ(told("SELECT count(*) FROM three"), "0 ");
        EXPECT_EQ(told("SELECT count(DISTINCT index_name) FROM information_schema.statistics "
                       "WHERE table_schema = DATABASE() AND table_name = 'two'"),
                  "2 ");
    }
};

TEST(MariadbSchema, AMigrationThatIsCutBeforeAnyStatementIsCompletedByTheNextStart) {
    for (const std::string& request : requests()) {
        SCOPED_TRACE(request);
        const Place place;
        FaultProxy proxy(place.server.port());
        proxy.cut_before(request);
        EXPECT_FALSE(place.prepare(proxy.port()));
        EXPECT_EQ(proxy.cuts(), 1u);
        const auto again = place.prepare();
        ASSERT_TRUE(again) << again.error().text;
        place.expect_complete();
    }
}

TEST(MariadbSchema, AMigrationThatIsCutBehindAnyStatementIsCompletedByTheNextStart) {
    for (const std::string& request : requests()) {
        SCOPED_TRACE(request);
        const Place place;
        FaultProxy proxy(place.server.port());
        proxy.swallow_reply(request);
        EXPECT_FALSE(place.prepare(proxy.port()));
        EXPECT_EQ(proxy.swallowed(), 1u);
        const auto again = place.prepare();
        ASSERT_TRUE(again) << again.error().text;
        place.expect_complete();
    }
}

TEST(MariadbSchema, ATableOfAnothersIsRefusedAlsoWhereAMigrationWasCut) {
    const Place place;
    FaultProxy proxy(place.server.port());
    proxy.cut_before(kMigrations[0].statements[1]);
    EXPECT_FALSE(place.prepare(proxy.port()));
    place.server.ask("CREATE TABLE two (id INTEGER)", place.database);
    const auto refused = place.prepare();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::constraint) << refused.error().text;
    EXPECT_NE(refused.error().text.find("two"), std::string::npos);
    EXPECT_EQ(place.told("SELECT count(*) FROM two"), "0 ");
}

TEST(MariadbSchema, AForeignTableOfTheSchemasNameIsRefused) {
    const Place place;
    place.server.ask("CREATE TABLE penstock_schema (x INTEGER)", place.database);
    const auto refused = place.prepare();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::constraint) << refused.error().text;
    EXPECT_NE(refused.error().text.find("penstock_schema"), std::string::npos);
}

TEST(MariadbSchema, TablesAreOfInnodbAndKeepTextsAsTheyAre) {
    const Place place;
    place.server.ask("ALTER DATABASE " + place.database + " CHARACTER SET latin1");
    ASSERT_TRUE(place.prepare());
    EXPECT_EQ(place.told("SELECT DISTINCT engine, table_collation FROM information_schema.tables "
                         "WHERE table_schema = DATABASE()"),
              "InnoDB utf8mb4_nopad_bin ");
}

TEST(MariadbSchema, SeveralProcessesMayStartAtOnce) {
    const Place place;
    std::vector<std::unique_ptr<Task>> starts;
    for (int i = 0; i < 4; ++i) {
        starts.push_back(system_env().executor.spawn("start", [&] {
            const auto done = place.prepare();
            EXPECT_TRUE(done) << done.error().text;
        }));
    }
    starts.clear();
    place.expect_complete();
}

TEST(MariadbSchema, AnAccountWithoutRightsIsToldWhatToGrant) {
    const Place place;
    const std::string account = place.database + "_reader";
    place.server.ask(fmt::format("CREATE USER '{}'@'%' IDENTIFIED BY 'se%cret'", account));
    place.server.ask(fmt::format("GRANT SELECT ON {}.* TO '{}'@'%'", place.database, account));
    MariadbOptions options;
    options.url = place.server.url(place.database, 0, account + ":se%25cret");
    const auto store = open_store(options);
    const auto refused = store->prepare_schema(kMigrations);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::invalid) << refused.error().text;
    EXPECT_NE(refused.error().text.find("GRANT SELECT, INSERT, UPDATE, DELETE, CREATE"),
              std::string::npos)
        << refused.error().text;
}

TEST(MariadbSchema, AServerThatBecomesReadOnlySaysSo) {
    MariadbServer server;
    server.ask("CREATE TABLE thing (id INTEGER PRIMARY KEY) ENGINE=InnoDB");
    server.ask("CREATE USER 'plain'@'%'");
    server.ask("GRANT SELECT, INSERT ON penstock.* TO 'plain'@'%'");
    MariadbOptions options;
    options.url = server.url("penstock", 0, "plain");
    const auto store = open_store(options);
    const auto session = open_session(*store);
    server.ask("SET GLOBAL read_only = 1");
    ASSERT_TRUE(session->begin());
    const Error failure = sql_error(*session, "INSERT INTO thing VALUES (1)");
    EXPECT_EQ(failure.code, Code::read_only) << failure.text;
    session->rollback();
    server.ask("SET GLOBAL read_only = 0");
    server.ask("REVOKE INSERT ON penstock.* FROM 'plain'@'%'");
    // Not `invalid`: that would make it the fault of what a command says.
    const auto denied = session->reconnect();
    ASSERT_FALSE(denied);
    EXPECT_EQ(denied.error().code, Code::read_only) << denied.error().text;
    EXPECT_EQ(denied.error().lost, Lost::session);
}

TEST(MariadbStart, SettingsThatLoseCommitsAreRefusedByName) {
    MariadbServer server(Engines::Options{{"log-bin", "binlog"}});
    MariadbOptions options;
    options.url = server.url("penstock");
    const auto expect_unsafe = [&](const std::string& setting) {
        const auto refused = open_store(options)->prepare_schema(kMigrations);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, Code::unsafe) << refused.error().text;
        EXPECT_NE(refused.error().text.find(setting), std::string::npos) << refused.error().text;
    };
    expect_unsafe("sync_binlog");
    server.ask("SET GLOBAL sync_binlog = 1");
    server.ask("SET GLOBAL innodb_flush_log_at_trx_commit = 2");
    expect_unsafe("innodb_flush_log_at_trx_commit");
    options.accept_data_loss = true;
    EXPECT_TRUE(open_store(options)->prepare_schema(kMigrations));
    options.accept_data_loss = false;
    server.ask("SET GLOBAL innodb_flush_log_at_trx_commit = 1");
    EXPECT_TRUE(open_store(options)->prepare_schema(kMigrations));
}

TEST(MariadbStart, WhatIsWrongWithTheUrlIsSaidWithoutThePassword) {
    MariadbServer& server = MariadbServer::shared();
    const auto error_of = [](const std::string& url) {
        MariadbOptions options;
        options.url = url;
        options.connect_time = std::chrono::seconds(1);
        const auto store = MariadbStore::open(options, system_env());
        EXPECT_FALSE(store) << url;
        const Error failure = store ? Error{} : store.error();
        EXPECT_EQ(failure.text.find("secret"), std::string::npos) << failure.text;
        return failure;
    };
    const Error password = error_of(server.url("penstock", 0, "root:secret"));
    EXPECT_EQ(password.code, Code::invalid) << password.text;
    const Error database = error_of(server.url("no_such_database"));
    EXPECT_EQ(database.code, Code::invalid) << database.text;
    EXPECT_NE(database.text.find("no_such_database"), std::string::npos);
    const int nobody = free_port();
    const Error place = error_of(server.url("penstock", nobody, "root:secret"));
    EXPECT_EQ(place.code, Code::unreachable) << place.text;
    EXPECT_NE(place.text.find(fmt::format("127.0.0.1:{}", nobody)), std::string::npos);
    const Error host = error_of("mariadb://root:secret@no-such-host.invalid/penstock");
    EXPECT_EQ(host.code, Code::unreachable) << host.text;
    EXPECT_EQ(error_of("postgresql://root:secret@localhost/x").code, Code::invalid);
}

}  // namespace
}  // namespace penstock::test
