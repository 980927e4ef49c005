#pragma once

#include "penstock/base/wake.h"

namespace penstock {

/// Bodies on threads of the system, waits on condition variables.
class ThreadExecutor final : public Executor {
public:
    std::unique_ptr<Task> spawn(std::string name, std::function<void()> body) override;
    std::unique_ptr<Wake> make_wake() override;
};

}  // namespace penstock
