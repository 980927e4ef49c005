#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "penstock/base/env.h"
#include "penstock/base/mailbox.h"

namespace penstock::http {

/// One thread for the few calls of the edge that block on disk (topics, records), so that the loop
/// never does. Threads: any.
class Worker {
public:
    static constexpr std::size_t kMaxQueued = 1'024;

    Worker(Env& env, std::string name);
    ~Worker();  ///< runs what is queued, then joins
    bool run(std::function<void()> job) { return jobs_.push(std::move(job)); }

private:
    void body();

    std::unique_ptr<Wake> wake_;
    Mailbox<std::function<void()>> jobs_;
    std::atomic<bool> stop_{false};
    std::unique_ptr<Task> task_;
};

}  // namespace penstock::http
