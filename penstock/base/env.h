#pragma once

#include "penstock/base/files.h"
#include "penstock/base/random.h"
#include "penstock/base/time.h"
#include "penstock/base/wake.h"

namespace penstock {

/// Time, chance, threads and files, given to whoever needs them. Outlives all of them.
struct Env {
    Clock& clock;
    Random& random;
    Executor& executor;
    FileSystem& files;
};

/// The real ones: steady and system clock, getrandom, threads, POSIX files.
Env& system_env();

}  // namespace penstock
