#include "penstock/base/thread_executor.h"

#include <pthread.h>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "penstock/base/check.h"

namespace penstock {
namespace {

class ThreadTask final : public Task {
public:
    ThreadTask(std::string name, std::function<void()> body)
        : thread_([name = std::move(name), body = std::move(body)] {
              pthread_setname_np(pthread_self(), name.c_str());
              body();
          }) {}
    ~ThreadTask() override { thread_.join(); }

private:
    std::thread thread_;
};

class ThreadWake final : public Wake {
public:
    bool wait_until(MonoTime until) override {
        std::unique_lock lock(mutex_);
        const auto notified = [this] { return notified_; };
        if (until == kNever) {
            changed_.wait(lock, notified);
        } else {
            // MonoTime of the system clock counts from the same start as steady_clock.
            changed_.wait_until(
                lock, std::chrono::steady_clock::time_point(until.time_since_epoch()), notified);
        }
        return std::exchange(notified_, false);
    }

    void notify() noexcept override {
        // Under the lock: the waiter may destroy this as soon as it can see notified_.
        const std::lock_guard lock(mutex_);
        if (notified_) return;
        notified_ = true;
        changed_.notify_one();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool notified_ = false;
};

}  // namespace

std::unique_ptr<Task> ThreadExecutor::spawn(std::string name, std::function<void()> body) {
    PENSTOCK_CHECK(name.size() <= 15);
    return std::make_unique<ThreadTask>(std::move(name), std::move(body));
}

std::unique_ptr<Wake> ThreadExecutor::make_wake() {
    return std::make_unique<ThreadWake>();
}

}  // namespace penstock
