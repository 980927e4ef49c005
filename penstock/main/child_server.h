#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "penstock/base/result.h"

namespace penstock {

/// This program as `penstock serve` in a process of its own, on a free port of 127.0.0.1. The
/// destructor ends it. Threads: one.
class ChildServer {
public:
    /// Returns when it listens; its further messages go to our stderr. unreachable: it ended.
    static Result<std::unique_ptr<ChildServer>> start(const std::string& data_directory);
    ~ChildServer();
    ChildServer(const ChildServer&) = delete;
    ChildServer& operator=(const ChildServer&) = delete;

    const std::string& url() const { return url_; }
    pid_t pid() const { return pid_; }
    /// SIGTERM, then its exit code; -1 if a signal ended it.
    int stop();
    /// Resident memory, in MiB; 0 if it cannot be read.
    double resident_mib() const;

private:
    explicit ChildServer(pid_t pid) : pid_(pid) {}

    const pid_t pid_;
    bool stopped_ = false;
    std::string url_;
};

}  // namespace penstock
