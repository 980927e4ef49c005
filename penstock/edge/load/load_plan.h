#pragma once

#include <fstream>
#include <string>
#include <unordered_map>
#include <vector>

#include "penstock/base/env.h"
#include "penstock/edge/load/load.h"

namespace penstock::cli {

/// A claim on its way.
struct PlannedClaim {
    std::string id;
    std::string user;
    MonoTime intended{};
    bool repeat = false;
    std::string expected;  ///< of a repeat: the reply of the first answer, if it was granted
};

/// What is sent next, and what became of it. Threads: one.
class LoadPlan {
public:
    LoadPlan(Env& env, const LoadOptions& options, MonoTime began);
    Result<void> open_history();

    /// Nothing more is to be sent.
    bool finished() const;
    /// When the next claim is due.
    MonoTime due() const;
    PlannedClaim next();

    void answered(const PlannedClaim& claim, int status, std::string_view body);
    void broken(const PlannedClaim& claim);
    /// True: this answer is not the end of the matter for a client that retries.
    bool should_retry(int status) const;

    LoadReport& report() { return report_; }

private:
    void remember(const PlannedClaim& claim, int status, std::string_view body);
    void write_history(const PlannedClaim& claim, int status, std::string_view body);

    Env& env_;
    const LoadOptions& options_;
    const MonoTime began_;
    std::ofstream history_;
    std::uint64_t sent_ = 0;
    std::vector<PlannedClaim> answered_;  ///< some of them, to be repeated
    LoadReport report_;
};

}  // namespace penstock::cli
