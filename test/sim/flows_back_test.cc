// Whatever was admitted and did not become a grant flows back and is granted to a later caller:
// never more than the campaign has, never fewer in the end.
#include <gtest/gtest.h>

#include "test/sim/log_wrapper.h"
#include "test/sim/machine.h"
#include "test/sim/sale_history.h"

namespace penstock::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kUnits = 50;

ClaimForm claim(const std::string& name, std::uint32_t quantity = 1) {
    return ClaimForm{"c", name, name, quantity, std::nullopt, false};
}

/// Claims for new users until nothing is left, then every invariant.
void sell_out_and_check(Machine& machine, SaleHistory& history,
                        std::optional<std::uint32_t> per_user = std::nullopt) {
    for (std::uint32_t i = 0; i <= kUnits; ++i) {
        const ClaimForm form = claim("late-" + std::to_string(i));
        history.asked(form);
        const Answered answer = machine.ask_until_final(form);
        EXPECT_EQ(history.answered(form, answer), "");
        if (word_of(answer) == "sold_out") break;
        EXPECT_EQ(word_of(answer), "granted");
    }
    for (const std::string& wrong : check_sale(history, {{"c", {kUnits, per_user}}}, machine.log(),
                                               machine.store(), machine.gate())) {
        ADD_FAILURE() << wrong;
    }
}

void expect_reserved(Machine& machine, std::uint64_t reserved) {
    const auto counts = machine.gate().counts(ResourceId("c"));
    ASSERT_TRUE(counts) << counts.error().text;
    EXPECT_EQ(counts->reserved, reserved);
}

/// Answers appends as the test says.
class FaultyLog final : public LogWrapper {
public:
    enum class Fault { none, refuse, swallow };
    FaultyLog(Log& target, const Fault& fault) : LogWrapper(target), fault_(fault) {}

    void append(const TopicPartition& at, std::span<const Record> records, std::uint64_t first_tag,
                AppendSink& sink) override {
        if (fault_ == Fault::none) return target_.append(at, records, first_tag, sink);
        if (fault_ == Fault::swallow) return;  // the process dies before it answers
        for (std::size_t i = 0; i < records.size(); ++i) {
            const Appended refused{first_tag + i, error(Code::overloaded, "the queue is full")};
            sink.appended({&refused, 1});
        }
    }

private:
    const Fault& fault_;
};

TEST(FlowsBack, AnAppendThatIsRefused) {
    Machine machine;
    auto fault = FaultyLog::Fault::none;
    machine.wrap_log([&](Log& log) { return std::make_unique<FaultyLog>(log, fault); });
    machine.run([&] {
        ASSERT_TRUE(machine.boot()) << machine.failure();
        machine.create("c", {kUnits, std::nullopt, {}, {}});
        SaleHistory history;
        fault = FaultyLog::Fault::refuse;
        for (std::uint32_t i = 0; i < 2 * kUnits; ++i) {
            const ClaimForm form = claim("refused-" + std::to_string(i));
            history.asked(form);
            const Answered answer = machine.ask(form);
            EXPECT_EQ(word_of(answer), "error overloaded none");
            EXPECT_EQ(history.answered(form, answer), "");
            expect_reserved(machine, 0);
        }
        fault = FaultyLog::Fault::none;
        sell_out_and_check(machine, history);
        machine.shut_down();
    });
}

