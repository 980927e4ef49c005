#pragma once

#include <mutex>
#include <utility>

// Clang's thread-safety analysis (-Wthread-safety); nothing on other compilers.
#if defined(__clang__)
#define PENSTOCK_THREAD_ATTRIBUTE(x) __attribute__((x))
#else
#define PENSTOCK_THREAD_ATTRIBUTE(x)
#endif
#define GUARDED_BY(mutex) PENSTOCK_THREAD_ATTRIBUTE(guarded_by(mutex))
#define REQUIRES(mutex) PENSTOCK_THREAD_ATTRIBUTE(requires_capability(mutex))

namespace penstock {

/// A mutex that the analysis knows. Never held while calling out.
class PENSTOCK_THREAD_ATTRIBUTE(capability("mutex")) Mutex {
public:
    void lock() PENSTOCK_THREAD_ATTRIBUTE(acquire_capability()) { mutex_.lock(); }
    void unlock() PENSTOCK_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }

private:
    std::mutex mutex_;
};

class PENSTOCK_THREAD_ATTRIBUTE(scoped_lockable) MutexLock {
public:
    explicit MutexLock(Mutex& mutex) PENSTOCK_THREAD_ATTRIBUTE(acquire_capability(mutex))
        : mutex_(mutex) {
        mutex_.lock();
    }
    ~MutexLock() PENSTOCK_THREAD_ATTRIBUTE(release_capability()) { mutex_.unlock(); }
    MutexLock(const MutexLock&) = delete;
    MutexLock& operator=(const MutexLock&) = delete;

private:
    Mutex& mutex_;
};

/// A value that can be reached only while its mutex is held.
template <class T>
class Guarded {
public:
    template <class... Args>
    explicit Guarded(Args&&... args) : value_(std::forward<Args>(args)...) {}

    template <class Body>
    decltype(auto) with(Body&& body) {
        const std::lock_guard lock(mutex_);
        return std::forward<Body>(body)(value_);
    }

private:
    std::mutex mutex_;
    T value_;
};

}  // namespace penstock
