#include "penstock/verify/verify.h"

#include <gtest/gtest.h>

#include <functional>
#include <sstream>

#include "penstock/gate/local/local_gate.h"
#include "test/kit/append_collector.h"
#include "test/scenario/sale_node.h"
#include "test/sim/log_wrapper.h"

namespace penstock::verify {
namespace {

using test::Asking;
using test::SaleNode;

/// A record that can be changed.
struct Kept {
    std::optional<std::string> key, value;
    std::vector<std::pair<std::string, std::string>> headers;
    LogTime time{};
};

/// Another history under the same partition's uuid: what an attacker with all checksums right, or a
/// restored disk, would show.
class ForgedLog final : public test::LogWrapper {
public:
    ForgedLog(Log& target, const TopicPartition& at) : LogWrapper(target), at_(at) {
        const auto info = target.describe(at.topic)->front().partitions.front();
        start = info.start.value();
        std::uint64_t next = start;
        while (next < info.end.value()) {
            const auto read = target.read(at, Offset(next), {});
            PENSTOCK_CHECK(read.ok());
            for (const Logged& record : (*read)->records()) {
                Kept& kept = records.emplace_back();
                if (record.key) kept.key = as_text(*record.key);
                if (record.value) kept.value = as_text(*record.value);
                for (const Header& header : record.headers) {
                    kept.headers.emplace_back(header.name, as_text(header.value));
                }
                kept.time = record.time;
                ++next;
            }
        }
    }

    Result<std::vector<TopicInfo>> describe(const std::optional<TopicId>& topic) override {
        auto info = target_.describe(topic);
        PENSTOCK_TRY(failure);
        info->front().partitions.front().start = Offset(start);
        info->front().partitions.front().end = Offset(start + records.size());
        return info;
    }
    Result<std::unique_ptr<ReadBatch>> read(const TopicPartition&, Offset from,
                                            const ReadLimits& limits) override {
        PENSTOCK_TRY(failure);
        return std::unique_ptr<ReadBatch>(
            std::make_unique<Batch>(*this, from.value(), limits.max_records));
    }
    /// The record of a command id.
    Kept& of(std::string_view id) {
        for (Kept& kept : records) {
            for (const auto& [name, value] : kept.headers) {
                if (name == "id" && value == id) return kept;
            }
        }
        PENSTOCK_CHECK(false);
        return records.front();
    }
    void forget_first(std::uint64_t count) {
        start += count;
        records.erase(records.begin(), records.begin() + static_cast<std::ptrdiff_t>(count));
    }

    std::uint64_t start = 0;
    std::vector<Kept> records;
    Result<void> failure;

private:
    class Batch final : public ReadBatch {
    public:
        Batch(const ForgedLog& log, std::uint64_t from, std::size_t most) {
            const std::uint64_t end = log.start + log.records.size();
            headers_.reserve(most);
            for (std::uint64_t at = from; at < end && records_.size() < most; ++at) {
                const Kept& kept = log.records[at - log.start];
                auto& headers = headers_.emplace_back();
                for (const auto& [name, value] : kept.headers) {
                    headers.push_back({name, as_bytes(value)});
                }
                Logged& record = records_.emplace_back();
                if (kept.key) record.key = as_bytes(*kept.key);
                if (kept.value) record.value = as_bytes(*kept.value);
                record.headers = headers;
                record.offset = Offset(at);
                record.time = kept.time;
            }
        }
        std::span<const Logged> records() const override { return records_; }

    private:
        std::vector<std::vector<Header>> headers_;
        std::vector<Logged> records_;
    };

    const TopicPartition at_;
};

/// A session in whose snapshot somebody has changed tables with a careless hand; nothing of it
/// stays.
class TamperedSession final : public Session {
public:
    TamperedSession(Session& owner, std::vector<std::string> changes)
        : owner_(owner), changes_(std::move(changes)) {}

