#include "test/contract/store_contract.h"

#include <fmt/format.h>

namespace penstock::test {

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StoreContract);

namespace {

using namespace std::chrono_literals;

const std::string kInsert = "INSERT INTO items (id, n) VALUES (:id, :n)";
const std::string kUpdate = "UPDATE items SET n = :n WHERE id = :id";

}  // namespace

void PrintTo(const StoreAdapter& adapter, std::ostream* out) {
    *out << adapter.name;
}

std::string adapter_name(const ::testing::TestParamInfo<StoreAdapter>& info) {
    return info.param.name;
}

std::vector<Migration> test_migrations(const Dialect& dialect) {
    return {{"contract",
             1,
             {fmt::format("CREATE TABLE items (id {0} PRIMARY KEY, t {1}, b {2}, r {3}, n {0}, "
                          "CHECK (n >= 0))",
                          dialect.type("int"), dialect.type("text"), dialect.type("blob"),
                          dialect.type("real"))}}};
}

void StoreContract::SetUp() {
    subject_ = GetParam().make();
    reopen();
    const auto done = store_->prepare_schema(test_migrations(store_->dialect()));
    ASSERT_TRUE(done) << done.error().text;
}

void StoreContract::TearDown() {
    store_.reset();
}

void StoreContract::reopen() {
    store_.reset();
    store_ = subject_->open();
    ASSERT_NE(store_, nullptr);
}

std::unique_ptr<Session> StoreContract::session(Role role, SessionLimits limits) {
    auto opened = store_->open(role, limits);
    EXPECT_TRUE(opened) << opened.error().text;
    return opened ? std::move(*opened) : nullptr;
}

StatementId StoreContract::prepared(Session& session, const std::string& sql) {
    const auto id = session.prepare(sql);
    EXPECT_TRUE(id) << id.error().text;
    return id.value();
}

Rows StoreContract::run(Session& session, const std::string& sql, std::vector<Value> values) {
    auto rows = run_one(session, prepared(session, sql), values);
    EXPECT_TRUE(rows) << rows.error().text;
    return rows ? std::move(*rows) : Rows{};
}

Error StoreContract::error_of(Session& session, const std::string& sql, std::vector<Value> values) {
    const auto rows = run_one(session, prepared(session, sql), values);
    EXPECT_FALSE(rows);
    return rows ? Error{} : rows.error();
}

void StoreContract::put(Session& session, std::int64_t id, std::int64_t n) {
    ASSERT_TRUE(session.begin());
    run(session, kInsert, {id, n});
    const auto done = session.commit();
    ASSERT_TRUE(done) << done.error().text;
}

std::int64_t StoreContract::count(Session& session) {
    return run(session, "SELECT count(*) FROM items").table.integer(0, 0);
}

TEST_P(StoreContract, EveryTypeComesBackAsItWasGiven) {
    const auto owner = session();
    const std::string text = "text with ü";
    const std::string blob("\0\xff\x01", 3);
    ASSERT_TRUE(owner->begin());
    run(*owner, "INSERT INTO items (id, t, b, r, n) VALUES (:id, :t, :b, :r, :n)",
        {std::int64_t{1}, std::string_view(text), as_bytes(blob), 2.5, std::int64_t{1} << 62});
    run(*owner, "INSERT INTO items (id, t, b, r, n) VALUES (:id, :t, :b, :r, :n)",
        {std::int64_t{-2}, std::string_view(), Bytes(), std::monostate{}, std::monostate{}});
    const Table table = run(*owner, "SELECT id, t, b, r, n FROM items ORDER BY id").table;
    ASSERT_EQ(table.rows(), 2u);
    EXPECT_EQ(table.names(), (std::vector<std::string>{"id", "t", "b", "r", "n"}));
    EXPECT_EQ(table.integer(0, 0), -2);
    EXPECT_FALSE(table.is_null(0, 1));
    EXPECT_EQ(table.text(0, 1), "");
    EXPECT_FALSE(table.is_null(0, 2));
    EXPECT_EQ(table.blob(0, 2).size(), 0u);
    EXPECT_TRUE(table.is_null(0, 3));
    EXPECT_TRUE(table.is_null(0, 4));
    EXPECT_EQ(table.text(1, 1), text);
    EXPECT_EQ(as_text(table.blob(1, 2)), blob);
    EXPECT_EQ(table.real(1, 3), 2.5);
    EXPECT_EQ(table.integer(1, 4), std::int64_t{1} << 62);
    owner->rollback();
}