TEST(FlowsBack, AClaimWhoseDeadlinePassed) {
    Machine machine;
    machine.run([&] {
        ASSERT_TRUE(machine.boot()) << machine.failure();
        machine.create("c", {kUnits, std::nullopt, {}, {}});
        SaleHistory history;
        std::vector<std::pair<ClaimForm, std::uint64_t>> waiting;
        {
            auto holder = machine.store().open(Role::owner, SessionLimits{});
            ASSERT_TRUE(holder);
            ASSERT_TRUE((*holder)->begin());
            for (std::uint32_t i = 0; i < kUnits; ++i) {
                ClaimForm form = claim("early-" + std::to_string(i));
                if (i % 2 == 0) form.deadline = machine.now() + 1s;
                history.asked(form);
                waiting.emplace_back(form, machine.submit(form));
            }
            machine.sleep(2s);
            EXPECT_EQ(word_of(machine.ask(claim("nobody"))), "none_free");
            (*holder)->rollback();
        }
        for (const auto& [form, tag] : waiting) {
            const Answered answer = machine.wait(tag);
            EXPECT_EQ(word_of(answer), form.deadline ? "expired" : "granted");
            EXPECT_EQ(history.answered(form, answer), "");
        }
        expect_reserved(machine, 0);
        sell_out_and_check(machine, history);
        machine.shut_down();
    });
}

/// Leaves two appends in doubt: the second at once, the first while the gate is rebuilt for that.
class DoubtfulLog final : public LogWrapper {
public:
    struct Doubts {
        bool on = false;
        std::vector<std::pair<std::uint64_t, AppendSink*>> held;
        int rebuilds = 0;
    };
    DoubtfulLog(Log& target, Doubts& doubts) : LogWrapper(target), doubts_(doubts) {}

    void append(const TopicPartition& at, std::span<const Record> records, std::uint64_t first_tag,
                AppendSink& sink) override {
        if (!doubts_.on) return target_.append(at, records, first_tag, sink);
        doubts_.held.emplace_back(first_tag, &sink);
        if (doubts_.held.size() == 2) answer();
    }
    /// In a rebuild; nothing else asks while the node runs alone.
    Result<std::vector<TopicInfo>> describe(const std::optional<TopicId>& topic) override {
        doubts_.rebuilds += doubts_.on;
        answer();
        return target_.describe(topic);
    }

private:
    void answer() {
        if (doubts_.held.empty()) return;
        const auto [tag, sink] = doubts_.held.back();
        doubts_.held.pop_back();
        const Appended unknown{tag, unknown_effect(Code::unreachable, "no answer")};
        sink->appended({&unknown, 1});
    }
    Doubts& doubts_;
};

TEST(FlowsBack, AnAppendInDoubtWhileTheGateIsRebuilt) {
    Machine machine;
    DoubtfulLog::Doubts doubts;
    machine.wrap_log([&](Log& log) { return std::make_unique<DoubtfulLog>(log, doubts); });
    machine.run([&] {
        ASSERT_TRUE(machine.boot()) << machine.failure();
        machine.create("c", {kUnits, std::nullopt, {}, {}});
        SaleHistory history;
        doubts.on = true;
        std::vector<std::pair<ClaimForm, std::uint64_t>> waiting;
        for (const char* name : {"early", "next"}) {
            const ClaimForm form = claim(name);
            history.asked(form);
            waiting.emplace_back(form, machine.submit(form));
        }
        for (const auto& [form, tag] : waiting) {
            EXPECT_EQ(history.answered(form, machine.wait(tag)), "");
        }
        EXPECT_TRUE(machine.until([&] { return doubts.rebuilds == 2; })) << doubts.rebuilds;
        doubts.on = false;
        sell_out_and_check(machine, history);
        machine.shut_down();
    });
}

