#include "test/kit/fiber_executor.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <boost/context/fiber.hpp>
#include <utility>

#include "penstock/base/check.h"

#if defined(PENSTOCK_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif

namespace penstock::test {
namespace {

namespace context = boost::context;

#if defined(PENSTOCK_ASAN)
constexpr std::size_t kStackBytes = 1024 * 1024;  // frames are larger under the sanitizer
#else
constexpr std::size_t kStackBytes = 256 * 1024;
#endif
constexpr std::size_t kGuardBytes = 4096;

struct Stack {
    void* bottom = nullptr;
    std::size_t size = 0;
};

/// Stacks with a guard page below; says in `at` where it put one.
class StackAllocator {
public:
    explicit StackAllocator(Stack* at) : at_(at) {}

    context::stack_context allocate() {
        void* const base = ::mmap(nullptr, kStackBytes + kGuardBytes, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        PENSTOCK_CHECK(base != MAP_FAILED);
        PENSTOCK_CHECK(::mprotect(base, kGuardBytes, PROT_NONE) == 0);
        at_->bottom = static_cast<char*>(base) + kGuardBytes;
        at_->size = kStackBytes;
#if defined(PENSTOCK_ASAN)
        __lsan_register_root_region(at_->bottom, at_->size);
        // What was mapped here before may have left marks of its frames.
        __asan_unpoison_memory_region(at_->bottom, at_->size);
#endif
        context::stack_context stack;
        stack.size = kStackBytes;
        stack.sp = static_cast<char*>(at_->bottom) + kStackBytes;
        return stack;
    }

    void deallocate(context::stack_context& stack) noexcept {
        char* const bottom = static_cast<char*>(stack.sp) - kStackBytes;
#if defined(PENSTOCK_ASAN)
        __lsan_unregister_root_region(bottom, kStackBytes);
#endif
        ::munmap(bottom - kGuardBytes, kStackBytes + kGuardBytes);
    }

private:
    Stack* at_;
};

std::vector<std::shared_ptr<void>>& graveyard() {
    static auto* const graves = new std::vector<std::shared_ptr<void>>;  // never destroyed
    return *graves;
}

}  // namespace

struct FiberExecutor::Scheduler {
    context::fiber continuation;  // of whoever resumed the current fiber
    [[maybe_unused]] void* fake_stack = nullptr;
    [[maybe_unused]] const void* bottom = nullptr;
    [[maybe_unused]] std::size_t size = 0;
};

struct FiberExecutor::Fiber {
    std::string name;
    std::uint64_t id = 0;
    std::function<void()> body;
    Stack stack;
    context::fiber continuation;
    [[maybe_unused]] void* fake_stack = nullptr;
    MonoTime deadline = kNever;
    bool is_runnable = false;
    bool ended = false;
    bool killed = false;
    FiberWake* waits_for = nullptr;
    std::vector<std::shared_ptr<Fiber>> joiners;
};

class FiberExecutor::FiberWake final : public Wake {
public:
    explicit FiberWake(FiberExecutor& executor) : executor_(executor) {}

    bool wait_until(MonoTime until) override {
        if (!executor_.in_fiber()) {
            executor_.wait_outside([this] { return notified_; }, until);
        } else if (!notified_) {
            waiter_ = executor_.current_;
            waiter_->waits_for = this;
            executor_.park(until);
            forget_waiter();
        }
        return std::exchange(notified_, false);
    }

    void notify() noexcept override {
        notified_ = true;
        if (waiter_ != nullptr) executor_.make_runnable(*waiter_);
    }

    void forget_waiter() {
        if (waiter_ != nullptr) waiter_->waits_for = nullptr;
        waiter_ = nullptr;
    }

private:
    FiberExecutor& executor_;
    bool notified_ = false;
    Fiber* waiter_ = nullptr;
};

class FiberExecutor::FiberTask final : public Task {
public:
    FiberTask(FiberExecutor& executor, std::shared_ptr<Fiber> fiber)
        : executor_(executor), fiber_(std::move(fiber)) {}

