// Two sessions on the same rows: what locks, deadlocks and isolation do, and what bites without.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "test/integration/mariadb_kit.h"

namespace penstock::test {
namespace {

using namespace std::chrono_literals;

const Migration kCounters{
    "counters",
    1,
    {"CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, list TEXT NOT NULL)",
     "INSERT INTO counter VALUES (1, 0, ''), (2, 0, '')"}};
const std::string kSet = "UPDATE counter SET n = :n WHERE id = :id";
const std::string kRead = "SELECT n FROM counter WHERE id = 1";
constexpr std::int64_t kOne = 1, kTwo = 2, kSeven = 7;

struct Pair {
    explicit Pair(MariadbServer& server, SessionLimits limits = {}, bool found_rows = true) {
        MariadbOptions options;
        options.url = server.url(server.new_database());
#if PENSTOCK_FAILPOINTS
        options.found_rows = found_rows;
#endif
        (void)found_rows;
        store = open_store(options);
        EXPECT_TRUE(store->prepare_schema({&kCounters, 1}));
        a = open_session(*store, Role::owner, limits);
        b = open_session(*store);
    }
    std::unique_ptr<MariadbStore> store;
    std::unique_ptr<Session> a, b;
};

TEST(MariadbIsolation, ADeadlockTakesTheWholeTransactionOfItsVictim) {
    Pair pair(MariadbServer::shared());
    ASSERT_TRUE(pair.a->begin() && pair.b->begin());
    run_sql(*pair.a, kSet, {kSeven, kOne});
    run_sql(*pair.b, kSet, {kSeven, kTwo});
    const auto other = pair.b->prepare(kSet);
    Result<Rows> second{Rows{}};
    const Value row[] = {kSeven, kOne};
    auto waiting =
        system_env().executor.spawn("deadlock", [&] { second = run_one(*pair.b, *other, row); });
    const Value opposite[] = {kSeven, kTwo};
    const auto first = run_one(*pair.a, *pair.a->prepare(kSet), opposite);
    // Which of the two is chosen is the server's; the other goes on when the victim rolls back.
    if (!first) pair.a->rollback();
    waiting.reset();
    ASSERT_NE(first.ok(), second.ok());
    Session& victim = first ? *pair.b : *pair.a;
    const Error& failure = first ? second.error() : first.error();
    EXPECT_EQ(failure.code, Code::conflict) << failure.text;
    EXPECT_EQ(failure.lost, Lost::transaction);
    EXPECT_EQ(failure.effect, Effect::none);
    victim.rollback();
    EXPECT_TRUE((first ? *pair.a : *pair.b).commit());
    EXPECT_EQ(number(victim, "SELECT sum(n) FROM counter"), 14);
}

// The server says "in transaction" also after a deadlock, since it begins a new one by itself.
TEST(MariadbIsolation, NothingOfADeadlocksVictimIsEverCommitted) {
    Pair pair(MariadbServer::shared());
    ASSERT_TRUE(pair.a->begin() && pair.b->begin());
    // The transaction with fewer rows is the victim.
    run_sql(*pair.b, "UPDATE counter SET n = n + 1, list = 'b' WHERE id = 2");
    run_sql(*pair.b, "INSERT INTO counter VALUES (3, 0, ''), (4, 0, ''), (5, 0, ''), (6, 0, '')");
    run_sql(*pair.a, kSet, {kSeven, kOne});
    const auto update = pair.b->prepare("UPDATE counter SET list = 'b' WHERE id = 1");
    std::atomic<bool> done{false};
    auto waiting = system_env().executor.spawn("deadlock", [&] {
        EXPECT_TRUE(run_one(*pair.b, *update, {}));
        done = true;
    });
    const Error failure = sql_error(*pair.a, kSet, {kSeven, kTwo});
    ASSERT_EQ(failure.lost, Lost::transaction) << failure.text;
    const Value row[] = {std::int64_t{9}, kOne};
    const auto after = run_one(*pair.a, *pair.a->prepare(kSet), row);
    ASSERT_FALSE(after);
    EXPECT_EQ(after.error().lost, Lost::transaction);
    const auto commit = pair.a->commit();
    ASSERT_FALSE(commit);
    EXPECT_EQ(commit.error().effect, Effect::none);
    pair.a->rollback();
    waiting.reset();
    EXPECT_TRUE(done);
    ASSERT_TRUE(pair.b->commit());
    EXPECT_EQ(number(*pair.a, kRead), 0);
}

SessionLimits impatient() {
    SessionLimits limits;
    limits.busy = 1ms;
    return limits;
}

TEST(MariadbIsolation, AWaitForALockThatIsOverTakesTheStatement) {
    Pair pair(MariadbServer::shared(), impatient());
    ASSERT_TRUE(pair.a->begin() && pair.b->begin());
    run_sql(*pair.b, kSet, {kSeven, kOne});
    run_sql(*pair.a, kSet, {kSeven, kTwo});
    const Error failure = sql_error(*pair.a, kSet, {kTwo, kOne});
    EXPECT_EQ(failure.code, Code::conflict) << failure.text;
    EXPECT_EQ(failure.lost, Lost::statement);
    pair.b->rollback();
    ASSERT_TRUE(pair.a->commit());
    EXPECT_EQ(number(*pair.b, "SELECT n FROM counter WHERE id = 2"), 7);
}

TEST(MariadbIsolation, AWaitForALockTakesTheTransactionWhereTheServerIsSetSo) {
    MariadbServer server(Engines::Options{{"innodb_rollback_on_timeout", "ON"}});
    Pair pair(server, impatient());
    ASSERT_TRUE(pair.a->begin() && pair.b->begin());
    run_sql(*pair.b, kSet, {kSeven, kOne});
    run_sql(*pair.a, kSet, {kSeven, kTwo});
    const Error failure = sql_error(*pair.a, kSet, {kTwo, kOne});
    EXPECT_EQ(failure.code, Code::conflict) << failure.text;
    EXPECT_EQ(failure.lost, Lost::transaction);
    EXPECT_FALSE(pair.a->commit());
    pair.a->rollback();
    EXPECT_EQ(number(*pair.a, "SELECT n FROM counter WHERE id = 2"), 0);
}

TEST(MariadbIsolation, FoundRowsAreCountedAndNotChangedOnes) {
    Pair pair(MariadbServer::shared());
    ASSERT_TRUE(pair.a->begin());
    EXPECT_EQ(run_sql(*pair.a, kSet, {std::int64_t{0}, kOne}).matched, 1u);
    const std::vector<Value> rows = {std::int64_t{0}, kOne, kSeven, kTwo, kOne, std::int64_t{99}};
    EXPECT_EQ(run_sql_many(*pair.a, kSet, rows).matched, 2u);
}

#if PENSTOCK_FAILPOINTS
TEST(MariadbIsolation, WithoutFoundRowsAnUpdateToTheSameValueLooksLikeALostRow) {
    Pair pair(MariadbServer::shared(), {}, false);
    ASSERT_TRUE(pair.a->begin());
    EXPECT_EQ(run_sql(*pair.a, kSet, {std::int64_t{0}, kOne}).matched, 0u);
}
#endif

// What is forbidden above the port, and why: the second write loses the first.
TEST(MariadbIsolation, SelectThenUpdateLosesAnUpdate) {
    Pair pair(MariadbServer::shared());
    ASSERT_TRUE(pair.a->begin() && pair.b->begin());
    const std::int64_t seen_a = run_sql(*pair.a, kRead).table.integer(0, 0);
    const std::int64_t seen_b = run_sql(*pair.b, kRead).table.integer(0, 0);
    run_sql(*pair.a, kSet, {seen_a + 1, kOne});
    ASSERT_TRUE(pair.a->commit());
    run_sql(*pair.b, kSet, {seen_b + 1, kOne});
    ASSERT_TRUE(pair.b->commit());
    EXPECT_EQ(number(*pair.a, kRead), 1);  // two increments were committed
}

TEST(MariadbIsolation, AConditionalUpdateSeesWhatWasCommittedMeanwhile) {
    const std::string take = "UPDATE counter SET n = n + 1 WHERE id = :id AND n = :n";
    Pair pair(MariadbServer::shared());
    ASSERT_TRUE(pair.a->begin() && pair.b->begin());
    EXPECT_EQ(run_sql(*pair.b, kRead).table.integer(0, 0), 0);
    EXPECT_EQ(run_sql(*pair.a, take, {kOne, std::int64_t{0}}).matched, 1u);
    ASSERT_TRUE(pair.a->commit());
    EXPECT_EQ(run_sql(*pair.b, take, {kOne, std::int64_t{0}}).matched, 0u);  // READ COMMITTED
    EXPECT_EQ(run_sql(*pair.b, take, {kOne, std::int64_t{1}}).matched, 1u);
    ASSERT_TRUE(pair.b->commit());
    EXPECT_EQ(number(*pair.a, kRead), 2);
}

/// Each appends its letter and counts, in turns that nobody arranges.
void append(Session& session, const std::string& letter, int times) {
    const auto update = session.prepare(
        "UPDATE counter SET n = n + 1, list = CONCAT(list, :letter) WHERE id = :id");
    const Value values[] = {std::string_view(letter), kOne};
    for (int done = 0; done < times;) {
        ASSERT_TRUE(session.begin());
        const auto rows = run_one(session, *update, values);
        if (rows && session.commit()) {
            ASSERT_EQ(rows->matched, 1u);
            ++done;
        } else {
            session.rollback();
        }
    }
}

TEST(MariadbIsolation, TwoOwnersLoseNoAppendAndNoCount) {
    constexpr int kTimes = 150;
    Pair pair(MariadbServer::shared());
    auto other = system_env().executor.spawn("appender", [&] { append(*pair.b, "b", kTimes); });
    append(*pair.a, "a", kTimes);
    other.reset();
    EXPECT_EQ(number(*pair.a, kRead), 2 * kTimes);
    ASSERT_TRUE(pair.a->begin());
    const Table table = run_sql(*pair.a, "SELECT list FROM counter WHERE id = 1").table;
    const std::string list(table.text(0, 0));
    EXPECT_EQ(std::count(list.begin(), list.end(), 'a'), kTimes);
    EXPECT_EQ(std::count(list.begin(), list.end(), 'b'), kTimes);
}

}  // namespace
}  // namespace penstock::test