TEST_P(StoreContract, TextWithAZeroByteIsKeptWholeOrRefusedAlone) {
    const std::string text("a\0b", 3);
    const auto owner = session();
    const StatementId insert = prepared(*owner, "INSERT INTO items (id, t) VALUES (:id, :t)");
    ASSERT_TRUE(owner->begin());
    run(*owner, kInsert, {std::int64_t{1}, std::int64_t{1}});
    const Value row[] = {std::int64_t{2}, std::string_view(text)};
    for (const bool many : {false, true}) {
        const auto put = many ? owner->run_many(insert, row) : run_one(*owner, insert, row);
        EXPECT_EQ(put.ok(), GetParam().zero_in_text);
        if (put) {
            EXPECT_EQ(run(*owner, "SELECT t FROM items WHERE id = 2").table.text(0, 0), text);
            run(*owner, "DELETE FROM items WHERE id = 2");
        } else {
            EXPECT_EQ(put.error().code, Code::invalid) << put.error().text;
            EXPECT_EQ(put.error().lost, Lost::statement);
        }
    }
    ASSERT_TRUE(owner->commit());
    ASSERT_TRUE(owner->begin());
    EXPECT_EQ(count(*owner), 1);
    owner->rollback();
}

TEST_P(StoreContract, ParametersStandInOrderOfFirstAppearance) {
    const auto owner = session();
    ASSERT_TRUE(owner->begin());
    run(*owner, "INSERT INTO items (n, id, r) VALUES (:b, :a, :b)",
        {std::int64_t{7}, std::int64_t{1}});
    const Table table = run(*owner, "SELECT id, n, r FROM items").table;
    EXPECT_EQ(table.integer(0, 0), 1);
    EXPECT_EQ(table.integer(0, 1), 7);
    EXPECT_EQ(table.real(0, 2), 7.0);
    owner->rollback();
}

TEST_P(StoreContract, MatchedCountsRowsAlsoWhereNothingChanges) {
    const auto owner = session();
    put(*owner, 1, 5);
    ASSERT_TRUE(owner->begin());
    EXPECT_EQ(run(*owner, kUpdate, {std::int64_t{5}, std::int64_t{1}}).matched, 1u);
    EXPECT_EQ(run(*owner, kUpdate, {std::int64_t{5}, std::int64_t{2}}).matched, 0u);
    EXPECT_EQ(run(*owner, "DELETE FROM items WHERE id = :id", {std::int64_t{1}}).matched, 1u);
    owner->rollback();
}

TEST_P(StoreContract, InsertOrNothingTellsWhetherTheRowWasThere) {
    const auto owner = session();
    const std::string sql = store_->dialect().insert_or_nothing("items", "id, n", "id");
    ASSERT_TRUE(owner->begin());
    EXPECT_EQ(run(*owner, sql, {std::int64_t{1}, std::int64_t{1}}).matched, 1u);
    EXPECT_EQ(run(*owner, sql, {std::int64_t{1}, std::int64_t{2}}).matched, 0u);
    EXPECT_EQ(run(*owner, "SELECT n FROM items").table.integer(0, 0), 1);
    owner->rollback();
}

TEST_P(StoreContract, RunManyTakesRowsInOrderAndSumsMatched) {
    const auto owner = session();
    std::vector<Value> rows;
    for (std::int64_t id = 1; id <= 300; ++id) rows.insert(rows.end(), {id, id * 2});
    ASSERT_TRUE(owner->begin());
    const auto inserted = owner->run_many(prepared(*owner, kInsert), rows);
    ASSERT_TRUE(inserted) << inserted.error().text;
    EXPECT_EQ(inserted->matched, 300u);
    const Value wanted[] = {std::int64_t{3}, std::int64_t{1000}, std::int64_t{1}};
    const auto found =
        owner->run_many(prepared(*owner, "SELECT id, n FROM items WHERE id = :id"), wanted);
    ASSERT_TRUE(found) << found.error().text;
    ASSERT_EQ(found->table.rows(), 2u);
    EXPECT_EQ(found->table.integer(0, 0), 3);
    EXPECT_EQ(found->table.integer(1, 1), 2);
    ASSERT_TRUE(owner->commit());
}

