#include "test/integration/postgres_fixture.h"

#include <fmt/format.h>

#include "penstock/runtime/schema.h"
#include "penstock/store/postgres/connection.h"

namespace penstock::test {

using namespace std::chrono_literals;

bool eventually(const std::function<bool()>& holds) {
    Env& env = system_env();
    const auto wake = env.executor.make_wake();
    const MonoTime give_up = env.clock.mono() + 30s;
    while (!holds()) {
        if (env.clock.mono() > give_up) return false;
        wake->wait_until(env.clock.mono() + 10ms);
    }
    return true;
}

void PostgresTest::SetUpTestSuite() {
    engines_ = std::make_unique<Engines>();
    server_ = engines_->start("postgres", "postgres");
    proxy_ = std::make_unique<FaultProxy>(server_.port);
}

void PostgresTest::TearDownTestSuite() {
    proxy_.reset();
    engines_.reset();
}

void PostgresTest::SetUp() {
    static int count = 0;
    database_ = fmt::format("test_{}", ++count);
    PostgresOptions options;
    options.url = server_.url;
    postgres::Connection connection(options, system_env());
    ASSERT_TRUE(connection.open({}));
    ASSERT_TRUE(connection.query(("CREATE DATABASE " + database_).c_str()));
}

std::string PostgresTest::url_of(int port, const std::string& user, const std::string& database) {
    return fmt::format("postgresql://{}@127.0.0.1:{}/{}", user, port, database);
}

std::string PostgresTest::url() const {
    return url_of(server_.port, "penstock", database_);
}

std::string PostgresTest::proxied_url() const {
    return url_of(proxy_->port(), "penstock", database_);
}

std::string PostgresTest::execute(const std::string& sql) {
    PostgresOptions options;
    options.url = url();
    postgres::Connection connection(options, system_env());
    const auto opened = connection.open({});
    EXPECT_TRUE(opened) << opened.error().text;
    if (!opened) return {};
    const auto done = connection.query(sql.c_str());
    EXPECT_TRUE(done) << done.error().text;
    return done && PQntuples(done->get()) > 0 ? PQgetvalue(done->get(), 0, 0) : "";
}

std::unique_ptr<PostgresStore> PostgresTest::store_at(const std::string& url) {
    return store_of({.url = url});
}

std::unique_ptr<PostgresStore> PostgresTest::store_of(const PostgresOptions& options) {
    auto store = PostgresStore::open(options, system_env());
    EXPECT_TRUE(store) << store.error().text;
    return store ? std::move(*store) : nullptr;
}

Error PostgresTest::refusal_at(const std::string& url) {
    PostgresOptions options;
    options.url = url;
    const auto store = PostgresStore::open(options, system_env());
    EXPECT_FALSE(store);
    return store ? Error{} : store.error();
}

std::unique_ptr<Session> PostgresTest::session_of(Store& store, SessionLimits limits) {
    auto session = store.open(Role::owner, limits);
    EXPECT_TRUE(session) << session.error().text;
    return session ? std::move(*session) : nullptr;
}

Result<Rows> PostgresTest::run(Session& session, const std::string& sql,
                               std::vector<Value> values) {
    const auto id = session.prepare(sql);
    if (!id) return id.error();
    return run_one(session, *id, values);
}

std::int64_t PostgresTest::integer(Session& session, const std::string& sql) {
    const auto begun = session.begin();
    EXPECT_TRUE(begun) << begun.error().text;
    const auto rows = run(session, sql);
    EXPECT_TRUE(rows) << rows.error().text;
    session.rollback();
    return rows && rows->table.rows() > 0 ? rows->table.integer(0, 0) : -1;
}

bool PostgresTest::mend(Session& session) {
    return eventually([&] { return session.reconnect().ok(); });
}

void OwnerOfT::take() {
    const auto prepared = ownership_.prepare(session_, PostgresDialect());
    ASSERT_TRUE(prepared) << prepared.error().text;
    const TopicPartition at{TopicId(std::string("t")), PartitionId(0)};
    ASSERT_TRUE(session_.begin());
    ASSERT_TRUE(ownership_.make(session_, at, Uuid{}));
    ASSERT_TRUE(session_.commit());
    auto taken = ownership_.take(session_, at, nullptr);
    ASSERT_TRUE(taken) << taken.error().text;
    owned = *std::move(taken);
}

Result<void> OwnerOfT::begin() {
    advance_ = {Offset(owned.next.value() + 1), 0, LogTime{}};
    PENSTOCK_TRY(session_.begin());
    auto passed = ownership_.fence(session_, owned, advance_);
    if (!passed) session_.rollback();
    return passed;
}

}  // namespace penstock::test
