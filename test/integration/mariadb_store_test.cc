// What goes wrong between a session and its server, and what is true afterwards.
#include <gtest/gtest.h>

#include "penstock/runtime/ownership.h"
#include "penstock/runtime/schema.h"
#include "test/integration/mariadb_kit.h"
#include "test/kit/fault_proxy.h"

namespace penstock::test {
namespace {

using namespace std::chrono_literals;

const Migration kThings{
    "things", 1, {"CREATE TABLE thing (id INTEGER PRIMARY KEY, n INTEGER CHECK (n >= 0))"}};
const std::string kPut = "INSERT INTO thing (id, n) VALUES (:id, :n)";
const std::string kSet = "UPDATE thing SET n = :n WHERE id = :id";
const std::string kCommit(
    "\x03"
    "COMMIT");  // the request's first byte: a query
constexpr std::int64_t kOne = 1, kTwo = 2;

std::string session_of(const std::string& name) {
    return "SELECT IS_USED_LOCK('" + name + "')";
}

/// A database behind a proxy, with the tables of the runtime and one of the test.
class MariadbFaults : public ::testing::Test {
protected:
    void SetUp() override {
        MariadbOptions options;
        options.url = server_.url(database_, proxy_.port());
        store_ = open_store(options);
        ASSERT_NE(store_, nullptr);
        auto migrations = runtime_migrations(store_->dialect());
        migrations.push_back(kThings);
        const auto made = store_->prepare_schema(migrations);
        ASSERT_TRUE(made) << made.error().text;
        session_ = open_session(*store_);
        ASSERT_TRUE(ownership_.prepare(*session_, store_->dialect()));
        ASSERT_TRUE(session_->begin());
        ASSERT_TRUE(ownership_.make(*session_, at_, Uuid{}));
        ASSERT_TRUE(session_->commit());
        auto owned = ownership_.take(*session_, at_, nullptr);
        ASSERT_TRUE(owned) << owned.error().text;
        owned_ = *owned;
    }

    /// Fence and a row, not committed.
    void begin_batch(std::int64_t id) {
        ASSERT_TRUE(session_->begin());
        const Advance advance{Offset(owned_.next.value() + 1), 7, log_time(1)};
        const auto fenced = ownership_.fence(*session_, owned_, advance);
        ASSERT_TRUE(fenced) << fenced.error().text;
        run_sql(*session_, kPut, {id, kOne});
    }
    void expect_unknown_commit() {
        const auto done = session_->commit();
        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().effect, Effect::unknown) << done.error().text;
        EXPECT_EQ(done.error().lost, Lost::session);
        const auto back = session_->reconnect();
        ASSERT_TRUE(back) << back.error().text;
    }
    std::int64_t rows() { return number(*session_, "SELECT count(*) FROM thing"); }

    MariadbServer& server_ = MariadbServer::shared();
    const std::string database_ = server_.new_database();
    FaultProxy proxy_{server_.port()};
    const TopicPartition at_{TopicId("sale"), PartitionId(0)};
    std::unique_ptr<MariadbStore> store_;
    std::unique_ptr<Session> session_;
    Ownership ownership_{Owner{"penstock", {}, true}};
    Owned owned_;
};

TEST_F(MariadbFaults, ACommitWhoseReplyIsLostWasDoneAndTheOwnerRowSaysSo) {
    begin_batch(1);
    proxy_.swallow_reply(kCommit);
    expect_unknown_commit();
    EXPECT_EQ(proxy_.swallowed(), 1u);
    const auto done = ownership_.was_committed(*session_, owned_);
    ASSERT_TRUE(done) << done.error().text;
    EXPECT_TRUE(*done);
    EXPECT_EQ(rows(), 1);
}

TEST_F(MariadbFaults, ACommitThatNeverArrivedWasNotDoneAndTheOwnerRowSaysSo) {
    begin_batch(1);
    proxy_.cut_before(kCommit);
    expect_unknown_commit();
    EXPECT_EQ(proxy_.cuts(), 1u);
    const auto done = ownership_.was_committed(*session_, owned_);
    ASSERT_TRUE(done) << done.error().text;
    EXPECT_FALSE(*done);
    EXPECT_EQ(rows(), 0);
    begin_batch(1);  // the same again
    ASSERT_TRUE(session_->commit());
    EXPECT_EQ(rows(), 1);
}

TEST_F(MariadbFaults, AnUnknownCommitOfAnOwnerThatWasReplacedIsFenced) {
    begin_batch(1);
    proxy_.cut_before(kCommit);
    expect_unknown_commit();
    const auto successor = open_session(*store_);
    Ownership other(Owner{"penstock", {}, true});
    ASSERT_TRUE(other.prepare(*successor, store_->dialect()));
    ASSERT_TRUE(other.take(*successor, at_, nullptr));
    const auto done = ownership_.was_committed(*session_, owned_);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::fenced) << done.error().text;
}

