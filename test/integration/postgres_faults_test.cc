// What the PostgreSQL adapter says when lines, backends and servers go in the middle of a
// transaction, and what is in the database then.
#include <fmt/format.h>
#include <signal.h>

#include <atomic>

#include "penstock/runtime/schema.h"
#include "test/integration/postgres_fixture.h"
#include "test/kit/seed.h"
#include "test/kit/seeded_random.h"

namespace penstock::test {
namespace {

using namespace std::chrono_literals;

class PostgresFaults : public PostgresTest {
protected:
    void SetUp() override {
        PostgresTest::SetUp();
        store_ = store_at(url());
        proxied_ = store_at(proxied_url());
        ASSERT_TRUE(store_ && proxied_);
        ASSERT_TRUE(store_->prepare_schema(runtime_migrations(store_->dialect())));
        const Migration counter{"test",
                                1,
                                {"CREATE TABLE counter (id bigint PRIMARY KEY, n bigint NOT NULL)",
                                 "INSERT INTO counter VALUES (1, 0), (2, 0)"}};
        ASSERT_TRUE(store_->prepare_schema({&counter, 1}));
    }
    static Result<Rows> increment(Session& session, std::int64_t id = 1) {
        return run(session, "UPDATE counter SET n = n + 1 WHERE id = :id", {id});
    }
    std::int64_t counter() {
        return std::stoll(execute("SELECT n::text FROM counter WHERE id = 1"));
    }

