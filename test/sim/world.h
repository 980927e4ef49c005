#pragma once

#include <memory>
#include <optional>
#include <string>

#include "penstock/base/env.h"
#include "test/kit/fiber_executor.h"
#include "test/kit/seeded_random.h"
#include "test/kit/sim_files.h"
#include "test/kit/sim_vfs.h"

namespace penstock::test {

/// What outlives a process of the simulated machine: time, chance and the disk. Every operation on
/// the disk lets others run first, so that the power can fail between any two. Threads: one.
class World {
public:
    explicit World(std::uint64_t seed);

    Env& env() { return env_; }
    FiberExecutor& executor() { return executor_; }
    SimFiles& files() { return files_; }
    std::string directory() const { return "/machine"; }
    const std::string& vfs() const { return vfs_.name(); }

    /// From inside: run_until_off() returns before anybody else goes on.
    void fail_power() { off_ = true; }
    bool is_off() const { return off_; }
    /// Runs `body` as a fiber until it returned or the power failed.
    void run_until_off(std::function<void()> body);
    /// Every fiber is gone; a random part of what was not synced, too. Then the power is back.
    void cut_power();

private:
    FiberExecutor executor_;
    SeededRandom random_;  ///< the program's
    SeededRandom fate_;    ///< of what was not synced
    SimFiles files_;
    Env env_;
    SimVfs vfs_;
    bool off_ = false;
};

}  // namespace penstock::test