TEST_P(StoreContract, RunManyPutsEachRowsOwnValues) {
    const auto owner = session();
    const StatementId insert =
        prepared(*owner, "INSERT INTO items (t, id, n) VALUES (:t, :id, :id)");
    for (const std::int64_t count : {1, 15, 16, 17, 33}) {
        std::vector<std::string> texts;
        for (std::int64_t id = 1; id <= count; ++id) texts.push_back(std::to_string(id));
        std::vector<Value> rows;
        for (std::int64_t id = 1; id <= count; ++id) {
            rows.insert(rows.end(),
                        {std::string_view(texts[static_cast<std::size_t>(id - 1)]), id});
        }
        ASSERT_TRUE(owner->begin());
        const auto inserted = owner->run_many(insert, rows);
        ASSERT_TRUE(inserted) << inserted.error().text;
        EXPECT_EQ(inserted->matched, static_cast<std::uint64_t>(count));
        const Table table = run(*owner, "SELECT t, n FROM items ORDER BY id").table;
        ASSERT_EQ(table.rows(), texts.size());
        for (std::size_t row = 0; row < texts.size(); ++row) {
            EXPECT_EQ(table.text(row, 0), texts[row]);
            EXPECT_EQ(table.integer(row, 1), static_cast<std::int64_t>(row) + 1);
        }
        owner->rollback();
    }
}

TEST_P(StoreContract, AnInsertWithoutParametersIsOneRow) {
    const auto owner = session();
    ASSERT_TRUE(owner->begin());
    EXPECT_EQ(run(*owner, "INSERT INTO items (id, n) VALUES (1, 2)").matched, 1u);
    EXPECT_EQ(run(*owner, "SELECT n FROM items").table.rows(), 1u);
    owner->rollback();
}

TEST_P(StoreContract, RunManyInsertsOrDoesNothingRowByRow) {
    const auto owner = session();
    put(*owner, 2, 7);
    const Value rows[] = {std::int64_t{1}, std::int64_t{1}, std::int64_t{2}, std::int64_t{2},
                          std::int64_t{1}, std::int64_t{3}, std::int64_t{3}, std::monostate{}};
    const std::string sql = store_->dialect().insert_or_nothing("items", "id, n", "id");
    ASSERT_TRUE(owner->begin());
    const auto inserted = owner->run_many(prepared(*owner, sql), rows);
    ASSERT_TRUE(inserted) << inserted.error().text;
    EXPECT_EQ(inserted->matched, 2u);
    const Table table = run(*owner, "SELECT n FROM items ORDER BY id").table;
    ASSERT_EQ(table.rows(), 3u);
    EXPECT_EQ(table.integer(0, 0), 1);
    EXPECT_EQ(table.integer(1, 0), 7);
    EXPECT_TRUE(table.is_null(2, 0));
    owner->rollback();
}

TEST_P(StoreContract, RunManyShowsEachRowWhatThoseBeforeItDid) {
    const auto owner = session();
    put(*owner, 1, 1);
    const Value rows[] = {std::int64_t{1}, std::int64_t{1}, std::int64_t{1},
                          std::int64_t{2}, std::int64_t{1}, std::int64_t{4}};
    ASSERT_TRUE(owner->begin());
    const auto updated = owner->run_many(
        prepared(*owner, "UPDATE items SET n = n * 2 WHERE id = :id AND n = :n"), rows);
    ASSERT_TRUE(updated) << updated.error().text;
    EXPECT_EQ(updated->matched, 3u);
    EXPECT_EQ(run(*owner, "SELECT n FROM items").table.integer(0, 0), 8);
    const auto none = owner->run_many(prepared(*owner, kInsert), {});
    ASSERT_TRUE(none) << none.error().text;
    EXPECT_EQ(none->matched, 0u);
    owner->rollback();
}

TEST_P(StoreContract, RunManyThatFailsLeavesNothingBehind) {
    const auto owner = session();
    put(*owner, 2, 1);
    const Value rows[] = {std::int64_t{1}, std::int64_t{1}, std::int64_t{2}, std::int64_t{1}};
    ASSERT_TRUE(owner->begin());
    const auto clash = owner->run_many(prepared(*owner, kInsert), rows);
    ASSERT_FALSE(clash);
    EXPECT_EQ(clash.error().code, Code::constraint) << clash.error().text;
    owner->rollback();
    ASSERT_TRUE(owner->begin());
    EXPECT_EQ(count(*owner), 1);
    owner->rollback();
}

