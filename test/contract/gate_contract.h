#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "penstock/base/env.h"
#include "penstock/gate/gate.h"

/// What every adapter of the gate port must do, run against the real thing. Answers may come on
/// any thread and after ask() returned.
namespace penstock::contract {

/// One gate without resources and what it stands on. Threads: the test's.
class GateFixture {
public:
    virtual ~GateFixture() = default;
    virtual Env& env() = 0;
    virtual Gate& gate() = 0;
};

struct GateAdapter {
    std::string name;
    std::function<std::unique_ptr<GateFixture>()> open;
};

class GateContract : public testing::TestWithParam<GateAdapter> {};

}  // namespace penstock::contract
