#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <vector>

#include "penstock/base/env.h"
#include "penstock/base/guarded.h"
#include "penstock/log/log.h"

namespace penstock::test {

/// Keeps the results of appends and waits for them. Threads: appended() any, the rest one.
class AppendCollector final : public AppendSink {
public:
    explicit AppendCollector(Env& env) : env_(env), wake_(env.executor.make_wake()) {}

    void appended(std::span<const Appended> results) noexcept override {
        // Notified under the lock: whoever sees the last answer may end this sink.
        const MutexLock lock(mutex_);
        for (const Appended& result : results) {
            order_.push_back(result.tag);
            const bool first = results_.emplace(result.tag, result.offset).second;
            if (!first) ++repeated_;
        }
        wake_->notify();
    }

    /// False: fewer than `count` answers after 30 s.
    bool wait_for(std::size_t count) {
        const MonoTime by = env_.clock.mono() + std::chrono::seconds(30);
        while (size() < count && env_.clock.mono() < by) wake_->wait_until(by);
        return size() >= count;
    }
    /// By tag: `count` of them, or what came within 30 s.
    std::map<std::uint64_t, Result<Offset>> wait(std::size_t count) {
        EXPECT_TRUE(wait_for(count));
        return results();
    }
    std::size_t size() {
        const MutexLock lock(mutex_);
        return results_.size();
    }
    std::map<std::uint64_t, Result<Offset>> results() {
        const MutexLock lock(mutex_);
        return results_;
    }
    std::vector<std::uint64_t> order() {
        const MutexLock lock(mutex_);
        return order_;
    }
    std::size_t repeated() {
        const MutexLock lock(mutex_);
        return repeated_;
    }

private:
    Env& env_;
    const std::unique_ptr<Wake> wake_;
    Mutex mutex_;
    std::map<std::uint64_t, Result<Offset>> results_ GUARDED_BY(mutex_);
    std::vector<std::uint64_t> order_ GUARDED_BY(mutex_);
    std::size_t repeated_ GUARDED_BY(mutex_) = 0;
};

}  // namespace penstock::test