TEST_P(StoreContract, WhatAnErrorTookIsNotCommitted) {
    const auto owner = session();
    ASSERT_TRUE(owner->begin());
    run(*owner, kInsert, {std::int64_t{1}, std::int64_t{1}});
    const Error failure = error_of(*owner, kInsert, {std::int64_t{1}, std::int64_t{1}});
    const bool lost = failure.lost != Lost::statement;
    if (lost) {
        const Value row[] = {std::int64_t{2}, std::int64_t{1}};
        const auto after = run_one(*owner, prepared(*owner, kInsert), row);
        ASSERT_FALSE(after);
        EXPECT_EQ(after.error().lost, Lost::transaction) << after.error().text;
    }
    const auto done = owner->commit();
    EXPECT_EQ(done.ok(), !lost);
    if (!done) {
        EXPECT_EQ(done.error().effect, Effect::none) << done.error().text;
        owner->rollback();
    }
    ASSERT_TRUE(owner->begin());
    EXPECT_EQ(count(*owner), lost ? 0 : 1);
    owner->rollback();
}

TEST_P(StoreContract, RunStopsAfterAFailure) {
    const auto owner = session();
    const StatementId insert = prepared(*owner, kInsert);
    const Value good[] = {std::int64_t{1}, std::int64_t{1}};
    const Value bad[] = {std::int64_t{2}, std::int64_t{-1}};
    const Value later[] = {std::int64_t{3}, std::int64_t{1}};
    const Call calls[] = {{insert, good}, {insert, bad}, {insert, later}};
    std::vector<Result<Rows>> out(3, Result<Rows>(Rows{}));
    ASSERT_TRUE(owner->begin());
    EXPECT_EQ(owner->run(calls, out), 2u);
    EXPECT_TRUE(out[0]);
    ASSERT_FALSE(out[1]);
    EXPECT_EQ(out[1].error().code, Code::constraint);
    owner->rollback();
}

TEST_P(StoreContract, ConstraintsTakeTheStatementAtMostWithASavepoint) {
    const auto owner = session();
    ASSERT_TRUE(owner->begin());
    run(*owner, kInsert, {std::int64_t{1}, std::int64_t{1}});
    ASSERT_TRUE(owner->savepoint());
    run(*owner, kInsert, {std::int64_t{2}, std::int64_t{1}});
    for (const auto& [id, n] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {3, -1}}) {
        const Error failure = error_of(*owner, kInsert, {id, n});
        EXPECT_EQ(failure.code, Code::constraint) << failure.text;
        EXPECT_EQ(failure.effect, Effect::none);
        EXPECT_EQ(failure.lost, Lost::statement);
        ASSERT_TRUE(owner->rollback_to_savepoint());
    }
    run(*owner, kInsert, {std::int64_t{4}, std::int64_t{1}});
    ASSERT_TRUE(owner->commit());
    ASSERT_TRUE(owner->begin());
    const Table table = run(*owner, "SELECT id FROM items ORDER BY id").table;
    ASSERT_EQ(table.rows(), 2u);
    EXPECT_EQ(table.integer(1, 0), 4);
    owner->rollback();
}

TEST_P(StoreContract, RollbackUndoesAllAndMayBeRepeated) {
    const auto owner = session();
    ASSERT_TRUE(owner->begin());
    run(*owner, kInsert, {std::int64_t{1}, std::int64_t{1}});
    owner->rollback();
    owner->rollback();
    ASSERT_TRUE(owner->begin());
    EXPECT_EQ(count(*owner), 0);
    owner->rollback();
}

TEST_P(StoreContract, AReaderSeesOneSnapshot) {
    const auto owner = session();
    const auto reader = session(Role::reader);
    put(*owner, 1, 1);
    ASSERT_TRUE(reader->begin());
    put(*owner, 2, 2);  // after begin(), before the reader's first statement
    EXPECT_EQ(count(*reader), 1);
    put(*owner, 3, 3);
    EXPECT_EQ(count(*reader), 1);
    ASSERT_TRUE(reader->commit());
    ASSERT_TRUE(reader->begin());
    EXPECT_EQ(count(*reader), 3);
    reader->rollback();
}