    std::unique_ptr<PostgresStore> store_, proxied_;
};

TEST_F(PostgresFaults, ACommitWhoseReplyIsLostIsUnknownAndTheReadBackTellsTheTruth) {
    const Seed seed;
    SeededRandom random(seed.value());
    const auto session = session_of(*proxied_);
    OwnerOfT owner(*session);
    owner.take();
    std::int64_t done = 0;
    int unknown_done = 0, unknown_not = 0;
    for (int round = 0; round < 40; ++round) {
        ASSERT_TRUE(owner.begin());
        ASSERT_TRUE(increment(*session));
        const bool arrives = random.next() % 2 == 0;
        if (arrives) {
            proxy_->swallow_reply("COMMIT");
        } else {
            proxy_->cut_before("COMMIT");
        }
        const auto committed = session->commit();
        ASSERT_FALSE(committed);
        EXPECT_EQ(committed.error().effect, Effect::unknown) << committed.error().text;
        EXPECT_EQ(committed.error().lost, Lost::session) << committed.error().text;
        ASSERT_TRUE(session->reconnect());
        const auto was = owner.was_committed();
        ASSERT_TRUE(was) << was.error().text;
        EXPECT_EQ(*was, arrives);
        if (*was) owner.keep();
        done += *was;
        (arrives ? unknown_done : unknown_not) += 1;
        EXPECT_EQ(counter(), done);
    }
    EXPECT_GT(unknown_done, 0);
    EXPECT_GT(unknown_not, 0);
}

// The client has given up, the COMMIT is still on its way: the read-back waits for the row's lock
// until the server has ended the idle session, so that the late COMMIT finds nobody.
TEST_F(PostgresFaults, ALateCommitCannotContradictTheReadBack) {
    const auto hasty = store_of({.url = proxied_url(), .reply_time = 500ms});
    ASSERT_TRUE(hasty);
    SessionLimits limits;
    limits.idle_transaction = 1500ms;
    limits.busy = 250ms;
    const auto session = session_of(*hasty, limits);
    OwnerOfT owner(*session);
    owner.take();
    ASSERT_TRUE(owner.begin());
    ASSERT_TRUE(increment(*session));
    proxy_->blackhole(Way::up, true);
    const auto committed = session->commit();
    ASSERT_FALSE(committed);
    EXPECT_EQ(committed.error().effect, Effect::unknown) << committed.error().text;
    const auto again = session_of(*store_);
    Ownership reader(Owner{"test", {}, true});
    ASSERT_TRUE(reader.prepare(*again, store_->dialect()));
    const auto was = reader.was_committed(*again, owner.owned);
    ASSERT_TRUE(was) << was.error().text;
    EXPECT_FALSE(*was);
    proxy_->blackhole(Way::up, false);
    ASSERT_TRUE(mend(*session));  // the late bytes went ahead of it
    EXPECT_EQ(counter(), 0);
}

TEST_F(PostgresFaults, ALineThatIsCutAnywhereLosesOrKeepsWholeTransactions) {
    const Seed seed;
    SeededRandom random(seed.value());
    const auto session = session_of(*proxied_);
    OwnerOfT owner(*session);
    owner.take();
    std::int64_t done = 0;
    int faults = 0;
    while (faults < 30) {
        const Way way = random.next() % 2 == 0 ? Way::up : Way::down;
        proxy_->cut_after(way, random.below(400));
        auto step = owner.begin();
        if (step) {
            const auto rows = increment(*session);
            if (!rows) step = rows.error();
        }
        if (step) step = session->commit();
        if (step) {
            owner.keep();
            ++done;
            continue;
        }
        ++faults;
        ASSERT_EQ(step.error().lost, Lost::session) << step.error().text;
        session->rollback();
        ASSERT_TRUE(mend(*session));
        const auto was = owner.was_committed();
        ASSERT_TRUE(was) << was.error().text;
        // Whatever could not be known is known now; what was said to be undone is undone.
        EXPECT_FALSE(*was && step.error().effect == Effect::none) << step.error().text;
        if (*was) owner.keep();
        done += *was;
        ASSERT_EQ(counter(), done);
    }
}

TEST_F(PostgresFaults, AKilledBackendTakesTheSessionAndNothingThatWasCommitted) {
    const auto session = session_of(*store_);
    const auto witness = session_of(*store_);
    ASSERT_TRUE(session->begin());
    ASSERT_TRUE(increment(*session));
    ASSERT_TRUE(session->commit());
    ASSERT_TRUE(session->begin());
    ASSERT_TRUE(increment(*session));
    ASSERT_EQ(::kill(std::stoi(session->server_id()), SIGKILL), 0);
    const auto after = increment(*session);
    ASSERT_FALSE(after);
    EXPECT_EQ(after.error().lost, Lost::session) << after.error().text;
    session->rollback();
    EXPECT_FALSE(session->begin());
    // The server ends every backend before it recovers; until it has noticed, a new session would
    // be ended soon.
    const MonoTime until = system_env().clock.mono() + 60s;
    while (witness->begin() && run(*witness, "SELECT 1", {}) && system_env().clock.mono() < until) {
        witness->rollback();
    }
    ASSERT_TRUE(mend(*session));  // the whole server recovers first
    EXPECT_EQ(integer(*session, "SELECT n FROM counter WHERE id = 1"), 1);
}

TEST_F(PostgresFaults, AServerThatIsGoneIsUnreachableByNameAndComesBack) {
    const auto session = session_of(*store_);
    ASSERT_TRUE(session->begin());
    ASSERT_TRUE(increment(*session));
    engines_->kill("postgres");
    const auto late = session->commit();
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().effect, Effect::unknown) << late.error().text;
    const auto down = session->reconnect();
    ASSERT_FALSE(down);
    EXPECT_EQ(down.error().code, Code::unreachable);
    EXPECT_EQ(down.error().lost, Lost::session);
    EXPECT_NE(down.error().text.find(fmt::format("127.0.0.1:{}", server_.port)), std::string::npos)
        << down.error().text;
    engines_->restart("postgres");
    ASSERT_TRUE(mend(*session));
    EXPECT_EQ(integer(*session, "SELECT n FROM counter WHERE id = 1"), 0);
    ASSERT_TRUE(session->begin());
    ASSERT_TRUE(increment(*session));
    ASSERT_TRUE(session->commit());
}

TEST_F(PostgresFaults, AServerThatSaysNothingIsGivenUpAfterTheReplyTime) {
    const auto store = store_of({.url = url(), .connect_time = 1s, .reply_time = 1s});
    ASSERT_TRUE(store);
    SessionLimits limits;
    limits.busy = 500ms;
    const auto session = session_of(*store, limits);
    ASSERT_TRUE(session->begin());
    ASSERT_TRUE(increment(*session));
    engines_->pause("postgres");
    const auto committed = session->commit();
    const auto begun = session->reconnect();
    engines_->resume("postgres");
    ASSERT_FALSE(committed || begun);
    EXPECT_EQ(committed.error().effect, Effect::unknown) << committed.error().text;
    EXPECT_EQ(committed.error().lost, Lost::session);
    EXPECT_EQ(begun.error().code, Code::unreachable) << begun.error().text;
    EXPECT_EQ(begun.error().lost, Lost::session);
    ASSERT_TRUE(mend(*session));
    ASSERT_TRUE(session->begin());
    ASSERT_TRUE(increment(*session, 2));
    engines_->pause("postgres");
    const auto silent = increment(*session);
    engines_->resume("postgres");
    ASSERT_FALSE(silent);
    EXPECT_EQ(silent.error().code, Code::unreachable) << silent.error().text;
    EXPECT_EQ(silent.error().effect, Effect::none);
    EXPECT_EQ(silent.error().lost, Lost::session);
    session->rollback();
    ASSERT_TRUE(mend(*session));
    EXPECT_EQ(integer(*session, "SELECT n FROM counter WHERE id = 2"), 0);
}

TEST_F(PostgresFaults, TheServersLimitsOnLocksAndStatementsComeBeforeTheReplyTime) {
    const auto store = store_of({.url = url(), .reply_time = 500ms});
    ASSERT_TRUE(store);
    SessionLimits limits;
    limits.busy = 1s;
    const auto holder = session_of(*store_), session = session_of(*store, limits);
    ASSERT_TRUE(holder->begin() && increment(*holder));
    for (const char* slow : {"UPDATE counter SET n = 9 WHERE id = 1", "SELECT pg_sleep(30)"}) {
        ASSERT_TRUE(session->begin());
        const MonoTime begun = system_env().clock.mono();
        const auto ended = run(*session, slow);
        ASSERT_FALSE(ended);
        EXPECT_GE(system_env().clock.mono() - begun, limits.busy) << ended.error().text;
        EXPECT_EQ(ended.error().lost, Lost::transaction) << ended.error().text;
        session->rollback();
    }
    EXPECT_EQ(integer(*session, "SELECT n FROM counter WHERE id = 1"), 0);
}

TEST_F(PostgresFaults, AStaleOwnersBatchMatchesNoRow) {
    const auto first = session_of(*store_), second = session_of(*store_);
    OwnerOfT stale(*first), owner(*second);
    stale.take();
    owner.take();
    const auto refused = stale.begin();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::fenced) << refused.error().text;
    ASSERT_TRUE(owner.begin());
    ASSERT_TRUE(increment(*second));
    ASSERT_TRUE(second->commit());
    owner.keep();
    EXPECT_EQ(stale.was_committed().error().code, Code::fenced);
    EXPECT_EQ(counter(), 1);
}

