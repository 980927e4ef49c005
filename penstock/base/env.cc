#include "penstock/base/env.h"

#include <sys/random.h>

#include <fstream>

#include "penstock/base/check.h"
#include "penstock/base/failpoint.h"
#include "penstock/base/posix_files.h"
#include "penstock/base/thread_executor.h"

namespace penstock {
namespace {

#if PENSTOCK_FAILPOINTS
/// By how much the wall clock was set: ms in the file that the failpoint names, read each time.
std::chrono::milliseconds stepped_by() {
    const auto file = failpoint("clock.step");
    std::int64_t ms = 0;
    if (file) std::ifstream(*file) >> ms;
    return std::chrono::milliseconds(ms);
}
#endif

class SystemClock final : public Clock {
public:
    MonoTime mono() override {
        return MonoTime(std::chrono::steady_clock::now().time_since_epoch());
    }
    LogTime wall() override {
        LogTime now =
            std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
#if PENSTOCK_FAILPOINTS
        now += stepped_by();
#endif
        return now;
    }
};

/// Chance from the kernel, fetched by the block: one system call for 32 values.
class SystemRandom final : public Random {
public:
    std::uint64_t next() override {
        // getrandom never returns short for up to 256 bytes.
        thread_local std::uint64_t block[32];
        thread_local std::size_t used = std::size(block);
        if (used == std::size(block)) {
            PENSTOCK_CHECK(::getrandom(block, sizeof block, 0) == sizeof block);
            used = 0;
        }
        return block[used++];
    }
};

}  // namespace

Env& system_env() {
    static SystemClock clock;
    static SystemRandom random;
    static ThreadExecutor executor;
    static PosixFiles files;
    static Env env{clock, random, executor, files};
    return env;
}

}  // namespace penstock
