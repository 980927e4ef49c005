// What a caller is told, at the node: duplicates, reused, old and early ids, deadlines, units that
// may come back, the place in line, the stop. In simulated time on one thread.
#include <gtest/gtest.h>

#include <set>

#include "test/sim/machine.h"
#include "test/sim/sale_history.h"

namespace penstock::test {
namespace {

using namespace std::chrono_literals;

ClaimForm claim(std::string user, std::string id, std::uint32_t quantity = 1) {
    return ClaimForm{"c", std::move(user), std::move(id), quantity, std::nullopt, false};
}

/// The write lock of the store, held by somebody else: lanes cannot decide meanwhile.
class StalledStore {
public:
    explicit StalledStore(Machine& machine) {
        auto session = machine.store().open(Role::owner, SessionLimits{});
        PENSTOCK_CHECK(session.ok());
        session_ = std::move(*session);
        PENSTOCK_CHECK(session_->begin().ok());
    }
    ~StalledStore() { session_->rollback(); }

private:
    std::unique_ptr<Session> session_;
};

void expect_units(Machine& machine, std::uint64_t granted, std::uint64_t reserved = 0) {
    const auto counts = machine.gate().counts(ResourceId("c"));
    ASSERT_TRUE(counts) << counts.error().text;
    EXPECT_EQ(counts->granted, granted);
    EXPECT_EQ(counts->reserved, reserved);
}

class HonestAnswers : public ::testing::TestWithParam<bool> {
protected:
    static MachineOptions options() {
        MachineOptions options;
        options.file_log = GetParam();
        return options;
    }
    void run(const std::function<void(Machine&)>& body, MachineOptions given = options()) {
        Machine machine(std::move(given));
        machine.run([&] {
            ASSERT_TRUE(machine.boot()) << machine.failure();
            body(machine);
            EXPECT_FALSE(machine.inbox().doubled()) << "a submission was answered twice";
            machine.shut_down();
        });
    }
};

INSTANTIATE_TEST_SUITE_P(Logs, HonestAnswers, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "File" : "Memory"; });

TEST_P(HonestAnswers, SixteenConcurrentSubmitsOfOneIdGetEqualBytes) {
    run([](Machine& machine) {
        machine.create("c", {10, std::nullopt, {}, {}});
        std::vector<std::uint64_t> tags;
        for (int i = 0; i < 16; ++i) tags.push_back(machine.submit(claim("u", "one")));
        std::set<std::string> bytes;
        int first = 0;
        for (const std::uint64_t tag : tags) {
            const Answered answer = machine.wait(tag);
            EXPECT_EQ(word_of(answer), "granted");
            bytes.insert(settled_bytes(answer));
            const auto* settled = std::get_if<Settlement>(&answer);
            first += settled != nullptr && settled->first;
        }
        EXPECT_EQ(bytes.size(), 1u);
        EXPECT_EQ(first, 1);
        expect_units(machine, 1);
    });
}

TEST_P(HonestAnswers, ARepeatGetsTheSameBytesAlsoAfterARestartAndAfterSoldOut) {
    run([](Machine& machine) {
        machine.create("c", {2, std::nullopt, {}, {}});
        const std::string first = settled_bytes(machine.ask(claim("u", "one")));
        EXPECT_EQ(settled_bytes(machine.ask(claim("u", "one"))), first);
        EXPECT_EQ(word_of(machine.ask(claim("v", "two"))), "granted");
        EXPECT_EQ(word_of(machine.ask(claim("w", "three"))), "sold_out");
        EXPECT_EQ(settled_bytes(machine.ask(claim("u", "one"))), first);
        machine.shut_down();
        ASSERT_TRUE(machine.boot()) << machine.failure();
        EXPECT_EQ(settled_bytes(machine.ask(claim("u", "one"))), first);
        EXPECT_EQ(settled_bytes(machine.look_up("one")), first);
        EXPECT_EQ(word_of(machine.look_up("three")), "error not_found none");
    });
}

TEST_P(HonestAnswers, AnIdWithAnotherBodyIsRefusedInLineDecidedAndAfterSoldOut) {
    run([](Machine& machine) {
        machine.create("c", {1, std::nullopt, {}, {}});
        machine.create("d", {1, std::nullopt, {}, {}});
        {
            const StalledStore stalled(machine);
            machine.submit(claim("u", "one"));
            machine.sleep(1s);
            EXPECT_EQ(word_of(machine.ask(claim("other", "one"))), "id_reused");
        }
        EXPECT_EQ(word_of(machine.ask(claim("u", "one"))), "granted");
        EXPECT_EQ(word_of(machine.ask(claim("other", "one"))), "id_reused");
        EXPECT_EQ(word_of(machine.ask(claim("u", "one", 2))), "id_reused");
        ClaimForm elsewhere = claim("u", "one");
        elsewhere.campaign = "d";
        EXPECT_EQ(word_of(machine.ask(elsewhere)), "id_reused");
        const Made other_type(sale::kClose, "c", "one", "{}", machine.now());
        EXPECT_EQ(word_of(machine.ask(other_type)), "id_reused");
        EXPECT_EQ(word_of(machine.ask(claim("v", "two"))), "sold_out");
        EXPECT_EQ(word_of(machine.ask(claim("other", "one"))), "id_reused");
        EXPECT_EQ(word_of(machine.ask(claim("u", "one"))), "granted");
        expect_units(machine, 1);
        const auto other = machine.gate().counts(ResourceId("d"));
        ASSERT_TRUE(other);
        EXPECT_EQ(other->granted + other->reserved, 0u);
    });
}

TEST_P(HonestAnswers, ARecordThatComesAgainAfterManyNewIdsIsDecidedOnce) {
    run([](Machine& machine) {
        machine.create("c", {100, 1, {}, {}});
        // Each is a batch of its own; by and by the lane takes ids for new without asking.
        std::vector<std::string> bytes;
        const auto id_of = [](std::size_t i) { return "id-" + std::to_string(i); };
        const auto ask_new = [&](std::size_t count) {
            for (std::size_t end = bytes.size() + count; bytes.size() < end;) {
                const std::size_t i = bytes.size();
                bytes.push_back(settled_bytes(machine.ask(claim(id_of(i), id_of(i)))));
            }
        };
        ask_new(40);
        machine.produce(claim(id_of(3), id_of(3)));
        ask_new(40);
        machine.produce(claim("somebody else", id_of(4)));
        ask_new(1);
        machine.produce(claim(id_of(5), "a new id"));  // beyond his limit
        ask_new(1);
        EXPECT_EQ(word_of(machine.look_up("a new id")), "limit_reached");
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            EXPECT_EQ(settled_bytes(machine.look_up(id_of(i))), bytes[i]);
        }
        expect_units(machine, bytes.size());
        EXPECT_EQ(machine.verify(), std::vector<std::string>{});
    });
}

