#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "penstock/base/guarded.h"
#include "penstock/base/wake.h"

namespace penstock {

/// A bounded queue from any thread to one receiver, which takes all that is there at once.
/// Threads: push() any; drain() the receiver, whose Wake is notified once per filled batch.
template <class T>
class Mailbox {
public:
    Mailbox(std::size_t capacity, Wake& receiver) : capacity_(capacity), receiver_(receiver) {}

    /// False: full or closed, `item` is untouched.
    bool push(T&& item) {
        bool first;
        {
            const MutexLock lock(mutex_);
            if (closed_ || items_.size() >= capacity_) return false;
            first = items_.empty();
            items_.push_back(std::move(item));
        }
        if (first) receiver_.notify();
        return true;
    }

    /// Swaps what is there into `into`, which is cleared first and lends its capacity.
    void drain(std::vector<T>& into) {
        into.clear();
        const MutexLock lock(mutex_);
        items_.swap(into);
    }

    void close() {
        const MutexLock lock(mutex_);
        closed_ = true;
    }

private:
    const std::size_t capacity_;
    Wake& receiver_;
    Mutex mutex_;
    std::vector<T> items_ GUARDED_BY(mutex_);
    bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace penstock
