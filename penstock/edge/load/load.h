#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "penstock/base/env.h"
#include "penstock/base/result.h"
#include "penstock/edge/cli/client.h"
#include "penstock/edge/load/latency.h"

namespace penstock::cli {

struct LoadOptions {
    ServerUrl server;
    std::string campaign = "load";
    std::uint32_t users = 296;   ///< connections; each is a virtual user with one claim in flight
    std::uint64_t requests = 0;  ///< claims in all; 0: no limit
    std::optional<std::chrono::milliseconds> duration;  ///< none: until `requests`
    double rate = 0;             ///< claims/s offered whatever the answers do; 0: closed loop
    std::uint32_t quantity = 1;  ///< units of each claim
    double repeat_fraction = 0;  ///< claims that repeat an answered id with the same body
    bool retry = false;          ///< same id again after 202, 503, 504 and broken connections
    std::string user_prefix = "user";
    std::string history;  ///< file; see penstock/verify/verify.h; empty: none
};

struct LoadReport {
    std::uint64_t answered = 0;
    std::uint64_t granted = 0;      ///< 201
    std::uint64_t repeated = 0;     ///< 200: the same answer to a repeated id
    std::uint64_t refused = 0;      ///< 4xx
    std::uint64_t waiting = 0;      ///< 202 and 504: accepted or unknown
    std::uint64_t unavailable = 0;  ///< other 5xx
    std::uint64_t broken = 0;       ///< connections that broke before an answer
    std::uint64_t mismatches = 0;   ///< repeats that got other bytes than the first answer
    std::uint64_t unanswered = 0;   ///< in flight at the end
    std::map<std::string, std::uint64_t> codes;  ///< of refusals and errors
    double seconds = 0;
    LatencyTable latency;  ///< from the intended start
    LatencyTable granted_latency;
};

struct LoadProgress {
    std::uint64_t granted, refused, others;
    double seconds;
};

/// Drives a server with claims, each by another user. Threads: the caller's; returns at the end.
/// unreachable: nobody listens; io: the history cannot be written.
Result<LoadReport> run_load(Env& env, const LoadOptions& options,
                            const std::function<void(const LoadProgress&)>& progress);

std::string to_text(const LoadReport& report);
std::string to_json(const LoadReport& report);

}  // namespace penstock::cli
