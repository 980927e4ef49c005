#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "penstock/base/time.h"
#include "penstock/runtime/requester.h"

namespace penstock::http {

/// Work handed to the loop from other threads, run in order, one wake for all that came together.
/// What comes after close() is dropped, so that it may outlive the loop. Threads: any.
class Inbox {
public:
    virtual ~Inbox() = default;
    virtual void post(std::function<void()> job) = 0;
};

/// Somebody who waits for replies of the runtime. Threads: the loop.
class Caller {
public:
    virtual ~Caller() = default;
    /// Submission `index` of those it gave to the loop is answered.
    virtual void replied(std::uint32_t index, Answered& answer) = 0;
};

/// What handlers may ask of the server's one thread. Threads: the loop, but inbox().
class Loop {
public:
    virtual ~Loop() = default;
    virtual std::shared_ptr<Inbox> inbox() = 0;
    virtual MonoTime now() const = 0;
    virtual bool stopping() const = 0;
    /// Goes to the runtime at the end of this turn, together with what else came in it; what
    /// `submissions` borrow lives as long as `caller`.
    virtual void submit(std::shared_ptr<Caller> caller,
                        std::span<const Submission> submissions) = 0;
    virtual void look_up(std::shared_ptr<Caller> caller, const Uuid& id) = 0;
    /// Runs `job` about every millisecond until it returns true.
    virtual void poll(std::function<bool()> job) = 0;
    /// Runs `job` on the thread for calls that block on disk. False: too many wait.
    virtual bool block(std::function<void()> job) = 0;
};

}  // namespace penstock::http
