#pragma once

#include "penstock/base/env.h"

namespace penstock::crash {

/// Bodies that never run: enough to open a log and read it, and much cheaper than threads.
class QuietExecutor final : public Executor {
public:
    std::unique_ptr<Task> spawn(std::string, std::function<void()>) override {
        return std::make_unique<Task>();
    }
    std::unique_ptr<Wake> make_wake() override { return system_env().executor.make_wake(); }
};

}  // namespace penstock::crash