TEST_F(MariadbFaults, AStaleEpochMatchesNoRow) {
    const auto successor = open_session(*store_);
    Ownership other(Owner{"penstock", {}, true});
    ASSERT_TRUE(other.prepare(*successor, store_->dialect()));
    const auto taken = other.take(*successor, at_, nullptr);
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->epoch.value(), owned_.epoch.value() + 1);
    ASSERT_TRUE(session_->begin());
    const auto stale = ownership_.fence(*session_, owned_, {Offset(1), 7, log_time(1)});
    ASSERT_FALSE(stale);
    EXPECT_EQ(stale.error().code, Code::fenced);
    session_->rollback();
    ASSERT_TRUE(successor->begin());
    const auto fresh = other.fence(*successor, *taken, {Offset(1), 7, log_time(1)});
    EXPECT_TRUE(fresh) << fresh.error().text;
    successor->rollback();
}

TEST_F(MariadbFaults, AnAnswerThatIsLostInsideATransactionTakesTheSession) {
    begin_batch(1);
    proxy_.cut_after(Way::down, 3);
    const Error failure = sql_error(*session_, kSet, {kTwo, kOne});
    EXPECT_EQ(failure.lost, Lost::session) << failure.text;
    EXPECT_EQ(failure.code, Code::unreachable);
    const Value row[] = {kTwo, kOne};
    const auto later = run_one(*session_, *session_->prepare(kPut), row);
    ASSERT_FALSE(later);
    EXPECT_EQ(later.error().lost, Lost::session);
    const auto commit = session_->commit();
    ASSERT_FALSE(commit);
    EXPECT_EQ(commit.error().effect, Effect::none);  // it was never sent
    ASSERT_TRUE(session_->reconnect());
    EXPECT_EQ(rows(), 0);
}

TEST_F(MariadbFaults, AKilledConnectionTakesTheSession) {
    begin_batch(1);
    const std::string id = server_.ask(session_of(session_->server_id()))[0][0];
    server_.ask("KILL CONNECTION " + id);
    const Error failure = sql_error(*session_, kSet, {kTwo, kOne});
    EXPECT_EQ(failure.lost, Lost::session) << failure.text;
    session_->rollback();
    const auto begun = session_->begin();
    ASSERT_FALSE(begun);
    EXPECT_EQ(begun.error().lost, Lost::session);
    ASSERT_TRUE(session_->reconnect());
    EXPECT_EQ(rows(), 0);
}

TEST_F(MariadbFaults, AServerThatSaysNothingIsGivenUpAfterTheReplyTime) {
    MariadbOptions options;
    options.url = server_.url(database_, proxy_.port());
    options.reply_time = 1s;
    const auto store = open_store(options);
    const auto session = open_session(*store);
    ASSERT_TRUE(session->begin());
    run_sql(*session, kPut, {kOne, kOne});
    proxy_.blackhole(Way::down, true);
    const Error failure = sql_error(*session, kSet, {kTwo, kOne});
    EXPECT_EQ(failure.lost, Lost::session) << failure.text;
    proxy_.blackhole(Way::down, false);
    ASSERT_TRUE(session->reconnect());
}

/// A server of its own: it is killed.
TEST(MariadbRestart, CommitsSurviveAKilledServerAndSessionsComeBack) {
    MariadbServer server;
    MariadbOptions options;
    options.url = server.url("penstock");
    options.connect_time = 1s;
    const auto store = open_store(options);
    ASSERT_TRUE(store->prepare_schema({&kThings, 1}));
    const auto session = open_session(*store);
    ASSERT_TRUE(session->begin());
    run_sql(*session, kPut, {kOne, kOne});
    ASSERT_TRUE(session->commit());
    ASSERT_TRUE(session->begin());
    run_sql(*session, kPut, {kTwo, kOne});
    const std::string name = session->server_id();
    server.kill();
    const Error failure = sql_error(*session, kSet, {kTwo, kOne});
    EXPECT_EQ(failure.lost, Lost::session) << failure.text;
    const auto down = session->reconnect();
    ASSERT_FALSE(down);
    EXPECT_EQ(down.error().code, Code::unreachable);
    EXPECT_EQ(down.error().lost, Lost::session);
    const std::string place = "127.0.0.1:" + std::to_string(server.port());
    EXPECT_NE(down.error().text.find(place), std::string::npos) << down.error().text;
    server.restart();
    const auto back = session->reconnect();
    ASSERT_TRUE(back) << back.error().text;
    EXPECT_EQ(number(*session, "SELECT sum(id) FROM thing"), 1);
    EXPECT_NE(session->server_id(), name);
    EXPECT_TRUE(store->end_session(name));  // of before the restart: nobody is hit
    EXPECT_EQ(number(*session, "SELECT sum(id) FROM thing"), 1);
}

}  // namespace
}  // namespace penstock::test
