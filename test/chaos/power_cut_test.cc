// Log files and SQLite on a disk that forgets what was not synced; the power fails at a random
// moment right after some caller got an answer, 500 times. Nothing acknowledged is lost. The same
// on a disk that only says that it synced must be noticed. PENSTOCK_SEED or --seed: another run.
#include <gtest/gtest.h>

#include <iostream>

#include "test/kit/seed.h"
#include "test/sim/crowd.h"

namespace penstock::test {
namespace {

constexpr std::size_t kCuts = 500;
constexpr std::size_t kCutsOfAMachine = 25;
constexpr std::size_t kCallers = 32;
constexpr std::uint32_t kUnits = 1'500;

struct Story {
    std::vector<std::string> wrong;
    std::size_t cuts = 0, cuts_in_flight = 0, outcomes = 0;
};

/// One machine through its power cuts, until sold out.
class MachineLife {
public:
    MachineLife(std::uint64_t seed, bool lies) : dice_(seed), machine_(options(seed)) {
        machine_.world().files().lie(lies);
    }

    Story live() {
        create();
        for (std::size_t i = 0; i < kCutsOfAMachine && story_.wrong.empty(); ++i) cut_once();
        if (story_.wrong.empty()) finish();
        story_.outcomes = crowd_.outcomes();
        return std::move(story_);
    }

private:
    static MachineOptions options(std::uint64_t seed) {
        MachineOptions options;
        options.seed = seed;
        options.file_log = true;
        options.segment_bytes = 64 * 1024;
        options.checkpoint_pages = 50;
        return options;
    }

    void create() {
        machine_.run([&] {
            if (!boot()) return;
            machine_.create("c", {kUnits, 1, {}, {}});
            machine_.shut_down();
        });
    }

    /// Whatever happened before: what callers were told is there.
    bool boot() {
        if (!machine_.boot()) {
            story_.wrong.push_back("did not start: " + machine_.failure());
            return false;
        }
        add(check_told(crowd_.history(), machine_.log(), machine_.store()));
        return story_.wrong.empty();
    }

    void cut_once() {
        std::size_t answers_left = 1 + dice_.below(60);
        const auto moment = std::chrono::microseconds(dice_.below(60));
        const std::unique_ptr<Wake> answered = machine_.world().env().executor.make_wake();
        crowd_.on_outcome = [&] {
            if (answers_left > 0 && --answers_left == 0) answered->notify();
        };
        const auto nemesis = machine_.world().env().executor.spawn("nemesis", [&] {
            answered->wait_until(kNever);
            machine_.sleep(moment);
            machine_.world().fail_power();
        });
        machine_.run([&] {
            if (boot()) crowd_.call([] { return false; });
        });
        story_.cuts_in_flight += crowd_.in_flight() > 0;
        ++story_.cuts;
        machine_.cut_power();
        crowd_.on_outcome = nullptr;
        crowd_.server_died();
        add(crowd_.wrong());
    }

    void finish() {
        machine_.run([&] {
            if (!boot()) return;
            crowd_.call([] { return false; });
            machine_.shut_down();
            if (!boot()) return;
            add(check_sale(crowd_.history(), {{"c", {kUnits, 1}}}, machine_.log(), machine_.store(),
                           machine_.gate()));
            add(machine_.verify());
            machine_.shut_down();
        });
    }

    void add(const std::vector<std::string>& wrong) {
        story_.wrong.insert(story_.wrong.end(), wrong.begin(), wrong.end());
    }

    SeededRandom dice_;
    Machine machine_;
    Crowd crowd_{machine_, "c", kCallers};
    Story story_;
};

TEST(PowerCut, FiveHundredCutsLoseNothingAcknowledged) {
    const Seed seed;
    Story sum;
    for (std::size_t i = 0; i < kCuts / kCutsOfAMachine; ++i) {
        const Story story = MachineLife(seed.value() + i, false).live();
        for (const std::string& text : story.wrong) ADD_FAILURE() << text;
        ASSERT_TRUE(story.wrong.empty()) << "machine " << i << " of seed " << seed.value();
        sum.cuts += story.cuts;
        sum.cuts_in_flight += story.cuts_in_flight;
        sum.outcomes += story.outcomes;
    }
    std::cout << sum.cuts << " power cuts, " << sum.cuts_in_flight << " with claims in flight, "
              << sum.outcomes << " outcomes told, seed " << seed.value() << "\n";
    EXPECT_EQ(sum.cuts, kCuts);
    EXPECT_GE(sum.cuts_in_flight, kCuts * 8 / 10);
}

TEST(PowerCut, ADiskThatDoesNotSyncIsNoticed) {
    const Seed seed;
    for (std::size_t i = 0; i < 10; ++i) {
        EXPECT_FALSE(MachineLife(seed.value() + i, true).live().wrong.empty())
            << "machine " << i << " of seed " << seed.value();
    }
}

}  // namespace
}  // namespace penstock::test