    ~FiberTask() override {
        const auto over = [this] { return fiber_->ended || fiber_->killed; };
        if (!executor_.in_fiber()) {
            if (!over()) executor_.wait_outside(over, kNever);
            return;
        }
        while (!over()) {
            fiber_->joiners.push_back(executor_.fibers_.at(executor_.current_->id));
            executor_.park(kNever);
        }
    }

private:
    FiberExecutor& executor_;
    const std::shared_ptr<Fiber> fiber_;
};

FiberExecutor::FiberExecutor(std::uint64_t seed, FiberOptions options)
    : options_(options), random_(seed), scheduler_(std::make_unique<Scheduler>()) {}

FiberExecutor::~FiberExecutor() {
    kill_all();
}

LogTime FiberExecutor::wall() {
    return options_.wall_start + wall_step_ +
           std::chrono::floor<std::chrono::milliseconds>(now_.time_since_epoch());
}

std::shared_ptr<FiberExecutor::Fiber> FiberExecutor::start(std::string name,
                                                           std::function<void()> body) {
    auto fiber = std::make_shared<Fiber>();
    fiber->name = std::move(name);
    fiber->id = next_id_++;
    fiber->body = std::move(body);
    Fiber* const self = fiber.get();
    fiber->continuation = context::fiber(
        std::allocator_arg, StackAllocator(&fiber->stack), [this, self](context::fiber&& caller) {
#if defined(PENSTOCK_ASAN)
            __sanitizer_finish_switch_fiber(nullptr, &scheduler_->bottom, &scheduler_->size);
#endif
            scheduler_->continuation = std::move(caller);
            self->body();
            self->body = nullptr;
            self->ended = true;
#if defined(PENSTOCK_ASAN)
            __sanitizer_start_switch_fiber(nullptr, scheduler_->bottom, scheduler_->size);
#endif
            return std::move(scheduler_->continuation);
        });
    fibers_.emplace(fiber->id, fiber);
    make_runnable(*fiber);
    return fiber;
}

std::unique_ptr<Task> FiberExecutor::spawn(std::string name, std::function<void()> body) {
    PENSTOCK_CHECK(name.size() <= 15);
    return std::make_unique<FiberTask>(*this, start(std::move(name), std::move(body)));
}

std::unique_ptr<Wake> FiberExecutor::make_wake() {
    return std::make_unique<FiberWake>(*this);
}

void FiberExecutor::make_runnable(Fiber& fiber) {
    if (fiber.is_runnable || fiber.ended || fiber.killed) return;
    deadlines_.erase({fiber.deadline, fiber.id});
    fiber.deadline = kNever;
    fiber.is_runnable = true;
    runnable_.push_back(&fiber);
}

void FiberExecutor::park(MonoTime until) {
    Fiber& self = *current_;
    if (until <= now_) {
        make_runnable(self);
    } else if (until != kNever) {
        self.deadline = until;
        deadlines_.emplace(DeadlineKey{until, self.id}, &self);
    }
    switch_out();
}

void FiberExecutor::yield() {
    if (current_ != nullptr) park(now_);
}

void FiberExecutor::switch_out() {
    Fiber* const self = current_;
#if defined(PENSTOCK_ASAN)
    __sanitizer_start_switch_fiber(&self->fake_stack, scheduler_->bottom, scheduler_->size);
#endif
    scheduler_->continuation = std::move(scheduler_->continuation).resume();
#if defined(PENSTOCK_ASAN)
    __sanitizer_finish_switch_fiber(self->fake_stack, &scheduler_->bottom, &scheduler_->size);
#endif
    PENSTOCK_CHECK(current_ == self);
}

void FiberExecutor::resume(Fiber& fiber) {
    const auto alive = fibers_.at(fiber.id);
    current_ = &fiber;
#if defined(PENSTOCK_ASAN)
    __sanitizer_start_switch_fiber(&scheduler_->fake_stack, fiber.stack.bottom, fiber.stack.size);
#endif
    fiber.continuation = std::move(fiber.continuation).resume();
#if defined(PENSTOCK_ASAN)
    __sanitizer_finish_switch_fiber(scheduler_->fake_stack, nullptr, nullptr);
#endif
    current_ = nullptr;
    if (!fiber.ended) return;
    for (const auto& joiner : std::exchange(fiber.joiners, {})) make_runnable(*joiner);
    fibers_.erase(fiber.id);
}

bool FiberExecutor::step(MonoTime until) {
    if (runnable_.empty()) {
        const MonoTime next = deadlines_.empty() ? kNever : deadlines_.begin()->first.first;
        if (std::min(next, until) == kNever) report_deadlock("nothing can run");
        now_ = std::max(now_, std::min(next, until));
        if (next > until) return false;
    }
    while (!deadlines_.empty() && deadlines_.begin()->first.first <= now_) {
        make_runnable(*deadlines_.begin()->second);
    }
    const std::size_t chosen = random_.below(runnable_.size());
    Fiber& fiber = *runnable_[chosen];
    runnable_[chosen] = runnable_.back();
    runnable_.pop_back();
    fiber.is_runnable = false;
    now_ += options_.tick;
    trace_ = (trace_ ^ fiber.id ^ static_cast<std::uint64_t>(now_.time_since_epoch().count())) *
             0x100000001b3ull;  // FNV-1a's prime
    if (++switches_ > options_.max_switches) report_deadlock("too many switches");
    resume(fiber);
    return true;
}

void FiberExecutor::wait_outside(const std::function<bool()>& condition, MonoTime until) {
    while (!condition() && now_ < until) {
        if (!step(until)) return;
    }
}

bool FiberExecutor::run_until(const std::function<bool()>& condition, MonoTime until) {
    PENSTOCK_CHECK(!in_fiber());
    wait_outside(condition, until);
    return condition();
}

void FiberExecutor::run(std::function<void()> body) {
    PENSTOCK_CHECK(!in_fiber());
    const auto fiber = start("main", std::move(body));
    wait_outside([&] { return fiber->ended; }, kNever);
}

std::vector<std::string> FiberExecutor::waiting() const {
    std::vector<std::string> names;
    for (const auto& [id, fiber] : fibers_) {
        if (!fiber->is_runnable && fiber.get() != current_) names.push_back(fiber->name);
    }
    return names;
}

void FiberExecutor::report_deadlock(const char* why) const {
    throw Deadlock(fmt::format("{}; waiting: {}", why, fmt::join(waiting(), ", ")));
}

void FiberExecutor::kill_all() {
    PENSTOCK_CHECK(!in_fiber());
    runnable_.clear();
    deadlines_.clear();
    for (auto& [id, fiber] : std::exchange(fibers_, {})) {
        fiber->killed = true;
        if (fiber->waits_for != nullptr) fiber->waits_for->forget_waiter();
        fiber->joiners.clear();
        abandon(std::move(fiber));
    }
}

void abandon(std::shared_ptr<void> left_behind) {
    graveyard().push_back(std::move(left_behind));
}

}  // namespace penstock::test
