#include "penstock/core/handler.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

/// Answers with what it was given, and counts.
class OneAnswer final : public Session {
public:
    Result<StatementId> prepare(std::string_view) override { return StatementId(0); }
    Result<void> begin() override { return {}; }
    std::size_t run(std::span<const Call> calls, std::span<Result<Rows>> out) override {
        ++runs;
        for (std::size_t i = 0; i < calls.size(); ++i) out[i] = answer;
        return calls.size();
    }
    Result<Rows> run_many(StatementId, std::span<const Value>) override {
        ++runs;
        return answer;
    }
    Result<void> savepoint() override { return {}; }
    Result<void> rollback_to_savepoint() override { return {}; }
    Result<void> commit() override { return {}; }
    void rollback() noexcept override {}
    Result<void> reconnect() override { return {}; }

    Result<Rows> answer = Rows{};
    int runs = 0;
};

TEST(Tx, PassesOnWhatTheSessionSays) {
    OneAnswer session;
    session.answer->matched = 3;
    Tx tx(session);
    EXPECT_EQ(tx.run(StatementId(0), {})->matched, 3u);
    EXPECT_EQ(tx.run_many(StatementId(0), {})->matched, 3u);
    EXPECT_FALSE(tx.failure());
}

TEST(Tx, AfterTheFirstErrorRunsNothingMore) {
    OneAnswer session;
    Tx tx(session);
    Error first = error(Code::conflict, "a deadlock");
    first.lost = Lost::transaction;
    session.answer = first;
    EXPECT_FALSE(tx.run_many(StatementId(0), {}));
    session.answer = Rows{};
    const auto later = tx.run(StatementId(0), {});
    ASSERT_FALSE(later);
    EXPECT_EQ(later.error().text, "a deadlock");
    EXPECT_EQ(later.error().lost, Lost::transaction);
    EXPECT_EQ(tx.failure()->code, Code::conflict);
    EXPECT_EQ(session.runs, 1);
}

}  // namespace
}  // namespace penstock