TEST_P(StoreContract, AReaderWritesNothing) {
    const auto reader = session(Role::reader);
    const auto insert = reader->prepare(kInsert);
    if (insert) {  // some engines refuse when it runs
        const Value row[] = {std::int64_t{1}, std::int64_t{1}};
        ASSERT_TRUE(reader->begin());
        EXPECT_FALSE(run_one(*reader, *insert, row));
        reader->rollback();
    }
    ASSERT_TRUE(reader->begin());
    EXPECT_EQ(count(*reader), 0);
    reader->rollback();
}

TEST_P(StoreContract, TwoOwnersOfOneRowDoNotBothWrite) {
    const auto first = session();
    put(*first, 1, 1);
    SessionLimits impatient;
    impatient.busy = 50ms;
    const auto second = session(Role::owner, impatient);
    ASSERT_TRUE(first->begin());
    run(*first, kUpdate, {std::int64_t{2}, std::int64_t{1}});
    // The other waits at begin() or at the row, and gives up after `busy`.
    Result<void> begun = second->begin();
    if (begun) {
        const Error failure = error_of(*second, kUpdate, {std::int64_t{3}, std::int64_t{1}});
        EXPECT_EQ(failure.code, Code::conflict) << failure.text;
        second->rollback();
    } else {
        EXPECT_EQ(begun.error().code, Code::conflict) << begun.error().text;
        EXPECT_EQ(begun.error().effect, Effect::none);
    }
    ASSERT_TRUE(first->commit());
    ASSERT_TRUE(second->begin());
    run(*second, "UPDATE items SET n = n + 10 WHERE id = 1");
    ASSERT_TRUE(second->commit());
    ASSERT_TRUE(first->begin());
    EXPECT_EQ(run(*first, "SELECT n FROM items").table.integer(0, 0), 12);
    first->rollback();
}

TEST_P(StoreContract, AnIdleTransactionIsEndedWhereAServerWatches) {
    if (!GetParam().ends_idle_transactions) return;
    const auto other = session();
    put(*other, 1, 1);
    SessionLimits short_idle;
    short_idle.idle_transaction = 1000ms;
    const auto stopped = session(Role::owner, short_idle);
    ASSERT_TRUE(stopped->begin());
    run(*stopped, kUpdate, {std::int64_t{2}, std::int64_t{1}});
    ASSERT_TRUE(other->begin());
    run(*other, kUpdate, {std::int64_t{3}, std::int64_t{1}});  // waits until the server has acted
    ASSERT_TRUE(other->commit());
    const Error failure = error_of(*stopped, kUpdate, {std::int64_t{4}, std::int64_t{1}});
    EXPECT_EQ(failure.lost, Lost::session) << failure.text;
    const auto late = stopped->commit();
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().lost, Lost::session) << late.error().text;
    ASSERT_TRUE(stopped->reconnect());
    ASSERT_TRUE(stopped->begin());
    EXPECT_EQ(run(*stopped, "SELECT n FROM items").table.integer(0, 0), 3);
    stopped->rollback();
}

TEST_P(StoreContract, AStoppedOwnersSessionCanBeEndedByAnotherProcess) {
    const auto stopped = session();
    put(*stopped, 1, 1);
    const std::string id = stopped->server_id();
    EXPECT_TRUE(store_->end_session(id + "0"));  // not this one
    ASSERT_TRUE(stopped->begin());
    run(*stopped, kUpdate, {std::int64_t{2}, std::int64_t{1}});
    const auto ended = store_->end_session(id);
    ASSERT_TRUE(ended) << ended.error().text;
    if (id.empty()) return;  // no server
    const auto successor = session();
    ASSERT_TRUE(successor->begin());
    run(*successor, kUpdate, {std::int64_t{3}, std::int64_t{1}});
    ASSERT_TRUE(successor->commit());
    EXPECT_EQ(error_of(*stopped, kUpdate, {std::int64_t{4}, std::int64_t{1}}).lost, Lost::session);
    ASSERT_TRUE(stopped->reconnect());
    EXPECT_NE(stopped->server_id(), id);
    ASSERT_TRUE(store_->end_session(id));  // gone already
    put(*stopped, 2, 1);
}

