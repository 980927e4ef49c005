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
#include "penstock/edge/load/latency_histogram.h"

/// A load of claims: many users, one id each, over real HTTP.
namespace penstock::load {

struct LoadOptions {
    Url server;
    std::string campaign = "load";
    std::uint32_t users = 296;   ///< keep-alive connections, each with one request at a time
    std::uint64_t requests = 0;  ///< claims in all, repeats among them; 0: no limit
    std::optional<std::chrono::milliseconds> duration;  ///< no new claim after that
    double rate = 0;                    ///< claims/s begun whatever the answers do; 0: closed loop
    std::uint32_t quantity = 1;         ///< units of each claim
    std::uint32_t batch = 1;            ///< claims a request; above 1: claims:batch, at most 1,000
    double repeat_fraction = 0;         ///< of the claims: an answered id again, with the same body
    bool retry = false;                 ///< the same id again until it is told a yes or a no
    std::string user_prefix = "user-";  ///< before ten digits
    std::uint64_t users_offset = 0;     ///< number of the first user
    std::string history;                ///< file; see penstock/verify/verify.h; empty: none
    std::chrono::milliseconds timeout{30'000};   ///< of one request
    std::chrono::milliseconds patience{60'000};  ///< for a server that is away, and for stragglers
};

/// A claim that is not a repeat is told a yes (`granted`), a no (`refused`), or is `unanswered`.
struct LoadReport {
    std::uint64_t answered = 0;     ///< claims in answers, all attempts
    std::uint64_t granted = 0;      ///< distinct ids
    std::uint64_t repeated = 0;     ///< repeats that were told a yes or a no
    std::uint64_t refused = 0;      ///< distinct ids
    std::uint64_t waiting = 0;      ///< 202 and 504: accepted or unknown
    std::uint64_t unavailable = 0;  ///< 408, 429 and other 5xx
    std::uint64_t broken = 0;       ///< claims whose connection broke, or that timed out
    std::uint64_t mismatches = 0;   ///< repeats of a granted id that were not told 200, same bytes
    std::uint64_t unanswered = 0;   ///< neither a yes nor a no at the end
    std::uint64_t retries = 0;
    std::uint64_t reconnects = 0;
    std::uint64_t requests = 0;                  ///< sent over HTTP
    std::map<int, std::uint64_t> statuses;       ///< of claims, all attempts; 0: broken
    std::map<std::string, std::uint64_t> codes;  ///< of the problems among them
    std::string first_mismatch;
    double seconds = 0;        ///< from the first connection to the last answer
    LatencyHistogram latency;  ///< of requests; open loop: from the intended start; with retries
    LatencyHistogram granted_latency;  ///< of those with a grant in them

    /// No repeat was told anything else, and whoever asks until told was told.
    bool ok(const LoadOptions& options) const {
        return mismatches == 0 && (!options.retry || unanswered == 0);
    }
};

struct LoadProgress {
    std::uint64_t granted = 0, refused = 0;
    std::uint64_t others = 0;  ///< repeated, waiting, unavailable, broken
    double seconds = 0;
};

/// Drives a server with claims, each by another user. One thread, this one, with little CPU: it
/// shares the cores with the server. `progress` is called about five times a second.
/// Errors: invalid (options), unreachable (nobody listens; with `retry`: for the time of
/// `patience`), io, no_space, read_only (the history).
Result<LoadReport> run_load(Env& env, const LoadOptions& options,
                            const std::function<void(const LoadProgress&)>& progress = {});

/// A table for people.
std::string to_text(const LoadReport& report);
/// One object; latencies in ms.
std::string to_json(const LoadReport& report);

}  // namespace penstock::load
