#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "penstock/base/env.h"
#include "penstock/base/mailbox.h"
#include "penstock/runtime/outcomes.h"
#include "penstock/store/store.h"

namespace penstock {

/// One thread with a read-only session for everybody who must not block. What waits together
/// shares one snapshot, taken after all of it was asked. Threads: run(), find() any.
class Reader {
public:
    using Found = std::function<void(Result<std::optional<Recorded>>)>;

    Reader(Env& env, Store& store, std::size_t max_queued);
    ~Reader();

    Result<void> start();
    /// False: the queue is full or the reader stopped. Where the store cannot be read, the job gets
    /// a session whose every call says why.
    bool run(std::function<void(Session&)> job);
    /// What is recorded of the id; those that wait together are one question. False: as run().
    bool find(const Uuid& id, Found found);
    /// Runs what is queued, then ends the thread. Idempotent.
    void stop();

private:
    /// One of the two.
    struct Job {
        std::function<void(Session&)> run;
        Uuid id;
        Found found;
    };
    void body();
    static void answer(std::vector<Job>& jobs, Session& session);

    Env& env_;
    Store& store_;
    std::unique_ptr<Wake> wake_;
    Mailbox<Job> jobs_;
    std::unique_ptr<Session> session_;
    std::atomic<bool> stopping_{false};
    std::unique_ptr<Task> task_;  // last: joined first
};

}  // namespace penstock