TEST(FlowsBack, AClaimThatTheHandlerRefuses) {
    Machine machine;
    machine.run([&] {
        ASSERT_TRUE(machine.boot()) << machine.failure();
        machine.create("c", {kUnits, 1, {}, {}});
        SaleHistory history;
        std::vector<std::pair<ClaimForm, std::uint64_t>> waiting;
        {
            auto holder = machine.store().open(Role::owner, SessionLimits{});
            ASSERT_TRUE(holder);
            ASSERT_TRUE((*holder)->begin());
            for (std::uint32_t i = 0; i < 20; ++i) {
                // The same user past the gate first, whose limit is one.
                ClaimForm past = claim("user-" + std::to_string(i));
                past.id = "past-" + std::to_string(i);
                history.asked(past);
                machine.produce(past);
                const ClaimForm form = claim("user-" + std::to_string(i));
                history.asked(form);
                waiting.emplace_back(form, machine.submit(form));
            }
            machine.sleep(1s);
            expect_reserved(machine, 20);
            (*holder)->rollback();
        }
        for (const auto& [form, tag] : waiting) {
            const Answered answer = machine.wait(tag);
            EXPECT_EQ(word_of(answer), "limit_reached");
            EXPECT_EQ(history.answered(form, answer), "");
        }
        expect_reserved(machine, 0);
        sell_out_and_check(machine, history, 1);
        machine.shut_down();
    });
}

TEST(FlowsBack, AProcessKilledBetweenGateAndLog) {
    Machine machine;
    auto fault = FaultyLog::Fault::none;
    machine.wrap_log([&](Log& log) { return std::make_unique<FaultyLog>(log, fault); });
    SaleHistory history;
    machine.run([&] {
        ASSERT_TRUE(machine.boot()) << machine.failure();
        machine.create("c", {kUnits, std::nullopt, {}, {}});
        for (std::uint32_t i = 0; i < kUnits; ++i) {
            fault = i % 2 == 0 ? FaultyLog::Fault::swallow : FaultyLog::Fault::none;
            const ClaimForm form = claim("early-" + std::to_string(i));
            history.asked(form);
            const std::uint64_t tag = machine.submit(form);
            if (fault == FaultyLog::Fault::swallow) continue;
            EXPECT_EQ(history.answered(form, machine.wait(tag)), "");
        }
        expect_reserved(machine, kUnits / 2);
        EXPECT_EQ(word_of(machine.ask(claim("nobody"))), "none_free");
    });
    machine.cut_power();
    fault = FaultyLog::Fault::none;
    machine.run([&] {
        ASSERT_TRUE(machine.boot()) << machine.failure();
        expect_reserved(machine, 0);
        sell_out_and_check(machine, history);
        machine.shut_down();
    });
}

/// Submits another claim in the moment between the gate's yes and the append of the first.
class BetweenGateAndLog final : public RuntimeObserver {
public:
    std::function<void()> then;
    void admission(Admission admission, std::size_t) noexcept override {
        if (admission == Admission::admitted && then) std::exchange(then, nullptr)();
    }
};

TEST(FlowsBack, ARecordOfAnEarlierAttemptLeavesTheLaterOneItsPlace) {
    Machine machine;
    BetweenGateAndLog between;
    machine.observe(&between);
    machine.run([&] {
        ASSERT_TRUE(machine.boot()) << machine.failure();
        machine.create("c", {kUnits, std::nullopt, {}, {}});
        SaleHistory history;
        const ClaimForm twice = claim("twice"), other = claim("other");
        history.asked(twice);
        history.asked(other);
        std::uint64_t other_tag = 0;
        between.then = [&] {
            // The record of an earlier attempt comes through the log and is decided meanwhile.
            machine.produce(twice);
            EXPECT_TRUE(machine.until([&] {
                return !machine.node().requester().in_line(uuid_of_id(twice.id)).has_value();
            }));
            other_tag = machine.submit(other);
        };
        EXPECT_EQ(history.answered(twice, machine.ask(twice)), "");
        EXPECT_EQ(history.answered(other, machine.wait(other_tag)), "");
        machine.sleep(1s);
        EXPECT_FALSE(machine.inbox().doubled());
        const auto info = machine.log().describe(TopicId(std::string(sale::kTopic)));
        ASSERT_TRUE(info);
        EXPECT_EQ(info->front().partitions.front().end.value(), 4u)
            << "one campaign, twice the first claim, once the other";
        sell_out_and_check(machine, history);
        machine.shut_down();
    });
}

}  // namespace
}  // namespace penstock::test
