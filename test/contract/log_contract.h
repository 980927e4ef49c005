#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "penstock/base/env.h"
#include "penstock/log/log.h"

/// What every adapter of the log port must do, run against the real thing. A suite is a name and a
/// way to open a log; nothing in the tests asks which one it is.
namespace penstock::contract {

/// One log and what it stands on. Threads: the test's.
class LogFixture {
public:
    virtual ~LogFixture() = default;
    virtual Env& env() = 0;
    virtual Log& log() = 0;
    /// Closes the log in order and opens what it kept.
    virtual void reopen() = 0;
};

/// How an adapter is opened: with segments small enough that some hundred records fill a few, and
/// with a queue that holds at most `max_pending_bytes` per partition.
struct LogAdapter {
    std::string name;
    std::function<std::unique_ptr<LogFixture>(std::size_t max_pending_bytes)> open;
    bool knows_bytes = true;   ///< PartitionInfo::bytes; trim() then keeps to retention_bytes
    bool reads_ahead = false;  ///< a subscription may hold records fetched before they were trimmed
};

class LogContract : public testing::TestWithParam<LogAdapter> {};

}  // namespace penstock::contract
