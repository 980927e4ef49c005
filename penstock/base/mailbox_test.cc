#include "penstock/base/mailbox.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "penstock/base/env.h"

namespace penstock {
namespace {

class CountingWake final : public Wake {
public:
    bool wait_until(MonoTime) override { return false; }
    void notify() noexcept override { ++count; }
    int count = 0;
};

TEST(Mailbox, HandsOverAllThatIsThereInOrder) {
    CountingWake wake;
    Mailbox<int> mailbox(10, wake);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(mailbox.push(int(i)));
    std::vector<int> items = {7, 7, 7, 7};
    mailbox.drain(items);
    EXPECT_EQ(items, (std::vector{0, 1, 2}));
    mailbox.drain(items);
    EXPECT_TRUE(items.empty());
}

TEST(Mailbox, WakesTheReceiverOncePerBatch) {
    CountingWake wake;
    Mailbox<int> mailbox(10, wake);
    std::vector<int> items;
    for (int batch = 1; batch <= 3; ++batch) {
        for (int i = 0; i < 5; ++i) mailbox.push(int(i));
        EXPECT_EQ(wake.count, batch);
        mailbox.drain(items);
    }
}

TEST(Mailbox, RefusesWhenFullAndLeavesTheItemWithItsOwner) {
    CountingWake wake;
    Mailbox<std::unique_ptr<std::string>> mailbox(2, wake);
    EXPECT_TRUE(mailbox.push(std::make_unique<std::string>("a")));
    EXPECT_TRUE(mailbox.push(std::make_unique<std::string>("b")));
    auto third = std::make_unique<std::string>("c");
    EXPECT_FALSE(mailbox.push(std::move(third)));
    ASSERT_NE(third, nullptr);
    std::vector<std::unique_ptr<std::string>> items;
    mailbox.drain(items);
    EXPECT_TRUE(mailbox.push(std::move(third)));
}

TEST(Mailbox, TakesNothingOnceClosedAndStillHandsOverTheRest) {
    CountingWake wake;
    Mailbox<int> mailbox(10, wake);
    EXPECT_TRUE(mailbox.push(1));
    mailbox.close();
    EXPECT_FALSE(mailbox.push(2));
    std::vector<int> items;
    mailbox.drain(items);
    EXPECT_EQ(items, std::vector{1});
}

TEST(Mailbox, LosesNothingOfManyThreads) {
    constexpr int kThreads = 4;
    constexpr int kEach = 20'000;
    Env& env = system_env();
    const auto wake = env.executor.make_wake();
    Mailbox<int> mailbox(kThreads * kEach, *wake);
    std::vector<std::unique_ptr<Task>> tasks;
    for (int thread = 0; thread < kThreads; ++thread) {
        tasks.push_back(env.executor.spawn("pusher", [&mailbox, thread] {
            for (int i = 0; i < kEach; ++i) mailbox.push(thread * kEach + i);
        }));
    }
    std::vector<int> last(kThreads, -1);
    std::vector<int> items;
    int received = 0;
    while (received < kThreads * kEach) {
        ASSERT_TRUE(wake->wait_until(env.clock.mono() + std::chrono::seconds(30))) << received;
        mailbox.drain(items);
        for (const int item : items) {
            ASSERT_LT(last[item / kEach], item % kEach) << "each thread's items keep their order";
            last[item / kEach] = item % kEach;
        }
        received += static_cast<int>(items.size());
    }
    EXPECT_EQ(received, kThreads * kEach);
}

}  // namespace
}  // namespace penstock
