// How the PostgreSQL adapter starts, what it refuses, and how values and plans behave there.
#include <fmt/format.h>

#include "penstock/runtime/schema.h"
#include "test/integration/postgres_fixture.h"

namespace penstock::test {
namespace {

using namespace std::chrono_literals;

class PostgresStart : public PostgresTest {
protected:
    void expect_unsafe(std::string_view setting) {
        const Error refused = refusal_at(url());
        EXPECT_EQ(refused.code, Code::unsafe) << refused.text;
        EXPECT_NE(refused.text.find(setting), std::string::npos) << refused.text;
    }
};

TEST_F(PostgresStart, SettingsThatLoseCommitsAreRefusedByName) {
    for (const std::string setting : {"synchronous_commit = off", "zero_damaged_pages = on"}) {
        execute(fmt::format("ALTER DATABASE {} SET {}", database_, setting));
        expect_unsafe(setting);
        execute(fmt::format("ALTER DATABASE {} RESET ALL", database_));
    }
    for (const std::string name : {"fsync", "full_page_writes"}) {
        const auto shown = [&] {
            return execute(fmt::format("SELECT current_setting('{}')", name));
        };
        execute(fmt::format("ALTER SYSTEM SET {} = off", name));
        execute("SELECT pg_reload_conf()");
        ASSERT_TRUE(eventually([&] { return shown() == "off"; }));
        expect_unsafe(name + " = off");
        execute(fmt::format("ALTER SYSTEM RESET {}", name));
        execute("SELECT pg_reload_conf()");
        ASSERT_TRUE(eventually([&] { return shown() == "on"; }));
    }
    EXPECT_NE(store_at(url()), nullptr);
}

TEST_F(PostgresStart, ASettingThatChangedIsFoundWhenTheSessionComesBack) {
    const auto store = store_at(url());
    const auto session = session_of(*store);
    execute(fmt::format("ALTER DATABASE {} SET synchronous_commit = off", database_));
    const auto back = session->reconnect();
    ASSERT_FALSE(back);
    EXPECT_EQ(back.error().code, Code::unsafe) << back.error().text;
    EXPECT_TRUE(store->open(Role::reader, {}));
}

TEST_F(PostgresStart, AnotherEncodingIsRefused) {
    execute("CREATE DATABASE plain ENCODING 'SQL_ASCII' TEMPLATE template0");
    const Error refused = refusal_at(url_of(server_.port, "penstock", "plain"));
    EXPECT_EQ(refused.code, Code::unsafe);
    EXPECT_NE(refused.text.find("server_encoding"), std::string::npos) << refused.text;
}

TEST_F(PostgresStart, WhatCannotBeReachedIsNamedWithoutThePassword) {
    const int nobody = free_port();
    const Error gone = refusal_at(url_of(nobody, "me:secret", database_));
    EXPECT_EQ(gone.code, Code::unreachable);
    EXPECT_NE(gone.text.find(fmt::format("127.0.0.1:{}", nobody)), std::string::npos) << gone.text;
    EXPECT_EQ(gone.text.find("secret"), std::string::npos) << gone.text;
    for (const std::string& url :
         {url_of(nobody, "me:secret", "d?nonsense=1"), std::string("postgresql://me:secret@[::1/x"),
          std::string("host=127.0.0.1 password=secret")}) {
        const Error wrong = refusal_at(url);
        EXPECT_EQ(wrong.code, Code::invalid) << wrong.text;
        EXPECT_EQ(wrong.text.find("secret"), std::string::npos) << wrong.text;
    }
    const Error nowhere = refusal_at(url_of(server_.port, "penstock", "no_such_database"));
    EXPECT_EQ(nowhere.code, Code::invalid) << nowhere.text;
    EXPECT_NE(nowhere.text.find("no_such_database"), std::string::npos) << nowhere.text;
}

TEST_F(PostgresStart, WithoutTheRightToCreateItSaysWhatToGrant) {
    execute("CREATE ROLE weak LOGIN");
    const auto store = store_at(url_of(server_.port, "weak", database_));
    const auto migrations = runtime_migrations(store->dialect());
    const auto refused = store->prepare_schema(migrations);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::unsafe) << refused.error().text;
    EXPECT_NE(refused.error().text.find("GRANT CREATE, USAGE ON SCHEMA public TO weak"),
              std::string::npos)
        << refused.error().text;
    execute("GRANT CREATE, USAGE ON SCHEMA public TO weak");
    const auto granted = store->prepare_schema(migrations);
    EXPECT_TRUE(granted) << granted.error().text;
    execute("REVOKE CREATE ON SCHEMA public FROM weak");
    EXPECT_TRUE(store->prepare_schema(migrations));  // nothing is missing
}

TEST_F(PostgresStart, ManyProcessesMayPrepareTheSchemaAtOnce) {
    const auto store = store_at(url());
    const auto migrations = runtime_migrations(store->dialect());
    std::vector<Result<void>> done(6);
    {
        std::vector<std::unique_ptr<Task>> tasks;
        for (auto& result : done) {
            tasks.push_back(system_env().executor.spawn(
                "start", [&] { result = store->prepare_schema(migrations); }));
        }
    }
    for (const auto& result : done) EXPECT_TRUE(result) << result.error().text;
}

class PostgresValues : public PostgresTest {
protected:
    void SetUp() override {
        PostgresTest::SetUp();
        store_ = store_at(url());
        execute(
            "CREATE TABLE kinds (k bigint PRIMARY KEY, i2 smallint, i4 integer, f4 real, "
            "yes boolean, v varchar(5), u uuid, j jsonb, at timestamptz, d numeric(20,2))");
        session_ = session_of(*store_);
    }
    Error error_of(const std::string& sql, std::vector<Value> values) {
        EXPECT_TRUE(session_->begin());
        const auto rows = run(*session_, sql, std::move(values));
        EXPECT_FALSE(rows);
        session_->rollback();
        return rows ? Error{} : rows.error();
    }