TEST_P(HonestAnswers, AVersion7IdOlderThanTheHorizonIsNeverExecuted) {
    MachineOptions given = options();
    given.node.dedup_horizon = 60s;
    run(
        [](Machine& machine) {
            machine.create("c", {10, std::nullopt, {}, {}});
            Random& random = machine.world().env().random;
            const std::string id = format_uuid(make_uuid_v7(machine.now(), random));
            EXPECT_EQ(word_of(machine.ask(claim("u", id))), "granted");
            machine.sleep(59s);
            EXPECT_EQ(word_of(machine.ask(claim("u", id))), "granted");
            machine.sleep(120s);
            EXPECT_EQ(word_of(machine.look_up(id)), "error not_found none") << "not pruned";
            EXPECT_EQ(word_of(machine.ask(claim("u", id))), "id_too_old");
            const std::string early = format_uuid(make_uuid_v7(machine.now() + 11min, random));
            EXPECT_EQ(word_of(machine.ask(claim("u", early))), "error invalid none");
            expect_units(machine, 1);
        },
        given);
}

TEST_P(HonestAnswers, AVersion7IdOnRecordKeepsItsAnswerWhenTheClockGoesBack) {
    run([](Machine& machine) {
        machine.create("c", {10, std::nullopt, {}, {}});
        const std::string id =
            format_uuid(make_uuid_v7(machine.now(), machine.world().env().random));
        const Answered granted = machine.ask(claim("u", id));
        EXPECT_EQ(word_of(granted), "granted");
        machine.world().executor().step_wall(-24h);
        EXPECT_EQ(settled_bytes(machine.ask(claim("u", id))), settled_bytes(granted));
        EXPECT_EQ(word_of(machine.ask(claim("v", id))), "id_reused");
        expect_units(machine, 1);
    });
}