TEST_P(StoreContract, RefusesWhatIsNotForRows) {
    const auto owner = session();
    for (const char* sql :
         {"CREATE TABLE more (id INTEGER)", "DROP TABLE items", "ALTER TABLE items ADD x INTEGER",
          "CREATE INDEX i ON items (n)", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT s",
          "SELECT 1; SELECT 2", "SELECT 1; DROP TABLE items", "", "SELEKT 1", "SELECT ?",
          "SELECT x FROM nowhere"}) {
        const auto id = owner->prepare(sql);
        ASSERT_FALSE(id) << sql;
        EXPECT_EQ(id.error().code, Code::invalid) << sql << ": " << id.error().text;
    }
    EXPECT_TRUE(owner->prepare("SELECT 1; -- and a comment"));
    put(*owner, 1, 1);
}

TEST_P(StoreContract, TheSameTextIsTheSameStatement) {
    const auto owner = session();
    EXPECT_EQ(prepared(*owner, kInsert), prepared(*owner, kInsert));
    EXPECT_NE(prepared(*owner, kInsert), prepared(*owner, kUpdate));
}

TEST_P(StoreContract, StatementsLiveThroughReconnect) {
    const auto owner = session();
    const StatementId insert = prepared(*owner, kInsert);
    ASSERT_TRUE(owner->begin());
    const Value lost[] = {std::int64_t{1}, std::int64_t{1}};
    ASSERT_TRUE(run_one(*owner, insert, lost));
    ASSERT_TRUE(owner->reconnect());
    ASSERT_TRUE(owner->begin());
    const Value kept[] = {std::int64_t{2}, std::int64_t{1}};
    ASSERT_TRUE(run_one(*owner, insert, kept));
    ASSERT_TRUE(owner->commit());
    ASSERT_TRUE(owner->begin());
    EXPECT_EQ(count(*owner), 1);  // the open transaction went with the connection
    owner->rollback();
}

TEST_P(StoreContract, ACommitIsDurable) {
    {
        const auto owner = session();
        put(*owner, 1, 1);
        ASSERT_TRUE(owner->begin());
        run(*owner, kInsert, {std::int64_t{2}, std::int64_t{1}});
        subject_->cut_power();
    }
    reopen();
    const auto reader = session(Role::reader);
    ASSERT_TRUE(reader->begin());
    EXPECT_EQ(count(*reader), 1);
    reader->rollback();
}

TEST_P(StoreContract, MigrationsRunOnceAndGoOn) {
    auto migrations = test_migrations(store_->dialect());
    const auto owner = session();
    put(*owner, 1, 1);
    ASSERT_TRUE(store_->prepare_schema(migrations));
    migrations.push_back({"contract", 2, {"ALTER TABLE items ADD COLUMN extra INTEGER"}});
    migrations.push_back({"other", 1, {"CREATE TABLE other (id INTEGER)"}});
    reopen();
    ASSERT_TRUE(store_->prepare_schema(migrations));
    ASSERT_TRUE(store_->prepare_schema(migrations));
    const auto again = session();
    ASSERT_TRUE(again->begin());
    EXPECT_TRUE(run(*again, "SELECT extra FROM items").table.is_null(0, 0));
    again->rollback();
}

TEST_P(StoreContract, ANewerSchemaIsRefused) {
    auto migrations = test_migrations(store_->dialect());
    auto newer = migrations;
    newer.push_back({"contract", 2, {"ALTER TABLE items ADD COLUMN extra INTEGER"}});
    ASSERT_TRUE(store_->prepare_schema(newer));
    const auto refused = store_->prepare_schema(migrations);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::too_new) << refused.error().text;
}

TEST_P(StoreContract, AForeignTableOfOurNameIsRefusedAndLeftAlone) {
    subject_->foreign("CREATE TABLE taken (x INTEGER)");
    auto migrations = test_migrations(store_->dialect());
    migrations.push_back(
        {"other", 1, {"CREATE TABLE fresh (id INTEGER)", "CREATE TABLE taken (id INTEGER)"}});
    const auto refused = store_->prepare_schema(migrations);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::constraint) << refused.error().text;
    EXPECT_NE(refused.error().text.find("taken"), std::string::npos) << refused.error().text;
    EXPECT_FALSE(session()->prepare("SELECT * FROM fresh"));
    EXPECT_TRUE(session()->prepare("SELECT x FROM taken"));
}

}  // namespace penstock::test
