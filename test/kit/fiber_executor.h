#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "penstock/base/time.h"
#include "penstock/base/wake.h"
#include "test/kit/seeded_random.h"

namespace penstock::test {

/// Nothing can run and no deadline will come; the text names the fibers that wait.
struct Deadlock : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct FiberOptions {
    /// Virtual time that a switch takes, so that a fiber that polls gets on.
    std::chrono::nanoseconds tick{1'000};
    std::uint64_t max_switches = 100'000'000;  ///< more: a livelock, reported as a Deadlock
    LogTime wall_start{std::chrono::milliseconds(1'767'225'600'000)};  ///< 2026-01-01
};

/// All bodies as fibers on one thread in virtual time. A fiber runs until it waits, yields or ends;
/// which one goes on is the seed's choice. When all wait, time jumps to the earliest deadline.
/// A std::mutex must never be held across a wait or yield: nobody else could run to release it.
/// Outside every fiber, waits drive the others. Outlives its wakes and tasks. Threads: one.
class FiberExecutor final : public Executor, public Clock {
public:
    explicit FiberExecutor(std::uint64_t seed, FiberOptions options = {});
    ~FiberExecutor() override;
    FiberExecutor(const FiberExecutor&) = delete;
    FiberExecutor& operator=(const FiberExecutor&) = delete;

    std::unique_ptr<Task> spawn(std::string name, std::function<void()> body) override;
    std::unique_ptr<Wake> make_wake() override;
    MonoTime mono() override { return now_; }
    LogTime wall() override;

    /// Runs `body` as a fiber, with all the others, until it returns; the others stay where they
    /// are and go on in the next run. Throws Deadlock. Not from inside a fiber.
    void run(std::function<void()> body);
    /// The same until the condition holds or the time has come: then false.
    bool run_until(const std::function<bool()>& condition, MonoTime until = kNever);
    /// Lets others run. Nothing outside a fiber.
    void yield();
    bool in_fiber() const { return current_ != nullptr; }

    /// The process dies: no fiber ever goes on, and, as in a death, no destructor runs: stacks
    /// and what they own are kept until the test program ends. Give the objects that fibers were
    /// using to abandon() rather than destroy them. Not from inside a fiber.
    void kill_all();

    void step_wall(std::chrono::milliseconds by) { wall_step_ += by; }
    std::uint64_t switches() const { return switches_; }
    /// Hash of every choice so far: equal for equal seeds and programs.
    std::uint64_t trace() const { return trace_; }
    std::vector<std::string> waiting() const;  ///< names of the fibers that wait

private:
    struct Fiber;
    class FiberTask;
    class FiberWake;
    using DeadlineKey = std::pair<MonoTime, std::uint64_t>;

    std::shared_ptr<Fiber> start(std::string name, std::function<void()> body);
    void park(MonoTime until);  // the current fiber, until made runnable
    void make_runnable(Fiber& fiber);
    bool step(MonoTime until);  // false: nothing to run before `until`
    void resume(Fiber& fiber);
    void switch_out();
    void wait_outside(const std::function<bool()>& condition, MonoTime until);
    [[noreturn]] void report_deadlock(const char* why) const;

    const FiberOptions options_;
    SeededRandom random_;
    MonoTime now_{std::chrono::seconds(1)};
    std::chrono::milliseconds wall_step_{0};
    std::uint64_t switches_ = 0;
    std::uint64_t trace_ = 0;
    std::uint64_t next_id_ = 0;
    Fiber* current_ = nullptr;
    std::map<std::uint64_t, std::shared_ptr<Fiber>> fibers_;  // not ended, by id
    std::vector<Fiber*> runnable_;
    std::map<DeadlineKey, Fiber*> deadlines_;
    struct Scheduler;
    const std::unique_ptr<Scheduler> scheduler_;
};

/// Keeps what a killed process leaves behind, so that no destructor of it ever runs.
void abandon(std::shared_ptr<void> left_behind);

}  // namespace penstock::test