TEST_P(HonestAnswers, ADeadlineThatPassesInLineRefusesForEverAndTheUnitFlowsBack) {
    run([](Machine& machine) {
        machine.create("c", {1, std::nullopt, {}, {}});
        ClaimForm late = claim("u", "late");
        late.deadline = machine.now() + 1s;
        std::uint64_t tag = 0;
        {
            const StalledStore stalled(machine);
            tag = machine.submit(late);
            machine.sleep(3s);
            const Answered other = machine.ask(claim("v", "other"));
            EXPECT_EQ(word_of(other), "none_free") << "the unit may come back: not sold out";
        }
        const Answered expired = machine.wait(tag);
        EXPECT_EQ(word_of(expired), "expired");
        // The gate has forgotten the id and lets it in again: the duplicate must not keep the unit.
        EXPECT_EQ(settled_bytes(machine.ask(late)), settled_bytes(expired));
        expect_units(machine, 0);
        EXPECT_EQ(word_of(machine.ask(claim("v", "other"))), "granted");
        EXPECT_EQ(settled_bytes(machine.ask(late)), settled_bytes(expired));
        EXPECT_EQ(word_of(machine.ask(claim("w", "third"))), "sold_out");
        expect_units(machine, 1);
    });
}

TEST_P(HonestAnswers, UnitsInLineAreNoneFreeOrNotEnoughAndSoldOutOnlyOnceGranted) {
    run([](Machine& machine) {
        machine.create("c", {3, std::nullopt, {}, {}});
        std::vector<std::uint64_t> tags;
        {
            const StalledStore stalled(machine);
            tags.push_back(machine.submit(claim("a", "a", 2)));
            const Answered more = machine.ask(claim("b", "b", 2));
            EXPECT_EQ(word_of(more), "not_enough");
            EXPECT_EQ(std::get<NotAdmitted>(more).left, 1u);
            tags.push_back(machine.submit(claim("d", "d")));
            EXPECT_EQ(word_of(machine.ask(claim("e", "e"))), "none_free");
            machine.sleep(500ms);
            expect_units(machine, 0, 3);
        }
        for (const std::uint64_t tag : tags) EXPECT_EQ(word_of(machine.wait(tag)), "granted");
        EXPECT_EQ(word_of(machine.ask(claim("e", "e"))), "sold_out");
        EXPECT_EQ(word_of(machine.look_up("e")), "error not_found none");
        expect_units(machine, 3);
    });
}

TEST_P(HonestAnswers, TheLimitOfAUserCountsReservedUnitsAndAnswersTheAttempt) {
    run([](Machine& machine) {
        machine.create("c", {10, 2, {}, {}});
        {
            const StalledStore stalled(machine);
            machine.submit(claim("u", "1", 2));
            EXPECT_EQ(word_of(machine.ask(claim("u", "2"))), "limit_reached");
        }
        EXPECT_EQ(word_of(machine.ask(claim("u", "1", 2))), "granted");
        EXPECT_EQ(word_of(machine.ask(claim("u", "2"))), "limit_reached");
        EXPECT_EQ(word_of(machine.ask(claim("u", "3", 3))), "limit_reached");
        expect_units(machine, 2);
    });
}