    std::unique_ptr<PostgresStore> store_;
    std::unique_ptr<Session> session_;
};

TEST_F(PostgresValues, GoAsTheColumnsTypeAndComeBack) {
    const std::string uuid("0123456789abcdef");
    std::vector<Value> rows;
    for (std::int64_t k = 1; k <= 3; ++k) {
        rows.insert(rows.end(), {k, k, -k, 0.5, std::int64_t{1}, std::string_view("ü"),
                                 as_bytes(uuid), std::string_view("{\"a\": 1}")});
    }
    ASSERT_TRUE(session_->begin());
    const auto insert = session_->prepare(
        "INSERT INTO kinds (k, i2, i4, f4, yes, v, u, j) VALUES (:k, :i2, :i4, :f4, :yes, :v, :u, "
        ":j) "
        "RETURNING k");
    ASSERT_TRUE(insert) << insert.error().text;
    const auto many = session_->run_many(*insert, rows);
    ASSERT_TRUE(many) << many.error().text;
    EXPECT_EQ(many->matched, 3u);
    EXPECT_EQ(many->table.integer(2, 0), 3);
    const auto read =
        run(*session_, "SELECT i2, i4, f4, yes, v, u, j, sum(k) OVER () FROM kinds ORDER BY k");
    ASSERT_TRUE(read) << read.error().text;
    const Table& table = read->table;
    EXPECT_EQ(table.integer(1, 0), 2);
    EXPECT_EQ(table.integer(1, 1), -2);
    EXPECT_EQ(table.real(1, 2), 0.5);
    EXPECT_EQ(table.integer(1, 3), 1);
    EXPECT_EQ(table.text(1, 4), "ü");
    EXPECT_EQ(as_text(table.blob(1, 5)), uuid);
    EXPECT_TRUE(std::holds_alternative<Bytes>(table.value(1, 5)));
    EXPECT_EQ(table.text(1, 6), "{\"a\": 1}");
    EXPECT_EQ(table.integer(1, 7), 6);
    session_->rollback();
}

TEST_F(PostgresValues, OfOtherTypesGoAsTextOneByOne) {
    const Value rows[] = {std::int64_t{1},
                          std::string_view("2026-11-21T06:00:00Z"),
                          std::int64_t{10'000'000'000'000},
                          std::int64_t{2},
                          std::monostate{},
                          1.25};
    ASSERT_TRUE(session_->begin());
    const auto insert = session_->prepare("INSERT INTO kinds (k, at, d) VALUES (:k, :at, :d)");
    ASSERT_TRUE(insert) << insert.error().text;
    const auto many = session_->run_many(*insert, rows);
    ASSERT_TRUE(many) << many.error().text;
    const auto read = run(*session_,
                          "SELECT extract(epoch FROM at)::bigint, d, -d, round(d) FROM kinds "
                          "ORDER BY k");
    ASSERT_TRUE(read) << read.error().text;
    EXPECT_EQ(read->table.integer(0, 0), 1795240800);
    EXPECT_EQ(read->table.real(0, 1), 1e13);
    EXPECT_EQ(read->table.real(1, 1), 1.25);
    EXPECT_EQ(read->table.real(1, 2), -1.25);
    EXPECT_EQ(read->table.integer(0, 3), 10'000'000'000'000);
    const auto unread = session_->prepare("SELECT at FROM kinds");
    session_->rollback();
    ASSERT_FALSE(unread);
    EXPECT_EQ(unread.error().code, Code::invalid);
    EXPECT_NE(unread.error().text.find("column at"), std::string::npos) << unread.error().text;
}

TEST_F(PostgresValues, ThatDoNotFitAreRefusedBeforeTheServerSeesThem) {
    const std::string insert = "INSERT INTO kinds (k, i2, yes, u, v) VALUES (1, :i2, :yes, :u, :v)";
    const Value null = std::monostate{};
    const std::vector<std::vector<Value>> wrong = {
        {std::int64_t{40'000}, null, null, null},
        {0.5, null, null, null},
        {null, std::int64_t{2}, null, null},
        {null, null, as_bytes("short"), null},
        {null, null, std::string_view("no uuid"), null},
        {null, null, null, as_bytes("blob")},
        {null, null, null, std::int64_t{1}},
    };
    for (const auto& values : wrong) {
        const Error refused = error_of(insert, values);
        EXPECT_EQ(refused.code, Code::invalid) << refused.text;
        EXPECT_EQ(refused.lost, Lost::statement) << refused.text;
        EXPECT_NE(refused.text.find("parameter :"), std::string::npos) << refused.text;
    }
    EXPECT_EQ(error_of(insert, {null, null, null, std::string_view("longer")}).code,
              Code::too_large);
}

TEST_F(PostgresValues, UpsertsOfOneRowRunOneAfterTheOther) {
    const Value rows[] = {std::int64_t{1}, std::int64_t{1}, std::int64_t{1}, std::int64_t{5}};
    ASSERT_TRUE(session_->begin());
    const auto upsert = session_->prepare(
        "INSERT INTO kinds (k, i4) VALUES (:k, :i4) ON CONFLICT (k) DO UPDATE SET i4 = "
        "excluded.i4");
    ASSERT_TRUE(upsert) << upsert.error().text;
    const auto many = session_->run_many(*upsert, rows);
    ASSERT_TRUE(many) << many.error().text;
    EXPECT_EQ(many->matched, 2u);
    session_->rollback();
}

TEST_F(PostgresValues, ManyLookUpsKeepTheOrderAskedInAndOfEach) {
    execute("INSERT INTO kinds (k, i4) SELECT g, g % 10 FROM generate_series(1, 1000) g");
    ASSERT_TRUE(session_->begin());
    const auto look = session_->prepare(
        "SELECT i4, k FROM kinds WHERE i4 = :i4 AND k <= :k ORDER BY k DESC LIMIT 2");
    ASSERT_TRUE(look) << look.error().text;
    std::vector<Value> asked;
    for (std::int64_t i = 9; i >= 0; --i) asked.insert(asked.end(), {i, std::int64_t{500}});
    const auto found = session_->run_many(*look, asked);
    ASSERT_TRUE(found) << found.error().text;
    ASSERT_EQ(found->table.rows(), 20u);
    EXPECT_EQ(found->table.names(), (std::vector<std::string>{"i4", "k"}));
    for (std::size_t row = 0; row < 20; ++row) {
        const auto last = static_cast<std::int64_t>(9 - row / 2);
        EXPECT_EQ(found->table.integer(row, 0), last);
        EXPECT_EQ(found->table.integer(row, 1),
                  (last == 0 ? 500 : 490 + last) - (row % 2 ? 10 : 0));
    }
    session_->rollback();
}

TEST_F(PostgresValues, ALongRunIsOneTripAndStopsAtItsFailure) {
    const auto insert = session_->prepare("INSERT INTO kinds (k) VALUES (:k)");
    ASSERT_TRUE(insert);
    std::vector<std::int64_t> keys;
    for (std::int64_t k = 0; k < 3000; ++k) keys.push_back(k == 2000 ? 1 : k);
    std::vector<Value> values(keys.begin(), keys.end());
    std::vector<Call> calls;
    for (const Value& value : values) calls.push_back({*insert, {&value, 1}});
    std::vector<Result<Rows>> out(calls.size(), Rows{});
    ASSERT_TRUE(session_->begin());
    EXPECT_EQ(session_->run(calls, out), 2001u);
    EXPECT_TRUE(out[1999]);
    ASSERT_FALSE(out[2000]);
    EXPECT_EQ(out[2000].error().code, Code::constraint);
    EXPECT_EQ(out[2000].error().lost, Lost::transaction);
    session_->rollback();
}

TEST_F(PostgresValues, ATableThatChangedUnderAStatementTakesTheSessionOnce) {
    execute("CREATE TABLE grows (a bigint)");
    ASSERT_TRUE(session_->begin());
    ASSERT_TRUE(run(*session_, "SELECT * FROM grows"));
    session_->rollback();
    execute("ALTER TABLE grows ADD b bigint");
    const Error stale = error_of("SELECT * FROM grows", {});
    EXPECT_EQ(stale.lost, Lost::session) << stale.text;
    ASSERT_TRUE(session_->reconnect());
    ASSERT_TRUE(session_->begin());
    const auto rows = run(*session_, "SELECT * FROM grows");
    ASSERT_TRUE(rows) << rows.error().text;
    EXPECT_EQ(rows->table.columns(), 2u);
    session_->rollback();
}

}  // namespace
}  // namespace penstock::test
