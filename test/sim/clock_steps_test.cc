// The wall clock steps a day in either direction, or flutters, while claims with deadlines are
// decided: nothing expires earlier than by the clock that is stored with the outcomes, which never
// goes down.
#include <gtest/gtest.h>

#include "test/sim/machine.h"
#include "test/sim/sale_history.h"

namespace penstock::test {
namespace {

using namespace std::chrono_literals;

struct Stepping {
    const char* name;
    std::chrono::milliseconds step;
    bool back_again;  ///< flutters: every second step undoes the first
};

class ClockSteps : public ::testing::TestWithParam<Stepping> {};

INSTANTIATE_TEST_SUITE_P(Of, ClockSteps,
                         ::testing::Values(Stepping{"ADayBack", -24h, false},
                                           Stepping{"ADayAhead", 24h, false},
                                           Stepping{"ASecondToAndFro", 1s, true},
                                           Stepping{"ASecondBackAndAhead", -1s, true}),
                         [](const auto& info) { return info.param.name; });

/// Times in the order of the log, of the records and of their outcomes.
void expect_times_never_go_down(Machine& machine, LogTime latest) {
    auto session = machine.store().open(Role::reader, SessionLimits{});
    ASSERT_TRUE(session);
    ASSERT_TRUE((*session)->begin());
    const auto query = (*session)->prepare(
        "SELECT record_offset, decided_at FROM penstock_processed ORDER BY record_offset");
    ASSERT_TRUE(query);
    const auto rows = run_one(**session, *query, {});
    ASSERT_TRUE(rows);
    (*session)->rollback();
    LogTime decided_before{}, logged_before{};
    const TopicPartition at{TopicId(std::string(sale::kTopic)), PartitionId(0)};
    for (std::size_t row = 0; row < rows->table.rows(); ++row) {
        const LogTime decided = log_time(rows->table.integer(row, 1));
        EXPECT_GE(decided, decided_before);
        EXPECT_LE(decided, latest) << "no clock ever said so";
        decided_before = decided;
        const Offset offset(static_cast<std::uint64_t>(rows->table.integer(row, 0)));
        const auto batch = machine.log().read(at, offset, ReadLimits{1, 1'000'000});
        ASSERT_TRUE(batch);
        ASSERT_FALSE((*batch)->records().empty());
        EXPECT_GE((*batch)->records()[0].time, logged_before);
        logged_before = (*batch)->records()[0].time;
    }
}

TEST_P(ClockSteps, NothingExpiresEarlierThanByTheStoredClock) {
    MachineOptions options;
    options.file_log = true;
    Machine machine(options);
    machine.run([&] {
        ASSERT_TRUE(machine.boot()) << machine.failure();
        constexpr std::uint32_t kUnits = 300;
        machine.create("c", {kUnits, std::nullopt, {}, {}});
        SaleHistory history;
        LogTime latest = machine.now();
        std::size_t expired = 0, granted = 0;
        const auto ask = [&](std::uint32_t number, std::optional<LogTime> deadline) {
            const std::string name = std::to_string(number);
            const ClaimForm claim{"c", name, name, 1, deadline, false};
            latest = std::max(latest, machine.now());
            history.asked(claim);
            const Answered answer = machine.ask(claim);
            latest = std::max(latest, machine.now());
            EXPECT_EQ(history.answered(claim, answer), "");
            expired += word_of(answer) == "expired";
            granted += word_of(answer) == "granted";
        };
        std::uint32_t number = 0;
        for (int round = 0; round < 6; ++round) {
            for (int i = 0; i < 10; ++i) ask(number++, latest + 10s);
            for (int i = 0; i < 5; ++i) ask(number++, machine.now() - 1ms);
            const bool back = GetParam().back_again && round % 2 == 1;
            machine.world().executor().step_wall(back ? -GetParam().step : GetParam().step);
            if (round == 3) {
                machine.shut_down();
                ASSERT_TRUE(machine.boot()) << machine.failure();
            }
        }
        EXPECT_EQ(granted, GetParam().step > 10s ? 55u : 60u) << expired << " expired";
        while (number < 10 * kUnits) {
            ask(number++, std::nullopt);
            if (granted == kUnits) break;
        }
        expect_times_never_go_down(machine, latest);
        for (const std::string& wrong :
             check_sale(history, {{"c", {kUnits, std::nullopt}}}, machine.log(), machine.store(),
                        machine.gate())) {
            ADD_FAILURE() << wrong;
        }
        machine.shut_down();
    });
}

}  // namespace
}  // namespace penstock::test