    Result<StatementId> prepare(std::string_view sql) override { return owner_.prepare(sql); }
    Result<void> begin() override {
        PENSTOCK_TRY(owner_.begin());
        for (const std::string& sql : changes_) {
            const auto statement = owner_.prepare(sql);
            if (!statement) return statement.error();
            const auto rows = run_one(owner_, *statement, {});
            if (!rows) return rows.error();
            EXPECT_GT(rows->matched, 0u) << "changes nothing: " << sql;
        }
        return {};
    }
    std::size_t run(std::span<const Call> calls, std::span<Result<Rows>> out) override {
        return owner_.run(calls, out);
    }
    Result<Rows> run_many(StatementId id, std::span<const Value> rows) override {
        return owner_.run_many(id, rows);
    }
    Result<void> savepoint() override { return owner_.savepoint(); }
    Result<void> rollback_to_savepoint() override { return owner_.rollback_to_savepoint(); }
    Result<void> commit() override { return owner_.commit(); }
    void rollback() noexcept override { owner_.rollback(); }
    Result<void> reconnect() override { return owner_.reconnect(); }

private:
    Session& owner_;
    const std::vector<std::string> changes_;
};

constexpr std::uint32_t kUnits = 40;

/// A small sale with one of everything that verify looks at.
class Story {
public:
    Story() {
        node_.create_campaign("limited", {kUnits, 2, std::nullopt, std::nullopt});
        node_.create_campaign("free", {1000, std::nullopt, std::nullopt, std::nullopt});
        node_.create_campaign("shut", {10, std::nullopt, std::nullopt, log_time(kYear2100)});
        node_.create_campaign("once", {kUnits, 1, std::nullopt, std::nullopt});
        claim("limited", "anna", 2, "anna-1");
        claim("limited", "a\"b\n\xc3\xa9", 1, "odd \"id\"");
        claim("shut", "anna", 3, "shut-1");
        for (int i = 0; i < 50; ++i) {
            claim("limited", "user-" + std::to_string(i), 1, "l-" + std::to_string(i));
        }
        claim("limited", "user-1", 1, "l-1");  // a repeat
        for (int i = 0; i < 30; ++i) claim("free", "user", 2, "");
        for (int i = 0; i < 30; ++i) claim("once", "user-" + std::to_string(i), 1, "");
        foreign("f-twice", "sale.claim", "once", R"({"user_id":"user-7"})");
        foreign("f-expired", "sale.claim", "free", R"({"user_id":"late"})", "1");
        foreign("f-type", "no.such.type", "free", "{}");
        foreign("f-invalid", "sale.claim", "free", R"({"user_id":"u","user_id":"u"})");
        foreign("f-loose", "sale.claim", "free", R"( {"quantity":3,"user_id":"\u0075"} )");
        foreign("f-conflict", "sale.create", "free", R"({"quantity":7})");
        foreign("f-again", "sale.create", "free", R"({"quantity":1e3})");
        foreign("f-same", "sale.create", "free", R"({ "quantity":1000 })");
        foreign("f-nothing", "sale.claim", "nowhere", R"({"user_id":"u"})");
        foreign("f-over", "sale.claim", "limited", R"({"user_id":"anna"})");
        foreign("f-sold", "sale.claim", "limited", R"({"user_id":"berta"})");
        foreign("f-close", "sale.close", "shut", "{}");
        foreign("f-late", "sale.claim", "shut", R"({"user_id":"u"})");
        foreign("l-2", "sale.claim", "limited", R"({"user_id":"somebody else"})");  // id reused
        foreign("f-undecodable", "sale.claim", "free", R"({"user_id":"u"})", "soon");
        foreign("l-3", "sale.claim", "limited", "{}");
        // Its outcome says that all before it are decided.
        EXPECT_EQ(node_.ask({"free", "the last", 1, "last"}).word(), "granted");
        owner_ = std::move(*node_.store().open(Role::owner, {}));
        reader_ = std::move(*node_.store().open(Role::reader, {}));
    }

    Log& log() { return node_.log(); }
    SaleNode& node() { return node_; }
    Session& owner() { return *owner_; }
    Session& reader() { return *reader_; }
    const TopicPartition& at() const { return at_; }
    std::vector<GateCounts> counts() {
        std::vector<GateCounts> all;
        for (const char* id : {"limited", "free", "shut", "once"}) {
            all.push_back(*node_.gate().counts(ResourceId(id)));
        }
        return all;
    }

private:
    static constexpr std::int64_t kYear2100 = 4'102'444'800'000;

