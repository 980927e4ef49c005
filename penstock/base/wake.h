#pragma once

#include <functional>
#include <memory>
#include <string>

#include "penstock/base/time.h"

namespace penstock {

/// The only way to block. Threads in production, fibers on one thread under simulation.
/// Threads: one waiter, always the same; notify() from any.
class Wake {
public:
    virtual ~Wake() = default;
    /// True: notified since the last return (consumes it). False: the time is up.
    virtual bool wait_until(MonoTime until) = 0;
    /// Notifications coalesce; one that comes before the wait is not lost.
    virtual void notify() noexcept = 0;
};

/// A running body; the destructor joins it. The owner tells the body to end before that.
class Task {
public:
    virtual ~Task() = default;
};

/// Starts bodies and makes their Wakes. Threads: any.
class Executor {
public:
    virtual ~Executor() = default;
    /// `name`: at most 15 characters, shown by the system's tools.
    virtual std::unique_ptr<Task> spawn(std::string name, std::function<void()> body) = 0;
    virtual std::unique_ptr<Wake> make_wake() = 0;
};

}  // namespace penstock
