#include "test/kit/fiber_executor.h"

#include <gtest/gtest.h>

namespace penstock::test {
namespace {

using namespace std::chrono_literals;

struct Trace {
    std::string order;
    std::uint64_t hash = 0;
};

/// Three fibers that yield and wait: the order in which they got on.
Trace trace_of(std::uint64_t seed) {
    FiberExecutor executor(seed);
    Trace trace;
    executor.run([&] {
        std::vector<std::unique_ptr<Task>> tasks;
        for (char name : {'a', 'b', 'c'}) {
            tasks.push_back(executor.spawn(std::string(1, name), [&, name] {
                const auto wake = executor.make_wake();
                for (int i = 0; i < 20; ++i) {
                    trace.order += name;
                    executor.yield();
                    wake->wait_until(executor.mono() + 3us);
                }
            }));
        }
    });
    trace.hash = executor.trace();
    return trace;
}

TEST(FiberExecutor, SameSeedSameOrder) {
    EXPECT_EQ(trace_of(7).order, trace_of(7).order);
    EXPECT_EQ(trace_of(7).hash, trace_of(7).hash);
}

TEST(FiberExecutor, AnotherSeedAnotherOrder) {
    EXPECT_NE(trace_of(7).order, trace_of(8).order);
    EXPECT_NE(trace_of(7).hash, trace_of(8).hash);
}

TEST(FiberExecutor, TimeJumpsToTheEarliestDeadline) {
    FiberExecutor executor(1);
    const MonoTime start = executor.mono();
    const LogTime wall = executor.wall();
    executor.run([&] {
        EXPECT_FALSE(executor.make_wake()->wait_until(start + 1h));
        EXPECT_GE(executor.mono(), start + 1h);
        EXPECT_LT(executor.mono(), start + 1h + 1ms);
    });
    EXPECT_EQ(executor.wall() - wall, 1h);
}

TEST(FiberExecutor, NotifyWakesAndIsNotLost) {
    FiberExecutor executor(1);
    const auto wake = executor.make_wake();
    wake->notify();
    bool woken = false;
    executor.run([&] {
        EXPECT_TRUE(wake->wait_until(kNever));
        const auto other = executor.spawn("other", [&] { wake->notify(); });
        woken = wake->wait_until(executor.mono() + 1h);
    });
    EXPECT_TRUE(woken);
}

TEST(FiberExecutor, WaitsOutsideEveryFiberDriveTheOthers) {
    FiberExecutor executor(1);
    const auto wake = executor.make_wake();
    bool ran = false;
    const auto task = executor.spawn("worker", [&] {
        executor.make_wake()->wait_until(executor.mono() + 1s);
        ran = true;
        wake->notify();
    });
    EXPECT_TRUE(wake->wait_until(kNever));
    EXPECT_TRUE(ran);
}

TEST(FiberExecutor, DeadlockNamesTheFibersThatWait) {
    FiberExecutor executor(1);
    const auto wake = executor.make_wake();
    const auto task = executor.spawn("lost", [&] { wake->wait_until(kNever); });
    try {
        executor.run([&] { executor.make_wake()->wait_until(kNever); });
        FAIL() << "no deadlock was reported";
    } catch (const Deadlock& deadlock) {
        EXPECT_NE(std::string(deadlock.what()).find("lost"), std::string::npos);
        EXPECT_NE(std::string(deadlock.what()).find("main"), std::string::npos);
    }
    executor.kill_all();
}

TEST(FiberExecutor, KilledFibersNeverGoOn) {
    FiberExecutor executor(1);
    int reached = 0;
    auto task = executor.spawn("victim", [&] {
        ++reached;
        executor.make_wake()->wait_until(executor.mono() + 1s);
        ++reached;
    });
    executor.run([&] { executor.make_wake()->wait_until(executor.mono() + 1ms); });
    executor.kill_all();
    task.reset();  // joins at once
    executor.run([&] { executor.make_wake()->wait_until(executor.mono() + 10s); });
    EXPECT_EQ(reached, 1);
}

}  // namespace
}  // namespace penstock::test
