#pragma once

#include <cstdlib>
#include <memory>

#include "penstock/base/env.h"
#include "penstock/base/guarded.h"
#include "penstock/log/log.h"

namespace penstock::bench {

/// Counts the answers to appends, of which none may fail. Threads: appended() any, the rest one.
class FlightSink final : public AppendSink {
public:
    FlightSink() : wake_(system_env().executor.make_wake()) {}

    void appended(std::span<const Appended> results) noexcept override {
        for (const Appended& result : results) {
            if (!result.offset) std::abort();
        }
        // Notified under the lock: whoever sees the last answer may end this sink.
        const MutexLock lock(mutex_);
        landed_ += results.size();
        wake_->notify();
    }
    std::size_t landed() {
        const MutexLock lock(mutex_);
        return landed_;
    }
    /// Until more have landed.
    void wait() { wake_->wait_until(kNever); }

private:
    const std::unique_ptr<Wake> wake_;
    Mutex mutex_;
    std::size_t landed_ GUARDED_BY(mutex_) = 0;
};

}  // namespace penstock::bench