/// Reads, then writes what it read plus one: right only if nobody writes between.
Result<void> read_then_write(Session& session, const std::function<void()>& between) {
    const auto read = session.prepare("SELECT n FROM counter WHERE id = 1");
    const auto write = session.prepare("UPDATE counter SET n = :n WHERE id = 1");
    if (!read) return read.error();
    if (!write) return write.error();
    const auto rows = run_one(session, *read, {});
    if (!rows) return rows.error();
    between();
    const Value next[] = {rows->table.integer(0, 0) + 1};
    const auto written = run_one(session, *write, next);
    return written ? Result<void>() : written.error();
}

TEST_F(PostgresFaults, TwoOwnersWithoutTheFenceLoseUpdates) {
    const auto first = session_of(*store_), second = session_of(*store_);
    for (int round = 0; round < 10; ++round) {
        ASSERT_TRUE(first->begin());
        ASSERT_TRUE(read_then_write(*first, [&] {
            ASSERT_TRUE(second->begin());
            ASSERT_TRUE(read_then_write(*second, [] {}));
            ASSERT_TRUE(second->commit());
        }));
        ASSERT_TRUE(first->commit());
    }
    EXPECT_EQ(counter(), 10);  // of 20: the test above would not see a fence that does nothing
}

TEST_F(PostgresFaults, TwoOwnersWithTheFenceLoseNone) {
    std::atomic<std::int64_t> done{0};
    std::atomic<int> fenced{0};
    const auto owner_of_now = [&] {
        const auto session = session_of(*store_);
        OwnerOfT owner(*session);
        owner.take();
        for (int left = 100; left > 0;) {
            auto step = owner.begin();
            if (step) step = read_then_write(*session, [] {});
            if (step) step = session->commit();
            if (step) {
                owner.keep();
                ++done;
                --left;
                continue;
            }
            ASSERT_EQ(step.error().code, Code::fenced) << step.error().text;
            ++fenced;
            owner.take();
        }
    };
    {
        Executor& executor = system_env().executor;
        const auto one = executor.spawn("owner-1", owner_of_now);
        const auto other = executor.spawn("owner-2", owner_of_now);
    }
    EXPECT_EQ(counter(), done.load());
    EXPECT_EQ(done.load(), 200);
    EXPECT_GT(fenced.load(), 0);
}

TEST_F(PostgresFaults, ADeadlockIsAConflictThatTakesTheTransaction) {
    SessionLimits patient;
    patient.busy = 20s;
    const auto first = session_of(*store_, patient), second = session_of(*store_, patient);
    ASSERT_TRUE(first->begin() && second->begin());
    ASSERT_TRUE(increment(*first, 1) && increment(*second, 2));
    ASSERT_TRUE(first->savepoint());
    Result<Rows> crossed{Rows{}};
    auto other = system_env().executor.spawn("crossing", [&] {
        crossed = increment(*second, 1);
        second->rollback();
    });
    const auto own = increment(*first, 2);
    first->rollback();
    other.reset();
    ASSERT_NE(own.ok(), crossed.ok());
    const Error& failure = own.ok() ? crossed.error() : own.error();
    EXPECT_EQ(failure.code, Code::conflict) << failure.text;
    EXPECT_EQ(failure.lost, Lost::transaction) << failure.text;
}

}  // namespace
}  // namespace penstock::test