    void claim(const std::string& campaign, const std::string& user, std::uint32_t quantity,
               const std::string& id) {
        node_.ask({campaign, user, quantity, id});
    }
    /// Past requester and gate, as another program would write it.
    void foreign(const std::string& id, const std::string& type, const std::string& key,
                 const std::string& data, const std::string& deadline = "") {
        std::vector<Header> headers = {{"id", as_bytes(id)}, {"type", as_bytes(type)}};
        if (!deadline.empty()) headers.push_back({"deadline", as_bytes(deadline)});
        const Record record{as_bytes(key), as_bytes(data), headers, LayoutId(0)};
        test::AppendCollector done(system_env());
        node_.log().append(at_, {&record, 1}, 0, done);
        ASSERT_TRUE(done.wait_for(1));
    }

    const TopicPartition at_{TopicId("sale"), PartitionId(0)};
    SaleNode node_;
    std::unique_ptr<Session> owner_, reader_;
};

class VerifyTest : public ::testing::Test {
protected:
    static void SetUpTestSuite() { story_ = std::make_unique<Story>(); }
    static void TearDownTestSuite() { story_.reset(); }

    struct Given {
        Log* log = nullptr;  ///< the story's where there is none
        std::vector<std::string> changes;
        std::string history;
        LogTime now = system_env().clock.wall();
    };

    static Result<Verdict> run(const Given& given) {
        TamperedSession tampered(story_->owner(), given.changes);
        Session& session = given.changes.empty() ? story_->reader() : tampered;
        VerifyInput input{given.log ? *given.log : story_->log(), session};
        input.now = given.now;
        input.dedup_horizon = std::chrono::hours(24 * 7);
        std::istringstream history(given.history);
        if (!given.history.empty()) input.history = &history;
        input.gate = []() -> Result<std::vector<GateCounts>> { return story_->counts(); };
        return verify(input);
    }
    /// The names of the checks that failed.
    static std::string failed(const Given& given) {
        const auto verdict = run(given);
        if (!verdict) return "error: " + verdict.error().text;
        std::string names;
        for (const Check& check : verdict->checks) {
            if (!check.ok) names += check.name + "; ";
        }
        text_ = to_text(*verdict);
        EXPECT_EQ(verdict->ok(), names.empty());
        return names;
    }
    static void expect_fault(std::string change, std::string_view check) {
        const std::string names = failed({nullptr, {change}, {}});
        EXPECT_NE(names.find(check), std::string::npos) << change << "\nfailed: " << names << "\n"
                                                        << text_;
    }
    /// Another history with all checksums right; the store is told its last record.
    static void expect_log_fault(ForgedLog& log, std::string_view check) {
        const std::string names = failed({&log, {}, {}});
        EXPECT_NE(names.find(check), std::string::npos) << "failed: " << names << "\n" << text_;
    }

