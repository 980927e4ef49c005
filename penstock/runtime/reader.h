#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "penstock/base/env.h"
#include "penstock/base/mailbox.h"
#include "penstock/store/store.h"

namespace penstock {

/// One thread with a read-only session for everybody who must not block. Jobs that wait together
/// share one snapshot. Threads: run() any.
class Reader {
public:
    Reader(Env& env, Store& store, std::size_t max_queued);
    ~Reader();

    Result<void> start();
    /// False: the queue is full or the reader stopped. Where the store cannot be read, the job gets
    /// a session whose every call says why.
    bool run(std::function<void(Session&)> job);
    /// Runs what is queued, then ends the thread. Idempotent.
    void stop();

private:
    void body();

    Env& env_;
    Store& store_;
    std::unique_ptr<Wake> wake_;
    Mailbox<std::function<void(Session&)>> jobs_;
    std::unique_ptr<Session> session_;
    std::atomic<bool> stopping_{false};
    std::unique_ptr<Task> task_;  // last: joined first
};

}  // namespace penstock
