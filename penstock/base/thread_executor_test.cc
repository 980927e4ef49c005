#include "penstock/base/thread_executor.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>

#include "penstock/base/env.h"

namespace penstock {
namespace {

MonoTime soon() {
    return system_env().clock.mono() + std::chrono::seconds(30);
}

TEST(ThreadWake, ANotificationBeforeTheWaitIsNotLostAndSeveralAreOne) {
    const auto wake = ThreadExecutor().make_wake();
    wake->notify();
    wake->notify();
    EXPECT_TRUE(wake->wait_until(soon()));
    EXPECT_FALSE(wake->wait_until(system_env().clock.mono()));
}

TEST(ThreadWake, SaysThatTheTimeIsUp) {
    const auto wake = ThreadExecutor().make_wake();
    const MonoTime until = system_env().clock.mono() + std::chrono::milliseconds(1);
    EXPECT_FALSE(wake->wait_until(until));
    EXPECT_GE(system_env().clock.mono(), until);
    EXPECT_FALSE(wake->wait_until(MonoTime()));
}

TEST(ThreadWake, WakesWhoeverWaitsForEver) {
    ThreadExecutor executor;
    const auto there = executor.make_wake();
    const auto back = executor.make_wake();
    constexpr int kTurns = 1000;
    {
        const auto task = executor.spawn("echo", [&] {
            for (int i = 0; i < kTurns; ++i) {
                there->wait_until(kNever);
                back->notify();
            }
        });
        for (int i = 0; i < kTurns; ++i) {
            there->notify();
            ASSERT_TRUE(back->wait_until(soon())) << i;
        }
    }
}

TEST(ThreadWake, MayBeDestroyedByTheWaiterAsSoonAsItReturns) {
    ThreadExecutor executor;
    for (int i = 0; i < 200; ++i) {
        auto wake = executor.make_wake();
        const auto task = executor.spawn("notifier", [&wake = *wake] { wake.notify(); });
        ASSERT_TRUE(wake->wait_until(soon()));
        wake.reset();
    }
}

TEST(ThreadTask, RunsUnderItsNameAndIsJoinedByItsDestructor) {
    ThreadExecutor executor;
    char name[16] = {};
    std::atomic<bool> done = false;
    {
        const auto task = executor.spawn("fifteen-letters", [&] {
            pthread_getname_np(pthread_self(), name, sizeof name);
            done = true;
        });
    }
    EXPECT_TRUE(done);
    EXPECT_STREQ(name, "fifteen-letters");
}

TEST(ThreadTaskDeathTest, RefusesANameThatTheSystemWouldCut) {
    EXPECT_DEATH((void)ThreadExecutor().spawn("sixteen--letters", [] {}), "name.size");
}

}  // namespace
}  // namespace penstock