TEST_P(HonestAnswers, AFullLineRefusesAtOnceAndWritesNothing) {
    MachineOptions given = options();
    given.node.max_in_line = 100;
    run(
        [](Machine& machine) {
            machine.create("c", {1'000, std::nullopt, {}, {}});
            std::vector<std::uint64_t> tags;
            std::map<std::string, int> words;
            {
                const StalledStore stalled(machine);
                for (int i = 0; i < 150; ++i) {
                    const std::string name = std::to_string(i);
                    tags.push_back(machine.submit(claim(name, name)));
                }
                machine.sleep(1s);
                EXPECT_EQ(machine.inbox().count(), 1u + 50u) << "refused at once";
            }
            for (const std::uint64_t tag : tags) ++words[word_of(machine.wait(tag))];
            EXPECT_EQ(words["granted"], 100);
            EXPECT_EQ(words["error overloaded none"], 50);
            expect_units(machine, 100);
        },
        given);
}

TEST_P(HonestAnswers, ThePlaceInLineIsTheExactNumberAhead) {
    run([](Machine& machine) {
        machine.create("c", {20'000, std::nullopt, {}, {}});
        constexpr std::uint64_t kClaims = 10'000;
        std::vector<std::uint64_t> tags;
        {
            const StalledStore stalled(machine);
            for (std::uint64_t i = 0; i < kClaims; ++i) {
                const std::string name = std::to_string(i);
                tags.push_back(machine.submit(claim(name, name)));
            }
            machine.sleep(1s);
            std::uint64_t wrong = 0;
            for (std::uint64_t i = 0; i < kClaims; ++i) {
                const auto in_line =
                    machine.node().requester().in_line(uuid_of_id(std::to_string(i)));
                ASSERT_TRUE(in_line.has_value()) << i;
                wrong += !in_line->offset || in_line->place != i;
            }
            EXPECT_EQ(wrong, 0u);
        }
        for (const std::uint64_t tag : tags) EXPECT_EQ(word_of(machine.wait(tag)), "granted");
        EXPECT_FALSE(machine.node().requester().in_line(uuid_of_id("0")).has_value());
    });
}

/// Notes when each reply came.
class Timed final : public ReplySink {
public:
    explicit Timed(Clock& clock) : clock_(clock) {}
    void replied(std::span<Reply> replies) noexcept override {
        for (const Reply& reply : replies) at_[reply.tag] = clock_.mono();
    }
    const std::map<std::uint64_t, MonoTime>& at() const { return at_; }

private:
    Clock& clock_;
    std::map<std::uint64_t, MonoTime> at_;
};

TEST_P(HonestAnswers, TheEstimatedWaitIsWithinAFactorOfTwoForNineOfTen) {
    MachineOptions given = options();
    given.node.max_rows_per_s = 1'000;
    run(
        [](Machine& machine) {
            constexpr std::uint64_t kClaims = 10'000;
            machine.create("c", {20'000, std::nullopt, {}, {}});
            Clock& clock = machine.world().env().clock;
            Timed timed(clock);
            for (std::uint64_t i = 0; i < kClaims; ++i) {
                const std::string name = std::to_string(i);
                const Made made(claim(name, name), machine.now());
                machine.node().requester().submit({&made.submission(), 1}, i, timed);
            }
            machine.sleep(500ms);
            const MonoTime asked_at = clock.mono();
            std::map<std::uint64_t, std::chrono::nanoseconds> estimated;
            for (std::uint64_t i = 0; i < kClaims; ++i) {
                const auto in_line =
                    machine.node().requester().in_line(uuid_of_id(std::to_string(i)));
                if (in_line) estimated[i] = in_line->estimated_wait;
            }
            EXPECT_GT(estimated.size(), kClaims * 9 / 10);
            ASSERT_TRUE(machine.until([&] { return timed.at().size() == kClaims; }));
            std::size_t good = 0;
            for (const auto& [i, wait] : estimated) {
                const auto real = timed.at().at(i) - asked_at;
                good += wait * 2 >= real && real * 2 >= wait;
            }
            EXPECT_GE(good * 10, estimated.size() * 9) << good << " of " << estimated.size();
        },
        given);
}

TEST_P(HonestAnswers, AGracefulStopAnswersEveryPendingCaller) {
    run([](Machine& machine) {
        machine.create("c", {5'000, std::nullopt, {}, {}});
        std::vector<std::uint64_t> tags;
        for (int i = 0; i < 3'000; ++i) {
            const std::string name = std::to_string(i);
            tags.push_back(machine.submit(claim(name, name)));
        }
        machine.shut_down();
        EXPECT_EQ(machine.inbox().count(), 3'001u);
        for (const std::uint64_t tag : tags) EXPECT_EQ(word_of(machine.wait(tag)), "granted");
        ASSERT_TRUE(machine.boot()) << machine.failure();
        expect_units(machine, 3'000);
    });
}

TEST_P(HonestAnswers, AStopThatRunsOutOfTimeSaysUnknownAndTheRepeatIsDecidedOnce) {
    run([](Machine& machine) {
        machine.create("c", {500, std::nullopt, {}, {}});
        std::vector<std::uint64_t> tags;
        {
            const StalledStore stalled(machine);
            for (int i = 0; i < 100; ++i) {
                const std::string name = std::to_string(i);
                tags.push_back(machine.submit(claim(name, name)));
            }
            machine.sleep(1s);
            machine.node().stop(machine.world().env().clock.mono() + 2s);
        }
        EXPECT_EQ(machine.inbox().count(), 101u);
        for (const std::uint64_t tag : tags) {
            EXPECT_EQ(word_of(machine.wait(tag)), "error stopped unknown");
        }
        machine.shut_down();
        ASSERT_TRUE(machine.boot()) << machine.failure();
        for (int i = 0; i < 100; ++i) {
            const std::string name = std::to_string(i);
            EXPECT_EQ(word_of(machine.ask(claim(name, name))), "granted");
        }
        expect_units(machine, 100);
    });
}

}  // namespace
}  // namespace penstock::test