    static inline std::unique_ptr<Story> story_;
    static inline std::string text_;
};

/// A line of the callers' history.
std::string line(const std::string& id, int status, const std::string& body,
                 const std::string& campaign = "limited") {
    std::string quoted;
    for (const char c : body) {
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += c;
    }
    return R"({"id":")" + id + R"(","type":"sale.claim","key":")" + campaign +
           R"(","user_id":"u","quantity":1,"status":)" + std::to_string(status) + R"(,"body":")" +
           quoted + "\"}\n";
}

TEST_F(VerifyTest, AllThatHoldsIsOk) {
    EXPECT_EQ(failed({}), "") << text_;
    EXPECT_NE(text_.find("1 dead letters"), std::string::npos) << text_;
    EXPECT_NE(text_.find("2 repeats"), std::string::npos) << text_;
    ForgedLog same(story_->log(), story_->at());
    EXPECT_EQ(failed({&same, {}, {}}), "") << text_;
    const auto json = to_json(*run({}));
    EXPECT_EQ(json.find(R"({"ok":true,"checks":[{"name":)"), 0u) << json;
}

TEST_F(VerifyTest, FindsAGrantRemovedAddedOrChanged) {
    expect_fault("DELETE FROM sale_grant WHERE campaign = 'limited' AND position = 7",
                 "grants are those of the model");
    expect_fault("DELETE FROM sale_grant WHERE campaign = 'limited' AND position = 7",
                 "positions 1..N without a gap");
    const std::string add =
        "INSERT INTO sale_grant (campaign, user_id, slot, position, quantity, id, record_offset, "
        "granted_at) ";
    expect_fault(
        add + "VALUES ('free', 'nobody', 500, 500, 1, x'000102030405060708090a0b0c0d0e0f', 5, 1)",
        "no grant without its record");
    expect_fault(
        add + "VALUES ('gone', 'nobody', 1, 1, 1, x'000102030405060708090a0b0c0d0e0f', 5, 1)",
        "no grant without its record");
    expect_fault(add +
                     "SELECT campaign, user_id, 99, 99, 1, id, record_offset, granted_at FROM "
                     "sale_grant WHERE campaign = 'limited' AND user_id = 'anna'",
                 "no user over the limit");
    expect_fault(add +
                     "SELECT campaign, 'other', 99, 99, 1, id, record_offset, granted_at FROM "
                     "sale_grant WHERE campaign = 'limited' AND user_id = 'anna'",
                 "every granted id is granted once");
    for (const std::string change :
         {"campaign = 'gone'", "user_id = 'user-30'", "quantity = 2", "position = 99", "slot = 0",
          "id = x'000102030405060708090a0b0c0d0e0f'", "id_text = 'x'",
          "record_offset = record_offset + 1", "granted_at = granted_at + 1"}) {
        expect_fault(
            "UPDATE sale_grant SET " + change + " WHERE campaign = 'limited' AND position = 9",
            "grants are those of the model");
    }
    expect_fault("UPDATE sale_grant SET slot = 9 WHERE campaign = 'once' AND position = 9",
                 "grants are those of the model");
}

TEST_F(VerifyTest, FindsACampaignRemovedAddedOrChanged) {
    for (const char* id : {"limited", "free", "shut"}) {
        expect_fault("DELETE FROM sale_stock WHERE campaign = '" + std::string(id) + "'",
                     "campaigns are those of the model");
    }
    expect_fault(
        "INSERT INTO sale_stock (campaign, quantity, closed, granted, version, created_at, "
        "created_offset) VALUES ('new', 5, 0, 0, 1, 1, 5)",
        "campaigns are those of the model");
    for (const std::string change :
         {"quantity = quantity + 1", "per_user = 3", "per_user = NULL", "opens_at = 1",
          "closes_at = 1", "closed = 1", "granted = granted - 1", "created_at = created_at + 1",
          "created_offset = created_offset + 1"}) {
        expect_fault("UPDATE sale_stock SET " + change + " WHERE campaign = 'limited'",
                     "campaigns are those of the model");
    }
    expect_fault("UPDATE sale_stock SET closed = 0 WHERE campaign = 'shut'",
                 "campaigns are those of the model");
    expect_fault("UPDATE sale_stock SET granted = 39 WHERE campaign = 'limited'",
                 "granted = quantity where somebody was told sold out");
    expect_fault("UPDATE sale_stock SET granted = 39 WHERE campaign = 'limited'",
                 "granted units are the sum of the grants");
}

TEST_F(VerifyTest, FindsAnOutcomeRemovedAddedOrChanged) {
    const std::string done = " WHERE outcome = 1 AND record_offset = 20";
    const std::string refused = " WHERE outcome = 2 AND reason = 'sold_out'";
    expect_fault("DELETE FROM penstock_processed" + done,
                 "every id on the log has exactly one outcome");
    expect_fault("DELETE FROM penstock_processed" + refused,
                 "every id on the log has exactly one outcome");
    const std::string add =
        "INSERT INTO penstock_processed (id, part, body_hash, outcome, reason, reply, topic, "
        "partition_no, record_offset, decided_at) SELECT x'000102030405060708090a0b0c0d0e0f', ";
    expect_fault(add +
                     "part, body_hash, outcome, reason, reply, topic, partition_no, "
                     "record_offset, decided_at FROM penstock_processed" +
                     done,
                 "no outcome without its record");
    expect_fault(add +
                     "part, body_hash, outcome, reason, reply, 'other', partition_no, "
                     "record_offset, decided_at FROM penstock_processed" +
                     done,
                 "no outcome without its record");
    expect_fault(add +
                     "part, body_hash, outcome, reason, reply, topic, partition_no, "
                     "100000, decided_at FROM penstock_processed" +
                     done,
                 "no outcome without its record");
    const std::string model = "outcomes and replies are those of the model";
    for (const std::string change :
         {"body_hash = x'000102030405060708090a0b0c0d0e0f'", "outcome = 2", "reason = 'x'",
          "reply = CAST(reply || ' ' AS BLOB)", "reply = x''",
          "decided_at = decided_at + 100000000", "decided_at = 1"}) {
        expect_fault("UPDATE penstock_processed SET " + change + done, model);
    }
    for (const std::string change :
         {"outcome = 1", "reason = 'none'", "reason = NULL", "reply = CAST('other' AS BLOB)"}) {
        expect_fault("UPDATE penstock_processed SET " + change + refused, model);
    }
    for (const std::string reason : {"expired", "unknown_type", "closed", "conflict", "no_campaign",
                                     "limit_reached", "invalid"}) {
        expect_fault(
            "UPDATE penstock_processed SET reason = 'other' WHERE reason = '" + reason + "'",
            model);
    }
    for (const std::string change : {"topic = 'other'", "partition_no = 7", "record_offset = 3",
                                     "id = x'000102030405060708090a0b0c0d0e0f'"}) {
        expect_fault("UPDATE penstock_processed SET " + change + done,
                     "no outcome without its record");
    }
    expect_fault("UPDATE penstock_processed SET record_offset = record_offset + 1" + done,
                 "every id on the log has exactly one outcome");
    expect_fault("UPDATE penstock_processed SET outcome = 2, reason = 'failed'" + done,
                 "dead letters are");
}

TEST_F(VerifyTest, FindsADeadLetterRemovedAddedOrChanged) {
    expect_fault("DELETE FROM penstock_dead_letter", "dead letters are");
    expect_fault(
        "INSERT INTO penstock_dead_letter (topic, partition_no, record_offset, cause, decided_at) "
        "VALUES ('sale', 0, 2, 'why', 1)",
        "dead letters are");
    expect_fault(
        "INSERT INTO penstock_dead_letter (topic, partition_no, record_offset, cause, decided_at) "
        "VALUES ('other', 0, 2, 'why', 1)",
        "dead letters are");
    for (const std::string change : {"id = NULL", "record_key = x'00'", "record_value = NULL",
                                     "cause = ''", "record_offset = record_offset + 1"}) {
        expect_fault("UPDATE penstock_dead_letter SET " + change, "dead letters are");
    }
}

TEST_F(VerifyTest, FindsAnOwnerRowChanged) {
    expect_fault("DELETE FROM penstock_owner", "no outcome without its record");
    expect_fault("UPDATE penstock_owner SET next_offset = next_offset + 1", "every record up to");
    expect_fault("UPDATE penstock_owner SET next_offset = next_offset - 1",
                 "no outcome without its record");
    expect_fault("UPDATE penstock_owner SET fingerprint = fingerprint + 1", "belong to each other");
    expect_fault("UPDATE penstock_owner SET log_uuid = x'000102030405060708090a0b0c0d0e0f'",
                 "belong to each other");
    expect_fault("UPDATE penstock_owner SET turn_time = 1", "outcomes and replies");
}

TEST_F(VerifyTest, FindsARecordRemoved) {
    for (const std::size_t at : {std::size_t{0}, std::size_t{3}, std::size_t{20}}) {
        ForgedLog log(story_->log(), story_->at());
        log.records.erase(log.records.begin() + static_cast<std::ptrdiff_t>(at));
        expect_log_fault(log, "every record up to the store's place is there");
        EXPECT_NE(failed({&log, {}, {}}).find("exactly one outcome"), std::string::npos) << at;
    }
    ForgedLog last(story_->log(), story_->at());
    last.records.pop_back();
    expect_log_fault(last, "every record up to the store's place is there");
}

TEST_F(VerifyTest, FindsARecordRemovedAndAnotherPutInItsPlace) {
    ForgedLog log(story_->log(), story_->at());
    log.of("l-5") = log.of("l-6");
    expect_log_fault(log, "no outcome without its record");
}

TEST_F(VerifyTest, FindsARecordAdded) {
    ForgedLog log(story_->log(), story_->at());
    Kept more = log.of("l-5");
    more.headers[0].second = "l-5b";
    log.records.insert(log.records.begin() + 30, more);
    expect_log_fault(log, "every id on the log has exactly one outcome");
}

TEST_F(VerifyTest, FindsTwoRecordsInAnotherOrder) {
    ForgedLog log(story_->log(), story_->at());
    std::swap(log.of("l-5"), log.of("l-6"));
    expect_log_fault(log, "every id on the log has exactly one outcome");
}

TEST_F(VerifyTest, FindsEveryPartOfARecordChanged) {
    const std::string model = "outcomes and replies are those of the model";
    const std::function<void(Kept&)> changes[] = {
        [](Kept& kept) { kept.key = "free"; },
        [](Kept& kept) { kept.value = R"({"user_id":"user-5","quantity":2})"; },
        [](Kept& kept) { kept.value = R"({"user_id":"user-5" ,"quantity":1})"; },
        [](Kept& kept) { kept.value = R"({"user_id":"user-6","quantity":1})"; },
        [](Kept& kept) { kept.headers.emplace_back("deadline", "1"); },
        [](Kept& kept) { kept.headers.emplace_back("target", "x"); },
        [](Kept& kept) { kept.headers.emplace_back("type", "sale.close"); },
    };
    for (std::size_t i = 0; i < std::size(changes); ++i) {
        ForgedLog log(story_->log(), story_->at());
        changes[i](log.of("l-5"));
        SCOPED_TRACE(i);
        expect_log_fault(log, model);
    }
    for (const bool tombstone : {true, false}) {
        ForgedLog log(story_->log(), story_->at());
        Kept& kept = log.of("l-5");
        if (tombstone) kept.value.reset();
        if (!tombstone) kept.headers.emplace_back("requested_at", "soon");
        expect_log_fault(log, "dead letters are");
    }
    ForgedLog renamed(story_->log(), story_->at());
    renamed.of("l-5").headers.emplace_back("id", "l-5c");
    expect_log_fault(renamed, "every id on the log has exactly one outcome");
    ForgedLog late(story_->log(), story_->at());
    late.of("shut-1").time = log_time(4'102'444'800'000);
    expect_log_fault(late, model);
}

TEST_F(VerifyTest, FindsTheLastRecordChanged) {
    ForgedLog log(story_->log(), story_->at());
    log.records.back().headers.emplace_back("traceparent", "00");
    expect_log_fault(log, "log and store belong to each other");
}

#if PENSTOCK_FAILPOINTS
TEST_F(VerifyTest, FindsTheGatesCountersChanged) {
    auto& gate = dynamic_cast<LocalGate&>(story_->node().gate());
    for (const std::int64_t by : {-1, 1}) {
        gate.shift_granted(ResourceId("free"), by);
        EXPECT_NE(failed({}).find("the gate agrees"), std::string::npos) << by << text_;
        gate.shift_granted(ResourceId("free"), -by);
    }
    EXPECT_EQ(failed({}), "") << text_;
}
#endif

TEST_F(VerifyTest, FindsAClaimInLineThatTheGateDoesNotKnow) {
    ForgedLog log(story_->log(), story_->at());
    Kept more = log.of("l-5");
    more.headers[0].second = "in-line";
    more.key = "free";
    log.records.push_back(more);
    EXPECT_EQ(failed({&log, {}, {}}), "the gate agrees with store and log; ") << text_;
    const std::string refused = line("in-line", 409, R"({"code":"sold_out"})");
    EXPECT_NE(failed({&log, {}, refused}).find("the gate refused wrote no record"),
              std::string::npos);
}

TEST_F(VerifyTest, AFailedCommandIsADeadLetterWithoutEffect) {
    const std::string id =
        "(SELECT id FROM penstock_processed WHERE reason = 'limit_reached' "
        "ORDER BY record_offset DESC LIMIT 1)";  // of f-over
    const std::vector<std::string> changes = {
        "INSERT INTO penstock_dead_letter (topic, partition_no, record_offset, id, type, "
        "record_key, record_value, cause, decided_at) SELECT topic, partition_no, record_offset, "
        "id, 'sale.claim', CAST('limited' AS BLOB), CAST('{\"user_id\":\"anna\"}' AS BLOB), "
        "'why', decided_at FROM penstock_processed WHERE id = " +
            id,
        "UPDATE penstock_processed SET reason = 'failed' WHERE id = " + id};
    EXPECT_EQ(failed({nullptr, changes, {}}), "") << text_;
    EXPECT_NE(failed({nullptr, {changes[1]}, {}}), "");
}

TEST_F(VerifyTest, DamageIsAnErrorAndNoVerdict) {
    ForgedLog log(story_->log(), story_->at());
    log.failure = error(Code::damaged, "a torn batch");
    const auto verdict = run({&log, {}, {}});
    ASSERT_FALSE(verdict);
    EXPECT_EQ(verdict.error().code, Code::damaged);
}

TEST_F(VerifyTest, ComparesWhatRetentionHasLeft) {
    for (const std::uint64_t gone : {1, 4, 7, 30, 60}) {
        ForgedLog log(story_->log(), story_->at());
        log.forget_first(gone);
        EXPECT_EQ(failed({&log, {}, {}}), "") << gone << "\n" << text_;
        EXPECT_NE(text_.find("could not be compared"), std::string::npos) << text_;
    }
    ForgedLog log(story_->log(), story_->at());
    log.forget_first(30);
    const std::string late = " WHERE campaign = 'free' AND position = 5";
    EXPECT_NE(failed({&log, {"DELETE FROM sale_grant" + late}, {}}).find("grants are"),
              std::string::npos);
}

TEST_F(VerifyTest, ForgottenOutcomesAreNoFault) {
    Given later{nullptr, {"DELETE FROM penstock_processed WHERE record_offset < 40"}, {}};
    EXPECT_NE(failed(later), "");
    later.now += std::chrono::hours(24 * 8);
    EXPECT_EQ(failed(later), "") << text_;
    EXPECT_NE(text_.find("could not be compared"), std::string::npos) << text_;
    later.changes.push_back("DELETE FROM sale_grant WHERE campaign = 'limited' AND position = 7");
    EXPECT_NE(failed(later), "");
}

TEST_F(VerifyTest, ComparesTheCallersSide) {
    std::string reply;
    ASSERT_TRUE(story_->reader().begin());
    const auto grants = sale::read_grants(story_->reader(), "limited", "user-4", 0, 10);
    story_->reader().rollback();
    ASSERT_EQ(grants->size(), 1u);
    const auto with_position = [&](std::uint64_t position) {
        return R"({"claim_id":"l-4","position":)" + std::to_string(position) + R"(,"offset":)" +
               std::to_string((*grants)[0].offset) + "}";
    };
    const std::string good = line("l-4", 201, with_position((*grants)[0].position));
    const std::string sold = line("never", 409, R"({"code":"sold_out"})");
    const std::string owner = line("f-sold", 409, R"({"code":"sold_out"})");
    const std::string retried = line("l-4", 409, R"({"code":"none_free"})");
    EXPECT_EQ(failed({nullptr, {}, good + sold + owner + retried}), "") << text_;
    const std::string before = line("f-sold", 409, R"({"code":"none_free"})");
    EXPECT_EQ(failed({nullptr, {}, before + owner}), "") << "the gate spoke of an attempt\n"
                                                         << text_;
    const std::string told = "callers were told what is recorded";
    const std::string silent = "claims that the gate refused wrote no record";
    const auto expect = [&](const std::string& history, const std::string& check) {
        EXPECT_NE(failed({nullptr, {}, history}).find(check), std::string::npos)
            << history << text_;
    };
    expect(line("l-4", 201, with_position((*grants)[0].position + 1)), told);
    expect(line("never", 201, with_position(1)), told);
    expect(line("f-sold", 201, with_position(1)), told);
    expect(line("f-sold", 409, R"({"code":"closed"})"), told);
    expect(before, told);
    expect(line("f-sold", 409, R"({"code":"expired"})") + owner, told);
    expect("not json\n", told);
    expect(line("l-4", 409, R"({"code":"sold_out"})"), silent);
    expect(line("f-type", 409, R"({"code":"sold_out"})"), told);
    const std::string early = "callers were told sold out only where all is granted";
    expect(line("never", 409, R"({"code":"sold_out"})", "free"), early);
    expect(line("never", 409, R"({"code":"sold_out"})", "unheard-of"), early);
}

}  // namespace
}  // namespace penstock::verify
